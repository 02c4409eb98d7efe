"""What workers do for usage that was sent. Each may come late, twice or be killed."""

from celery import shared_task
from django.utils import timezone

from apps.ingest import charging, services


@shared_task(name="ingest.charge", ignore_result=True)
def charge() -> None:
    """Every ten seconds, by beat: counters of what was stored by processes that died before they told them."""
    charging.charge_waiting(at=timezone.now())


@shared_task(name="ingest.forget", ignore_result=True)
def forget() -> None:
    """Every hour, by beat."""
    services.forget_sent(at=timezone.now())
