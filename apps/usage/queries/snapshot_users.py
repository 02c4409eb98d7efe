"""The users' table as a snapshot has it: in any order, searched and paged, without adding anything up again."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection
from django.db.models import Aggregate, Count, F, QuerySet, TextField, Window

from apps.usage.histograms import COUNT, SHIFT, milliseconds
from apps.usage.models import Snapshot, SnapshotOrder, SnapshotUser
from apps.usage.queries.figures import Figures, Scope, figure_sums
from apps.usage.queries.latency import Percentiles
from apps.usage.queries.users import (
    AT_ONCE,
    EVERYBODY,
    ORDERS,
    ExportedUser,
    UserFilter,
    UserKey,
    UserPage,
    UserRow,
    growth,
    order_name,
)

FIGURES = tuple(name.removeprefix("sum_") for name in figure_sums())
ANSWERED = "(sum_requests - sum_refused)"
ERRORS = "(sum_failed + sum_unfinished)"
TOKENS = "(sum_input_tokens + sum_output_tokens)"
PRICED = f"({ANSWERED} - sum_unfinished - sum_unpriced)"
DERIVED = {  # as `measured` has them, of sums that are there
    "answered": ANSWERED,
    "errors": ERRORS,
    "error_rate": f"{ERRORS}::float8 / nullif({ANSWERED}, 0)",
    "tokens": TOKENS,
    "tokens_per_request": f"{TOKENS}::float8 / nullif({ANSWERED}, 0)",
    "margin": "sum_price - sum_cost",
    "cost_per_request": f"sum_cost / nullif({PRICED}, 0)",
    "price_per_request": f"sum_price / nullif({PRICED}, 0)",
    "average_latency_ms": f"sum_latency_ms::float8 / nullif({ANSWERED} - sum_unfinished, 0)",
    "average_first_token_ms": "sum_first_token_ms::float8 / nullif(sum_first_tokens, 0)",
    "growth": "grown",
    "active_days": "cardinality(days)",
    "requests_per_active_day": f"{ANSWERED}::float8 / cardinality(days)",
}
ORDERED_BY = {  # other than by the column of the name
    "user": "end_user",
    "customer": "customer__name",
    "latency_p50_ms": "latency_p50",
    "latency_p95_ms": "latency_p95",
}
NOT_SORTED = frozenset(("answered", "errors", "tokens", "average_latency_ms", "average_first_token_ms"))  # on no page
SORTED = tuple(f"{sign}{name}" for name in sorted(ORDERS - NOT_SORTED) for sign in ("", "-"))
MADE = ("snapshot_id", "number", "customer_id", "end_user", *FIGURES, *DERIVED, "days", "on_days")
VALUES = ", ".join((*(f"sum_{name}" for name in FIGURES), *DERIVED.values()))
# A few elements of each user: sorting them one user after the other takes half as long as all together.
STORE = f"""
INSERT INTO usage_snapshotuser ({", ".join(MADE)}, latency_p50, latency_p95, latency_p99, timed)
SELECT %s, row_number() OVER (ORDER BY end_user, customer_id), customer_id, end_user, {VALUES},
    days, on_days, p50, p95, p99, coalesce(timed, 0)
