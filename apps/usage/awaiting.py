"""Calls that go on at the provider after their answer (responses in the background), until their cost is known.

Rows come and go with shipping, in its transactions: one is made where an `Awaited` was shipped, and ends where
the outcome was. Each has somebody who looks after it, a proxy process, for as long as a lease; when
that process is gone, another takes over. Two who look after one do no harm: the request is recorded once.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.usage.models import AwaitedCall
from apps.usage.record import encode
from apps.usage.tail import Waiting

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEASE = timedelta(seconds=settings.BACKGROUND_LEASE)  # below a hold's lifetime: it doesn't end between two processes


def begin(waiting: Iterable[Waiting], *, at: datetime) -> None:
    """They are looked after by the process that wrote them. Those that are known already are left alone."""
    rows = [
        AwaitedCall(
            id=UUID(bytes=intent.id),
            organization_id=UUID(bytes=intent.organization_id),
            customer_id=UUID(bytes=intent.customer_id),
            object_id=awaited.object_id,
            started_at=EPOCH + timedelta(microseconds=intent.started_at_us),
            leased_until=at + LEASE,
            intent=encode(intent),
            awaited=encode(awaited),
        )
        for intent, awaited in waiting
    ]
    AwaitedCall.objects.bulk_create(rows, ignore_conflicts=True)


def end(ids: Collection[bytes]) -> None:
    """What they cost is recorded."""
    AwaitedCall.objects.filter(pk__in=[UUID(bytes=each) for each in ids]).delete()


def keep(ids: Collection[bytes], *, at: datetime) -> None:
    """Go on looking after these, as far as they are here yet."""
    AwaitedCall.objects.filter(pk__in=[UUID(bytes=each) for each in ids]).update(leased_until=at + LEASE)


@transaction.atomic
def adopt(*, at: datetime, most: int) -> list[AwaitedCall]:
    """Take over at most so many that nobody looks after any more. Whoever else asks meanwhile gets others."""
    orphans = AwaitedCall.objects.select_for_update(skip_locked=True).filter(leased_until__lt=at)
    found = list(orphans.order_by("leased_until")[:most])
    AwaitedCall.objects.filter(pk__in=[row.pk for row in found]).update(leased_until=at + LEASE)
    return found
