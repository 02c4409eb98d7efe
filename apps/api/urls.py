from django.urls import path

from apps.api.otlp import Traces
from apps.api.views import LiveUsage

app_name = "api"
urlpatterns = [
    path("v1/tollgate/usage", LiveUsage.as_view(), name="live-usage"),
    path("v1/traces", Traces.as_view(), name="traces"),
    path("otlp/v1/traces", Traces.as_view(), name="otlp-traces"),
]