FROM ({{found}}) AS found, LATERAL (
    SELECT array_agg(on_day - date '0001-01-01' + 1 ORDER BY on_day) AS days, array_agg(n ORDER BY on_day) AS on_days
    FROM (
        SELECT (day AT TIME ZONE %s)::date AS on_day, sum(n)::bigint AS n
        FROM unnest(all_days, on_all_days) AS each (day, n) GROUP BY 1
    ) AS each
) AS worked, LATERAL (
    SELECT min(everything) AS timed,
        min(bucket) FILTER (WHERE upto >= greatest(1, ceil(0.5 * everything))) AS p50,
        min(bucket) FILTER (WHERE upto >= greatest(1, ceil(0.95 * everything))) AS p95,
        min(bucket) FILTER (WHERE upto >= greatest(1, ceil(0.99 * everything))) AS p99
    FROM (
        SELECT bucket, sum(n) OVER () AS everything, sum(n) OVER (ORDER BY bucket) AS upto
        FROM (
            SELECT c >> {SHIFT} AS bucket, c & {COUNT} AS n FROM unnest(string_to_array(counts, ',')::bigint[]) AS c
        ) AS each
    ) AS running
) AS times
"""  # noqa: S608 constants of ours
SORT = 'INSERT INTO usage_snapshotorder (snapshot_id, "order", numbers) SELECT %s, %s, ARRAY({numbers})'


class Listed(Aggregate):
    """All elements of arrays, as text: what is put together so takes no longer than it is long."""

    template = "string_agg(nullif(array_to_string(%(expressions)s, ','), ''), ',')"
    output_field = TextField()


def store_users(snapshot: Snapshot, scope: Scope, narrowed: UserFilter, zone: ZoneInfo) -> int:
    """Put the users of whole days into a snapshot; returns how many they are."""
    rows = narrowed.rows(scope).values("customer_id", "end_user")
    found = rows.annotate(
        **figure_sums(),
        grown=growth(scope),
        all_days=ArrayAgg("day"),
        on_all_days=ArrayAgg("requests"),
        counts=Listed("latencies"),
    )
    sql, values = found.order_by().query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(STORE.format(found=sql), [snapshot.pk, *values, zone.key])
        stored = int(cursor.rowcount)
        for order in SORTED:
            numbers = _ordered(snapshot, narrowed, order).values_list("number", flat=True)
            sql, values = numbers.query.sql_with_params()
            cursor.execute(SORT.format(numbers=sql), [snapshot.pk, order, *values])
    return stored


def users_of(
    snapshot: Snapshot,
    *,
    order: str = "-cost",
    narrowed: UserFilter = EVERYBODY,
    limit: int = 50,
    offset: int = 0,
) -> UserPage:
    """As `users`; of `narrowed`, the property is the snapshot's own."""
    numbers = None if _conditions(narrowed) else _sorted(snapshot, order, limit, offset)
    total = snapshot.users
    if numbers is None:
        found = _ordered(snapshot, narrowed, order)
        # Counted beside the page: on its own, either has PostgreSQL read the users of all snapshots.
        page = list(found.annotate(users=Window(Count("*"))).values_list("number", "users")[offset : offset + limit])
        total = page[0][1] if page else (found.count() if offset else 0)
        numbers = [number for number, _ in page]
    rows = {row.number: row for row in SnapshotUser.objects.filter(snapshot=snapshot, number__in=numbers)}
    return UserPage([_row(rows[number]) for number in numbers], total)


def _sorted(snapshot: Snapshot, order: str, limit: int, offset: int) -> list[int] | None:
    """A page of all, if they were put into this order when the snapshot was taken."""
    slice_ = f"numbers__{offset}_{offset + limit}"
    return SnapshotOrder.objects.filter(snapshot=snapshot, order=order).values_list(slice_, flat=True).first()


def every_user_of(
    snapshot: Snapshot, *, order: str = "-cost", narrowed: UserFilter = EVERYBODY
) -> Iterator[ExportedUser]:
    """As `every_user`."""
    for each in _ordered(snapshot, narrowed, order).iterator(chunk_size=AT_ONCE):
        yield ExportedUser(_key(each), _figures(each), each.active_days, _latency(each))


def _conditions(narrowed: UserFilter) -> dict[str, Any]:
    asked = {
        "end_user__icontains": narrowed.search or None,
        "cost__gte": narrowed.min_cost,
        "price__gte": narrowed.min_price,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _ordered(snapshot: Snapshot, narrowed: UserFilter, order: str) -> QuerySet[SnapshotUser]:
    """Equals come by name and customer."""
    rows = SnapshotUser.objects.filter(snapshot=snapshot, **_conditions(narrowed))
    name = order.removeprefix("-")
    if name not in ORDERS:
        raise ValueError(f"no such order: {order_name(name)}")
    by = F(ORDERED_BY.get(name, name))
    first = by.desc(nulls_last=True) if order.startswith("-") else by.asc(nulls_last=True)
    return rows.order_by(first, "number")


def _row(each: SnapshotUser) -> UserRow:
    days = tuple(zip(map(date.fromordinal, each.days), each.on_days, strict=True))
    return UserRow(_key(each), _figures(each), days, _latency(each))


def _key(each: SnapshotUser) -> UserKey:
    return UserKey(each.customer_id, each.end_user)


def _figures(each: SnapshotUser) -> Figures:
    return Figures(**{name: getattr(each, name) for name in FIGURES})


def _latency(each: SnapshotUser) -> Percentiles:
    p50, p95, p99 = (
        None if bucket is None else milliseconds(bucket)
        for bucket in (each.latency_p50, each.latency_p95, each.latency_p99)
    )
    return Percentiles(p50, p95, p99, each.timed)
