"""The roll-ups made anew from the requests: the same rows, whatever was wrong with them."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max, Min

from apps.kit.locks import lock_name
from apps.usage.measures import HOUR, IS_ROLLED_UP, ROLLUPS, add
from apps.usage.models import HourlyUsage, Request
from apps.usage.rollup import LOCK

STEP = timedelta(days=1)
HOUR_LONG = timedelta(hours=1)

# The first two conditions say the same less sharply, in terms that an index knows.
OF_HOURS = (
    f"started_at >= %s AND started_at < %s AND {HOUR} >= %s AND {HOUR} < %s "
    f"AND (%s::uuid IS NULL OR organization_id = %s) AND {IS_ROLLED_UP}"
)


def rebuild_rollups(*, since: datetime, until: datetime, organization_id: UUID | None = None) -> int:
    """Make the hours that begin from `since` up to, not including, `until` anew. Returns how many requests they have.

    A day is a transaction: stopped half-way, it has mended what it came to. Batches that are not rolled up
    stay so.
    """
    requests = 0
    while since < until:
        end = min(since + STEP, until)
        requests += _rebuild(since, end, organization_id)
        since = end
    return requests


def align_hours(organization_id: UUID) -> int:
    """Make an organization's hours anew if they don't begin where hours of its time zone do.

    A zone whose offset differs by whole hours changes nothing. Returns how many requests were counted again.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM usage_hourlyusage JOIN accounts_organization AS organization "
            "ON organization.id = organization_id "
            "WHERE organization_id = %s AND hour <> date_trunc('hour', hour, organization.time_zone))",
            [organization_id],
        )
        (is_askew,) = cursor.fetchone()
    known = extent(organization_id) if is_askew else None
    return rebuild_rollups(since=known[0], until=known[1], organization_id=organization_id) if known else 0


def extent(organization_id: UUID | None = None) -> tuple[datetime, datetime] | None:
    """From the first hour to after the last one that has requests, or roll-ups of some. None: there are none."""
    owned = {} if organization_id is None else {"organization_id": organization_id}
    found = [
        *Request.objects.filter(**owned).aggregate(Min("started_at"), Max("started_at")).values(),
        *HourlyUsage.objects.filter(**owned).aggregate(Min("hour"), Max("hour")).values(),
    ]
    instants = [instant for instant in found if instant is not None]
    if not instants:
        return None
    return min(instants) - HOUR_LONG, max(instants) + HOUR_LONG


@transaction.atomic
def _rebuild(since: datetime, until: datetime, organization_id: UUID | None) -> int:
    lock_name(LOCK)  # nobody adds batches meanwhile; what is rolled up stays as it is
    with connection.cursor() as cursor:
        for rollup in ROLLUPS:
            cursor.execute(
                f"DELETE FROM {rollup.table} WHERE hour >= %s AND hour < %s "  # noqa: S608 a constant of ours
                "AND (%s::uuid IS NULL OR organization_id = %s)",
                [since, until, organization_id, organization_id],
            )
            cursor.execute(
                add(rollup, OF_HOURS), [since, until + HOUR_LONG, since, until, organization_id, organization_id]
            )
        cursor.execute(
            "SELECT coalesce(sum(requests), 0) FROM usage_hourlyusage WHERE hour >= %s AND hour < %s "
            "AND (%s::uuid IS NULL OR organization_id = %s)",
            [since, until, organization_id, organization_id],
        )
        (requests,) = cursor.fetchone()
    return int(requests)
