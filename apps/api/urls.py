from django.urls import include, path

from apps.api.otlp import Traces
from apps.api.v1.document import docs, openapi
from apps.api.views import LiveUsage

app_name = "api"
urlpatterns = [
    path("v1/tollgate/usage", LiveUsage.as_view(), name="live-usage"),
    path("v1/traces", Traces.as_view(), name="traces"),
    path("otlp/v1/traces", Traces.as_view(), name="otlp-traces"),
    path("api/docs/", docs, name="docs"),
    path("api/v1/openapi.json", openapi, {"form": "json"}, name="openapi-json"),
    path("api/v1/openapi.yaml", openapi, {"form": "yaml"}, name="openapi-yaml"),
    path("api/v1/", include("apps.api.v1.urls")),
]
