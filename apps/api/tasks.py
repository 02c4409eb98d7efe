"""Periodic work of the API."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from apps.api.models import KeyedRequest

KEPT = timedelta(days=30)


@shared_task(name="api.forget_keyed_requests", ignore_result=True)
def forget_keyed_requests() -> None:
    """Every day, by beat. Credit and documents keep their own keys: sent again later, they are made once still."""
    KeyedRequest.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
