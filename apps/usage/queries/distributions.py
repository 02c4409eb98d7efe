"""How users are spread: how many make so many requests, or cost so much. With the far ones cut off, on request."""

from bisect import bisect_left
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from math import ceil
from typing import Any, Literal, get_args

import msgspec
from django.db import connection
from django.db.models import QuerySet

from apps.usage.models import Snapshot, SnapshotUser
from apps.usage.queries.figures import Scope
from apps.usage.queries.measures import measured

Spread = Literal["requests", "cost", "price"]
SPREADS: tuple[Spread, ...] = get_args(Spread)
Counts = list[tuple[Decimal, int]]  # of a figure, how many users have it; in order
CUTS = {"all": (0.0, 1.0), "p99": (0.0, 0.99), "p95": (0.0, 0.95), "p75": (0.0, 0.75), "middle": (0.25, 0.75)}
BINS = 20


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
    return _cut(_counts(users.annotate(measure=measured(spread))), spread, cut)


def every_distribution(snapshot: Snapshot) -> str:
    """All of them of the users of a snapshot, as text for it to keep."""
    users = SnapshotUser.objects.filter(snapshot=snapshot).exclude(end_user=None).order_by()
    found: dict[str, Distribution] = {}
    for spread in SPREADS:
        counts = _counts(users.values_list("customer_id", "end_user", spread))
        found |= {f"{spread} {cut}": _cut(counts, spread, cut) for cut in CUTS}
    return msgspec.json.encode(found).decode()


def distribution_of(snapshot: Snapshot, spread: Spread, cut: str = "all") -> Distribution:
    """One of those that a snapshot keeps."""
    return msgspec.json.decode(snapshot.answer, type=dict[str, Distribution])[f"{spread} {cut}"]


def _counts(users: QuerySet[Any, Any]) -> Counts:
    query, values = users.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT measure, count(*) FROM (" + query + ") AS each (customer_id, end_user, measure) "  # noqa: S608 ours
            "GROUP BY measure ORDER BY measure",
            values,
        )
        return [(Decimal(measure), users) for measure, users in cursor.fetchall()]


def _cut(counts: Counts, spread: Spread, cut: str) -> Distribution:
    if not counts:
        return NOBODY
    low, high, median = (_percentile(counts, share) for share in (*CUTS[cut], 0.5))
    within = [(measure, users) for measure, users in counts if low <= measure <= high]
    inside = sum(users for _, users in within)
    everybody = sum(users for _, users in counts)
    return Distribution(_bins(within, low, high, spread == "requests"), inside, everybody - inside, median)


def _percentile(counts: Counts, share: float) -> Decimal:
    """By nearest rank: the figure of a user, not one between two."""
    upto = list(accumulate(users for _, users in counts))
    return counts[bisect_left(upto, max(1, ceil(share * upto[-1])))][0]


def _bins(within: Counts, low: Decimal, high: Decimal, is_whole: bool) -> list[Bin]:
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
