"""How users are spread: how many make so many requests, or cost so much. With the far ones cut off, on request."""

from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Any, Literal

from django.db import connection
from django.db.models import QuerySet

from apps.usage.models import Snapshot, SnapshotUser
from apps.usage.queries.figures import Scope
from apps.usage.queries.measures import measured

Spread = Literal["requests", "cost", "price"]
CUTS = {"all": (0.0, 1.0), "p99": (0.0, 0.99), "p95": (0.0, 0.95), "p75": (0.0, 0.75), "middle": (0.25, 0.75)}
BINS = 20

SQL = """
WITH each (customer_id, end_user, measure) AS ({users}),
ends AS (
    SELECT percentile_disc(%s) WITHIN GROUP (ORDER BY measure) AS low,
           percentile_disc(%s) WITHIN GROUP (ORDER BY measure) AS high,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY measure) AS median
    FROM each
)
SELECT measure, count(*), min(low), min(high), min(median) FROM each CROSS JOIN ends GROUP BY measure ORDER BY measure
"""


@dataclass(frozen=True)
class Bin:
    """Users whose figure is from `low` on, and below `high`; of the last one also those at it."""

    low: Decimal
    high: Decimal
    users: int


@dataclass(frozen=True)
class Distribution:
    """Equally wide bins over those users that are within the cut."""

    bins: list[Bin]
    users: int  # within the cut
    left_out: int  # outside it
    median: Decimal | None  # of all; None: there is nobody


NOBODY = Distribution([], 0, 0, None)


def distribution(scope: Scope, spread: Spread, cut: str = "all") -> Distribution:
    """How the users of the scope are spread by a figure. Requests that name nobody are nobody's.

    cut: one of CUTS: up to a percentile of the users, or the middle half of them. Bins of requests are whole.
    """
    users = scope.sum_rows("user").exclude(end_user=None).order_by().values_list("customer_id", "end_user")
    return _spread(users.annotate(measure=measured(spread)), spread, cut)


def distribution_of(snapshot: Snapshot, spread: Spread, cut: str = "all") -> Distribution:
    """The same of the users of a snapshot."""
    users = SnapshotUser.objects.filter(snapshot=snapshot).exclude(end_user=None)
    return _spread(users.values_list("customer_id", "end_user", spread), spread, cut)


def _spread(users: QuerySet[Any, Any], spread: Spread, cut: str) -> Distribution:
    query, values = users.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(SQL.format(users=query), [*values, *CUTS[cut]])
        rows = cursor.fetchall()
    if not rows:
        return NOBODY
    low, high, median = (Decimal(end) for end in rows[0][2:])
    counts = [(Decimal(measure), users) for measure, users, *_ in rows]
    within = [(measure, users) for measure, users in counts if low <= measure <= high]
    inside = sum(users for _, users in within)
    everybody = sum(users for _, users in counts)
    return Distribution(_bins(within, low, high, spread == "requests"), inside, everybody - inside, median)


def _bins(within: list[tuple[Decimal, int]], low: Decimal, high: Decimal, is_whole: bool) -> list[Bin]:
    if low == high:
        return [Bin(low, high, sum(users for _, users in within))]
    width = (high - low) / BINS
    if is_whole:
        width = Decimal(max(1, ceil((high - low + 1) / BINS)))
    number = ceil((high - low + (1 if is_whole else 0)) / width)
    counts = [0] * number
    for measure, users in within:
        counts[min(number - 1, int((measure - low) / width))] += users
    return [Bin(low + place * width, low + (place + 1) * width, users) for place, users in enumerate(counts)]
