from django.urls import path

from apps.api.views import LiveUsage

app_name = "api"
urlpatterns = [path("v1/tollgate/usage", LiveUsage.as_view(), name="live-usage")]
