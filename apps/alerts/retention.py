"""What alerts keep, and for how long."""

from datetime import datetime, timedelta

from apps.alerts.anomalies.networks import forget_networks
from apps.alerts.models import AlertEvent, Delivery, Finding, ToldBatch

MESSAGES = timedelta(days=30)  # what was sent or given up
BATCHES = timedelta(days=3)  # longer than anybody looks back
HISTORY = timedelta(days=400)
MOST_AT_ONCE = 10_000


def forget(at: datetime) -> None:
    """Every hour: some of what is old, so that no transaction is long. Twice is harmless."""
    old = Delivery.objects.filter(created_at__lt=at - MESSAGES).exclude(state=Delivery.State.WAITING)
    Delivery.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:MOST_AT_ONCE])).delete()
    ToldBatch.objects.filter(told_at__lt=at - BATCHES).delete()
    AlertEvent.objects.filter(resolved_at__lt=at - HISTORY).delete()
    Finding.objects.filter(ended_at__lt=at - HISTORY).delete()
    forget_networks(at)
