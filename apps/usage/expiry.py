"""What is older than it is to be kept goes: requests by whole months, hourly and daily sums in pieces.

What is gone is written down before: nothing of it is proved or made anew, and sums of money that hours no longer have
are read from the days.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import OperationalError, connection, transaction

from apps.accounts.models import Organization
from apps.kit.locks import lock_name
from apps.usage.keeping import Keeping, RequestsHorizon, keeping_of, requests_since
from apps.usage.measures import OF_DAYS, ROLLUPS
from apps.usage.models import Batch
from apps.usage.partitions import attached_months, next_month, partition_name
from apps.usage.queries.periods import midnight
from apps.usage.rollup import LOCK

AT_ONCE = 10_000
PATIENCE = "SET LOCAL lock_timeout = '5s'"  # whoever reads for long is not in the way of all others: we come again
# What caps on all that was ever spent still count, of the days that go now.
KEEP_SPEND = """
INSERT INTO usage_forgottenspend (organization_id, customer_id, proxy_key_id, price)
SELECT organization_id, customer_id, proxy_key_id, sum(price) FROM usage_dailytotal
WHERE organization_id = %(organization)s AND day < %(since)s AND (%(before)s::timestamptz IS NULL OR day >= %(before)s)
GROUP BY organization_id, customer_id, proxy_key_id HAVING sum(price) <> 0
ON CONFLICT (customer_id, proxy_key_id, organization_id)
    DO UPDATE SET price = usage_forgottenspend.price + excluded.price
"""
TABLES = {
    "hours": ("hour", [rollup.table for rollup in ROLLUPS if rollup.moment == "hour"]),
    "days": ("day", [*(rollup.table for rollup in OF_DAYS), "usage_knownvalue", "usage_daycardinality"]),
}


def drop_months(*, at: datetime) -> list[str]:
    """Drop the months of requests that no organization wants any more; returns the names of their tables.

    The oldest first, and only what is in the roll-ups: a month that has requests that wait for it stays, and all
    after it.
    """
    wanted_since = _requests_since(at)
    dropped: list[str] = []
    for month in attached_months() if wanted_since else ():
        if next_month(month) > wanted_since or not _drop(month):
            break
        dropped.append(partition_name(month))
    return dropped


def _requests_since(at: datetime) -> datetime | None:
    """From when on somebody wants requests. None: somebody wants all of them."""
    own = dict(Keeping.objects.exclude(requests_days=None).values_list("organization_id", "requests_days"))
    usual = settings.USAGE_KEEPING["requests_days"]
    days = [own.get(pk, usual) for pk in Organization.objects.values_list("pk", flat=True)]
    return at - timedelta(days=max(days)) if days and all(days) else None


def _drop(month: datetime) -> bool:
    end = next_month(month)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(PATIENCE)
            lock_name(LOCK)  # nobody adds, proves nor rebuilds meanwhile
            if Batch.objects.filter(rolled_up_at=None, first_started_at__lt=end).exists():
                return False
            since = max(end, requests_since() or end)  # a late arrival may have made an older month again
            RequestsHorizon.objects.update_or_create(pk=1, defaults={"since": since})
            cursor.execute(f"DROP TABLE {partition_name(month)}")
    except OperationalError:  # somebody reads it
        return False
    return True


def forget_sums(*, at: datetime) -> int:
    """Delete the hourly and daily sums that organizations no longer want. Returns how many rows were."""
    return sum(_forget(organization, at) for organization in Organization.objects.order_by("pk"))


def _forget(organization: Organization, at: datetime) -> int:
    keeping = keeping_of(organization.pk)
    today = at.astimezone(ZoneInfo(organization.time_zone)).date()
    deleted = 0
    for level, days in (("hours", keeping.hours_days), ("days", keeping.days_days)):
        if not days:
            continue
        since = midnight(today - timedelta(days=days), ZoneInfo(organization.time_zone))
        since = max(since.astimezone(UTC), getattr(keeping, f"{level}_since") or since)
        _write_down(organization, f"{level}_since", since)
        moment, tables = TABLES[level]
        deleted += sum(_delete(table, moment, organization, since) for table in tables)
    return deleted


@transaction.atomic
def _write_down(organization: Organization, name: str, since: datetime) -> None:
    lock_name(LOCK)
    if name == "days_since":
        before = Keeping.objects.filter(organization=organization).values_list(name, flat=True).first()
        with connection.cursor() as cursor:
            cursor.execute(KEEP_SPEND, {"organization": organization.pk, "since": since, "before": before})
    Keeping.objects.update_or_create(organization=organization, defaults={name: since})


def _delete(table: str, moment: str, organization: Organization, since: datetime) -> int:
    """In pieces, each its own transaction: nobody waits for long, and whoever dies has done what it has done."""
    deleted, some = 0, AT_ONCE
    while some == AT_ONCE:
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("  # noqa: S608 ours
                f"SELECT ctid FROM {table} WHERE organization_id = %s AND {moment} < %s LIMIT {AT_ONCE}))",
                [organization.pk, since],
            )
            some = cursor.rowcount
        deleted += some
    return deleted
