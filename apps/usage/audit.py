"""The proof that requests and roll-ups say the same: every measure of every hour and day, counted again."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Sum

from apps.usage.gathering import gathering
from apps.usage.measures import IS_ROLLED_UP, ROLLUPS, Rollup, sums
from apps.usage.models import Batch, DeadLetter, Request

MOST_DIFFERENCES = 10_000  # are enough to see that something is wrong

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


def audit(
    *, organization_id: UUID | None = None, since: datetime | None = None, until: datetime | None = None
) -> Audit:
    """Compare the hours and days that begin from `since` on and before `until` with their requests; all if not told."""
    given = [("organization_id = %s", organization_id), ("{moment} >= %s", since), ("{moment} < %s", until)]
    wanted = [(condition, value) for condition, value in given if value is not None]
    where = " AND ".join(["TRUE", *(condition for condition, _ in wanted)])
    values = [value for _, value in wanted]
    owned = {} if organization_id is None else {"organization_id": organization_id}
    return Audit(
        requests=Request.objects.filter(**owned).count(),
        waiting=Batch.objects.filter(rolled_up_at=None).aggregate(rows=Sum("rows", default=0))["rows"],
        dead_letters=DeadLetter.objects.count(),
        differences=[
            each for rollup in ROLLUPS for each in _differences(rollup, where.format(moment=rollup.moment), values)
        ],
        wrong_batches=_wrong_batches(),
    )


def _differences(rollup: Rollup, period: str, values: list[object]) -> Iterator[Difference]:
    """What is in one of both and not in the other, told by measure."""
    counted_where, kept_where = (
        f"{period} AND {IS_THERE}".format(moment=rollup.moment, table=table) for table in (rollup.source, rollup.table)
    )
    columns = ", ".join((*rollup.keys, *rollup.measures))
    query = f"""
        {gathering(IS_ROLLED_UP)},
        counted AS ({sums(rollup, counted_where)}),
        kept AS (SELECT {columns} FROM {rollup.table} WHERE {kept_where})
        SELECT TRUE, only_counted.* FROM (TABLE counted EXCEPT ALL TABLE kept) AS only_counted
        UNION ALL
        SELECT FALSE, only_kept.* FROM (TABLE kept EXCEPT ALL TABLE counted) AS only_kept
        LIMIT {MOST_DIFFERENCES}
    """  # noqa: S608 constants of ours
    with connection.cursor() as cursor:
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
        SELECT batch.id, batch.rows, (
            SELECT count(*) FROM usage_request
            WHERE batch_id = batch.id AND started_at BETWEEN batch.first_started_at AND batch.last_started_at
        ) AS there
        FROM usage_batch AS batch
        WHERE first_started_at >= coalesce((SELECT since FROM usage_requestshorizon), '-infinity')
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({query}) AS counted WHERE rows <> there ORDER BY id")  # noqa: S608 ours
        return [WrongBatch(*row) for row in cursor.fetchall()]
