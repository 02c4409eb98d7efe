from django.urls import path

from apps.console.views import audit, customers, dashboard, end_users, limits, members, provider_keys, settings

app_name = "console"
urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("customers/", customers.customers, name="customers"),
    path("customers/add/", customers.customer_add, name="customer-add"),
    path("customers/<uuid:customer_id>/", customers.customer_detail, name="customer-detail"),
    path("customers/<uuid:customer_id>/edit/", customers.customer_edit, name="customer-edit"),
    path("customers/<uuid:customer_id>/suspend/", customers.customer_suspend, name="customer-suspend"),
    path("customers/<uuid:customer_id>/resume/", customers.customer_resume, name="customer-resume"),
    path("customers/<uuid:customer_id>/invite/", customers.customer_invite, name="customer-invite"),
    path("customers/<uuid:customer_id>/keys/", customers.customer_keys, name="customer-keys"),
    path("customers/<uuid:customer_id>/requests/", customers.customer_requests, name="customer-requests"),
    path("customers/<uuid:customer_id>/end-users/limits/", end_users.end_user_limits, name="end-user-limits"),
    path(
        "customers/<uuid:customer_id>/end-users/limits/default/",
        end_users.end_user_limit_default,
        name="end-user-limit-default",
    ),
    path("customers/<uuid:customer_id>/end-users/limits/add/", end_users.end_user_limit_add, name="end-user-limit-add"),
    path(
        "customers/<uuid:customer_id>/end-users/limits/<uuid:limit_id>/edit/",
        end_users.end_user_limit_edit,
        name="end-user-limit-edit",
    ),
    path(
        "customers/<uuid:customer_id>/end-users/limits/<uuid:limit_id>/remove/",
        end_users.end_user_limit_remove,
        name="end-user-limit-remove",
    ),
    path("limits/", limits.limits, name="limits"),
    path("limits/refusals.csv", limits.refusals_export, name="refusals-export"),
    path("provider-keys/", provider_keys.provider_keys, name="provider-keys"),
    path("provider-keys/add/", provider_keys.provider_key_add, name="provider-key-add"),
    path("provider-keys/<uuid:key_id>/replace/", provider_keys.provider_key_replace, name="provider-key-replace"),
    path(
        "provider-keys/<uuid:key_id>/deployments/",
        provider_keys.provider_key_deployments,
        name="provider-key-deployments",
    ),
    path("provider-keys/<uuid:key_id>/disable/", provider_keys.provider_key_disable, name="provider-key-disable"),
    path("provider-keys/<uuid:key_id>/enable/", provider_keys.provider_key_enable, name="provider-key-enable"),
    path("provider-keys/<uuid:key_id>/delete/", provider_keys.provider_key_delete, name="provider-key-delete"),
    path("members/", members.members, name="members"),
    path("members/invite/", members.member_invite, name="member-invite"),
    path("members/<uuid:member_id>/role/", members.member_role, name="member-role"),
    path("members/<uuid:member_id>/remove/", members.member_remove, name="member-remove"),
    path("invitations/<uuid:invitation_id>/withdraw/", members.invitation_withdraw, name="invitation-withdraw"),
    path("audit/", audit.audit_log, name="audit"),
    path("settings/", settings.organization_settings, name="settings"),
]
