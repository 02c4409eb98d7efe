"""The proof that requests and roll-ups say the same: every measure of every hour and day, counted again.

It goes from one stretch of time to the next, so that it takes no more memory however much there is, and the roll-ups,
which must not change meanwhile, wait no longer than for one of these.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Sum

from apps.kit.locks import lock_name
from apps.usage.gathering import gathered_again
from apps.usage.measures import IS_ROLLED_UP, ROLLUPS, Rollup, sums
from apps.usage.models import Batch, DailyModel, DeadLetter, Request
from apps.usage.rollup import LOCK

MOST_DIFFERENCES = 10_000  # in a table, are enough to see that something is wrong
AT_ONCE = 500_000  # requests, or those of a day
LONGEST_DAY = timedelta(hours=26)  # of any zone
BEGINNING, END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

# What the requests are gone of, or the sums, proves nothing.
IS_THERE = """
    {moment} >= coalesce((SELECT since FROM usage_requestshorizon), '-infinity') AND {moment} >= coalesce((
        SELECT keeping.{moment}s_since FROM usage_keeping AS keeping
        WHERE keeping.organization_id = {table}.organization_id
    ), '-infinity')
"""

Value = int | Decimal | datetime | list[int] | None


class Difference(NamedTuple):
    """One measure of one hour or day that isn't the sum of its requests."""

    table: str
    keys: dict[str, object]
    measure: str
    in_requests: Value  # None: there are no such requests
    in_rollups: Value  # None: there is no such row

    def __str__(self) -> str:
        keys = ", ".join(f"{name} {value}" for name, value in self.keys.items())
        return f"{self.table}, {keys}: {self.measure} is {self.in_requests} in requests, {self.in_rollups} in roll-ups"


class WrongBatch(NamedTuple):
    """A batch of which not all rows are there, or more."""

    batch_id: int
    shipped: int
    there: int

    def __str__(self) -> str:
        return f"batch {self.batch_id}: {self.shipped} requests were shipped, {self.there} are there"


@dataclass(frozen=True)
class Audit:
    """What was compared, and all that differs."""

    requests: int
    waiting: int  # shipped and not rolled up yet: no difference, the roll-up comes to them
    dead_letters: int
    differences: list[Difference]
    wrong_batches: list[WrongBatch]

    @property
    def is_equal(self) -> bool:
        return not self.differences and not self.wrong_batches


class Stretch(NamedTuple):
    """The hours and days that begin from `since` on and before `until`."""

    since: datetime
    until: datetime


def audit(
    *,
    organization_id: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    follow: Callable[[Sequence[Stretch]], Iterable[Stretch]] = iter,
) -> Audit:
    """Compare the hours and days that begin from `since` on and before `until` with their requests; all if not told.

    follow: goes through the stretches of time, one by one, and may show how far it is.
    """
    owned = {} if organization_id is None else {"organization_id": organization_id}
    return Audit(
        requests=Request.objects.filter(**owned).count(),
        waiting=Batch.objects.filter(rolled_up_at=None).aggregate(rows=Sum("rows", default=0))["rows"],
        dead_letters=DeadLetter.objects.count(),
        differences=[
            difference
            for stretch in follow([*_stretches(since or BEGINNING, until or END)])
            for difference in _differences(organization_id, stretch)
        ],
        wrong_batches=_wrong_batches(),
    )


def _stretches(since: datetime, until: datetime) -> Iterator[Stretch]:
    """All the time, in pieces with so many requests as the days tell: were they wrong, it would only take longer."""
    days = DailyModel.objects.filter(day__gt=since, day__lt=until)
    requests = 0
    for day, more in days.values_list("day").annotate(Sum("requests")).order_by("day"):
        if requests and requests + more > AT_ONCE:
            yield Stretch(since, day)
            since, requests = day, 0
        requests += more
    yield Stretch(since, until)


@transaction.atomic
def _differences(organization_id: UUID | None, stretch: Stretch) -> list[Difference]:
    lock_name(LOCK)  # nobody adds to what is compared
    given = [("organization_id = %s", organization_id)] if organization_id else []
    where, values = _where([("{moment} >= %s", stretch.since), ("{moment} < %s", stretch.until), *given])
    last = END if stretch.until >= END - LONGEST_DAY else stretch.until + LONGEST_DAY
    asked, of_requests = _where([("started_at >= %s", stretch.since), ("started_at < %s", last), *given])
    with gathered_again(f"{asked} AND {IS_ROLLED_UP}", of_requests) as cursor:
        return [each for rollup in ROLLUPS for each in _of_rollup(cursor, rollup, where, values)]


def _where(given: Sequence[tuple[str, object]]) -> tuple[str, list[object]]:
    return " AND ".join(condition for condition, _ in given), [value for _, value in given]


def _of_rollup(cursor: CursorWrapper, rollup: Rollup, where: str, values: list[object]) -> Iterator[Difference]:
    """What is in one of both and not in the other, told by measure."""
    counted_where, kept_where = (
        f"{where} AND {IS_THERE}".format(moment=rollup.moment, table=table) for table in (rollup.source, rollup.table)
    )
    columns = ", ".join((*rollup.keys, *rollup.measures))
    query = f"""
        WITH counted AS ({sums(rollup, counted_where)}),
        kept AS (SELECT {columns} FROM {rollup.table} WHERE {kept_where})
        SELECT TRUE, only_counted.* FROM (TABLE counted EXCEPT ALL TABLE kept) AS only_counted
        UNION ALL
        SELECT FALSE, only_kept.* FROM (TABLE kept EXCEPT ALL TABLE counted) AS only_kept
        LIMIT {MOST_DIFFERENCES}
    """  # noqa: S608 constants of ours
    cursor.execute(query, values * 2)
    rows = cursor.fetchall()
    width = len(rollup.keys)
    counted = {row[1 : width + 1]: row[width + 1 :] for row in rows if row[0]}
    kept = {row[1 : width + 1]: row[width + 1 :] for row in rows if not row[0]}
    nothing = (None,) * len(rollup.measures)
    for key in dict.fromkeys((*counted, *kept)):
        named = dict(zip(rollup.keys, key, strict=True))
        both = zip(rollup.measures, counted.get(key, nothing), kept.get(key, nothing), strict=True)
        for measure, ours, theirs in both:
            if ours != theirs:
                yield Difference(rollup.table, named, measure, ours, theirs)


def _wrong_batches() -> list[WrongBatch]:
    query = """
        SELECT batch.id, batch.rows, count(request.id) AS there
        FROM usage_batch AS batch LEFT JOIN usage_request AS request
        ON batch_id = batch.id AND started_at BETWEEN first_started_at AND last_started_at
        WHERE first_started_at >= coalesce((SELECT since FROM usage_requestshorizon), '-infinity')
        GROUP BY batch.id HAVING batch.rows <> count(request.id) ORDER BY batch.id
    """
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [WrongBatch(*row) for row in cursor.fetchall()]
