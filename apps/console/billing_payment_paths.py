"""Addresses of the operator's pages on payments."""

from django.urls import URLPattern, path

from apps.console.views import billing_payments as views

BASE = "billing/payments/"

payment_paths: list[URLPattern] = [
    path(BASE, views.payments, name="payments"),
    path(f"{BASE}transfer/", views.transfer_add, name="transfer-add"),
    path(f"{BASE}settings/", views.payment_settings, name="payment-settings"),
    path(f"{BASE}settings/test/", views.payment_settings_test, name="payment-settings-test"),
    path(f"{BASE}settings/remove/", views.payment_settings_remove, name="payment-settings-remove"),
    path(f"{BASE}events/", views.payment_events, name="payment-events"),
    path(f"{BASE}events/<slug:event_id>/retry/", views.payment_event_retry, name="payment-event-retry"),
    path(f"{BASE}events/<slug:event_id>/take/", views.payment_event_take, name="payment-event-take"),
    path(f"{BASE}events/<slug:event_id>/dismiss/", views.payment_event_dismiss, name="payment-event-dismiss"),
    path(f"{BASE}<uuid:payment_id>/", views.payment_detail, name="payment-detail"),
    path(f"{BASE}<uuid:payment_id>/refund/", views.payment_refund, name="payment-refund"),
    path(f"{BASE}<uuid:payment_id>/receive/", views.payment_receive, name="payment-receive"),
    path(f"{BASE}<uuid:payment_id>/apply/", views.payment_apply, name="payment-apply"),
    path(f"{BASE}<uuid:payment_id>/ask/", views.payment_ask, name="payment-ask"),
]
