from django.urls import path

from apps.portal.views import dashboard, keys, members, requests

app_name = "portal"
urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("requests/", requests.requests, name="requests"),
    path("developer/", keys.developer, name="developer"),
    path("developer/keys/<uuid:key_id>/rotate/", keys.proxy_key_rotate, name="proxy-key-rotate"),
    path("developer/keys/<uuid:key_id>/revoke/", keys.proxy_key_revoke, name="proxy-key-revoke"),
    path("members/", members.members, name="members"),
    path("members/invite/", members.member_invite, name="member-invite"),
    path("members/<uuid:member_id>/remove/", members.member_remove, name="member-remove"),
]
