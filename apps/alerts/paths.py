"""The addresses of alerts, the same in the console and in the portal: each has views of its own for them."""

from types import ModuleType

from django.urls import URLPattern, path


def alert_paths(views: ModuleType) -> list[URLPattern]:
    """For the views in `views`, which say who may enter."""
    rule, channel, finding = (f"alerts/{kind}s/<uuid:{kind}_id>" for kind in ("rule", "channel", "finding"))
    return [
        path("alerts/", views.alerts, name="alerts"),
        path("alerts/history/", views.alert_history, name="alert-history"),
        path("alerts/rules/add/", views.alert_rule_add, name="alert-rule-add"),
        path(f"{rule}/edit/", views.alert_rule_edit, name="alert-rule-edit"),
        path(f"{rule}/delete/", views.alert_rule_delete, name="alert-rule-delete"),
        path(f"{rule}/pause/", views.alert_rule_pause, name="alert-rule-pause"),
        path(f"{rule}/mute/", views.alert_rule_mute, name="alert-rule-mute"),
        path("alerts/channels/", views.alert_channels, name="alert-channels"),
        path(f"{channel}/", views.alert_channel_detail, name="alert-channel-detail"),
        path(f"{channel}/test/", views.alert_channel_test, name="alert-channel-test"),
        path(f"{channel}/pause/", views.alert_channel_pause, name="alert-channel-pause"),
        path(f"{channel}/secret/", views.alert_channel_secret, name="alert-channel-secret"),
        path(f"{channel}/delete/", views.alert_channel_delete, name="alert-channel-delete"),
        path("alerts/deliveries/<uuid:delivery_id>/again/", views.delivery_again, name="delivery-again"),
        path("alerts/findings/", views.findings, name="findings"),
        path(f"{finding}/decide/", views.finding_decide, name="finding-decide"),
        path(f"{finding}/act/", views.finding_act, name="finding-act"),
        path("alerts/events/", views.event_subscriptions, name="event-subscriptions"),
        path(
            "alerts/events/<uuid:subscription_id>/delete/",
            views.event_subscription_delete,
            name="event-subscription-delete",
        ),
    ]
