"""The roll-ups made anew from the requests: the same rows, whatever was wrong with them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, Func, Max, Min, Model, Q, Value

from apps.accounts.models import Organization
from apps.kit.locks import lock_name
from apps.usage.gathering import gathered
from apps.usage.keeping import keeping_of, requests_since
from apps.usage.measures import IS_ROLLED_UP, OF_DAYS, ROLLUPS, Rollup, add
from apps.usage.models import DailyUsage, DayCardinality, HourlyUsage, KnownValue, Request, Snapshot
from apps.usage.queries.periods import Period, midnight
from apps.usage.rollup import LOCK

A_DAY = timedelta(days=1)
OF_DAY = f"organization_id = %s AND started_at >= %s AND started_at < %s AND {IS_ROLLED_UP}"
OF_PERIOD = "organization_id = %s AND {moment} >= %s AND {moment} < %s"


def rebuild_rollups(*, since: datetime, until: datetime, organization_id: UUID | None = None) -> int:
    """Make the hours that begin from `since` up to, not including, `until` anew, and all days that they are in.

    Returns how many requests those hours have. A day of an organization is a transaction: stopped half-way, it
    has mended what it came to. Batches that are not rolled up stay so.
    """
    owned = {} if organization_id is None else {"pk": organization_id}
    requests = 0
    for organization in Organization.objects.filter(**owned).order_by("pk"):
        if (known := extent(organization.pk)) is None:
            continue
        wanted = Period(max(since, known[0]), min(until, known[1]))
        for day in _days(wanted, ZoneInfo(organization.time_zone)):
            requests += _rebuild(organization.pk, day, wanted, ROLLUPS)
    return requests


def align_hours(organization_id: UUID) -> int:
    """Make an organization's hours and days anew where they don't begin where those of its time zone do.

    A zone whose offset differs by whole hours leaves the hours as they are. Returns how many requests the days
    made anew have.
    """
    organization = Organization.objects.get(pk=organization_id)
    days = DayCardinality.objects.filter(organization=organization)
    if _is_askew("hour", HourlyUsage, organization):
        rollups: Sequence[Rollup] = ROLLUPS
    elif _is_askew("day", DailyUsage, organization):
        has_others = days.filter(Q(has_other_users=True) | Q(has_other_values=True)).exists()
        rollups = ROLLUPS if has_others else OF_DAYS  # other days, others
    else:
        return 0
    known = extent(organization_id)
    if known is None:
        return 0
    period, zone = Period(*known), ZoneInfo(organization.time_zone)
    requests = sum(_rebuild(organization_id, day, period, rollups) for day in _days(period, zone))
    for model in (DayCardinality, KnownValue):
        of_before = model._default_manager.filter(organization=organization)
        of_before.exclude(
            day=Func(Value("day"), F("day"), Value(organization.time_zone), function="date_trunc")
        ).delete()
    return requests


def _is_askew(moment: str, model: type[Model], organization: Organization) -> bool:
    rows = model._default_manager.filter(organization=organization)
    return rows.exclude(**{moment: _beginning(moment, organization)}).exists()


def _beginning(moment: str, organization: Organization) -> Func:
    return Func(Value(moment), F(moment), Value(organization.time_zone), function="date_trunc")


def extent(organization_id: UUID | None = None) -> Period | None:
    """From the day before the first that has requests, or roll-ups of some, to after the last. None: there are none."""
    owned = {} if organization_id is None else {"organization_id": organization_id}
    found = [
        *Request.objects.filter(**owned).aggregate(Min("started_at"), Max("started_at")).values(),
        *HourlyUsage.objects.filter(**owned).aggregate(Min("hour"), Max("hour")).values(),
        *DailyUsage.objects.filter(**owned).aggregate(Min("day"), Max("day")).values(),
    ]
    instants = [instant for instant in found if instant is not None]
    if not instants:
        return None
    return Period(min(instants) - A_DAY, max(instants) + A_DAY)


def _days(period: Period, zone: ZoneInfo) -> Iterator[Period]:
    """The days of the zone that a period touches."""
    day = period.since.astimezone(zone).date()
    while (begins := midnight(day, zone)) < period.until:
        day += A_DAY
        yield Period(begins, midnight(day, zone))


@transaction.atomic
def _rebuild(organization_id: UUID, day: Period, wanted: Period, rollups: Sequence[Rollup]) -> int:
    """Make a day anew, and of its hours those that are wanted; but not what has gone, or whose requests have."""
    lock_name(LOCK)  # nobody adds batches meanwhile; what is rolled up stays as it is
    keeping = keeping_of(organization_id)
    hours = Period(max(day.since, wanted.since), min(day.until, wanted.until))
    is_gone = {"hour": _is_before(day, keeping.hours_since), "day": _is_before(day, keeping.days_since)}
    if _is_before(day, requests_since()) or all(is_gone.values()):
        return 0
    with gathered(OF_DAY, [organization_id, *day], is_whole_day=True) as cursor:
        for rollup in rollups:
            if is_gone[rollup.moment]:
                continue
            of_period = OF_PERIOD.format(moment=rollup.moment)
            values = [organization_id, *(hours if rollup.moment == "hour" else day)]
            cursor.execute(f"DELETE FROM {rollup.table} WHERE {of_period}", values)  # noqa: S608 ours
            cursor.execute(add(rollup, of_period), values)
        cursor.execute(
            f"SELECT coalesce(sum(requests), 0) FROM by_hour WHERE {OF_PERIOD.format(moment='hour')}",  # noqa: S608 ours
            [organization_id, *hours],
        )
        (requests,) = cursor.fetchone()
    Snapshot.objects.filter(organization_id=organization_id).update(
        totals=""
    )  # not right any more: others may be let in now
    return int(requests)


def _is_before(day: Period, since: datetime | None) -> bool:
    return since is not None and day.since < since
