from django.urls import path

from apps.accounts import views

urlpatterns = [
    path("invitations/<str:token>/", views.invitation_accept, name="invitation-accept"),
    path("organizations/<uuid:organization_id>/switch/", views.organization_switch, name="organization-switch"),
]
