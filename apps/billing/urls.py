from django.urls import path

from apps.billing import webhooks

app_name = "billing"
urlpatterns = [
    path("webhooks/stripe/<uuid:organization_id>", webhooks.stripe_webhook, name="stripe-webhook"),
]
