from django.urls import path

from apps.portal.views import dashboard, end_users, keys, limits, members, requests, users

app_name = "portal"
urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("requests/", requests.requests, name="requests"),
    path("developer/", keys.developer, name="developer"),
    path("developer/keys/<uuid:key_id>/", keys.proxy_key_detail, name="proxy-key-detail"),
    path("developer/keys/<uuid:key_id>/limits/", keys.proxy_key_limit, name="proxy-key-limit"),
    path("developer/keys/<uuid:key_id>/rotate/", keys.proxy_key_rotate, name="proxy-key-rotate"),
    path("developer/keys/<uuid:key_id>/revoke/", keys.proxy_key_revoke, name="proxy-key-revoke"),
    path("end-users/limits/", end_users.end_user_limits, name="end-user-limits"),
    path("end-users/limits/default/", end_users.end_user_limit_default, name="end-user-limit-default"),
    path("end-users/limits/add/", end_users.end_user_limit_add, name="end-user-limit-add"),
    path("end-users/limits/<uuid:limit_id>/edit/", end_users.end_user_limit_edit, name="end-user-limit-edit"),
    path("end-users/limits/<uuid:limit_id>/remove/", end_users.end_user_limit_remove, name="end-user-limit-remove"),
    path("users/", users.users, name="users"),
    path("users/users.csv", users.users_export, name="users-export"),
    path("users/user/", users.user_detail, name="user-detail"),
    path("users/user/block/", users.user_block, name="user-block"),
    path("users/user/unblock/", users.user_unblock, name="user-unblock"),
    path("users/user/note/", users.user_note, name="user-note"),
    path("limits/", limits.limits, name="limits"),
    path("limits/refusals.csv", limits.refusals_export, name="refusals-export"),
    path("members/", members.members, name="members"),
    path("members/invite/", members.member_invite, name="member-invite"),
    path("members/<uuid:member_id>/remove/", members.member_remove, name="member-remove"),
]
