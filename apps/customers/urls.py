from django.urls import path

from apps.customers import views

urlpatterns = [
    path("", views.home, name="home"),
    path("portal-invitations/<str:token>/", views.customer_invitation_accept, name="customer-invitation-accept"),
    path("customers/<uuid:customer_id>/switch/", views.customer_switch, name="customer-switch"),
]
