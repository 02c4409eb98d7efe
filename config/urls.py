"""An include a face."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("console/", include("apps.console.urls")),
    path("portal/", include("apps.portal.urls")),
    path("billing/", include("apps.billing.urls")),
    path("", include("apps.api.urls")),
    path("", include("apps.accounts.urls")),
    path("", include("apps.customers.urls")),
]
