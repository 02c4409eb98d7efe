"""The values of a property: what each comes to, for how many users, and whose calls with one are slow or dear.

One pass over the rows: they are summed by value and user first, which is hashed; counting users of sorted rows took
most of the time of the page that asks for it.
"""

from collections.abc import Collection
from decimal import Decimal
from typing import Any, NamedTuple, Self

from django.db import connection

from apps.usage.queries.figures import Figures, Scope, figure_sums
from apps.usage.queries.users import UserKey

FEW = 5  # requests, below which an operation is no rule
NAMES = tuple(figure_sums())
AMOUNTS = ("sum_cost", "sum_price")
EXTREMES = {"sum_first_at": "min", "sum_last_at": "max"}
ANSWERED = "(sum_requests - sum_refused)"
PRICED = f"nullif({ANSWERED} - sum_unfinished - sum_unpriced, 0)"
LATENCY = f"sum_latency_ms / nullif({ANSWERED} - sum_unfinished, 0)"
NOBODY, VALUE, SLOW, DEAR = "NULL::uuid, NULL::text", 0, 1, 2


class Operation(NamedTuple):
    """The calls of a user to a model, or with a value of a property."""

    key: UserKey
    model: str  # or the value
    requests: int  # that were let in
    cost: Decimal | None  # of a request, on average
    price: Decimal | None
    latency_ms: float | None  # on average

    @classmethod
    def of(cls, key: UserKey, name: str, figures: Figures) -> Self:
        """From the figures of those calls."""
        means = figures.cost_per_request, figures.price_per_request, figures.average_latency_ms
        return cls(key, name, figures.answered, *means)


class Value(NamedTuple):
    """A value with the figures of all requests that had it."""

    value: str
    users: int
    figures: Figures


class Values(NamedTuple):
    """The dearest values; the slowest of their operations, and those that cost most each."""

    values: list[Value]
    slow: list[Operation]
    dear: list[Operation]


def _summed(name: str) -> str:
    if name in EXTREMES:
        return f"{EXTREMES[name]}({name})"
    return f"sum({name})" if name in AMOUNTS else f"sum({name})::bigint"


SUMMED = ", ".join(map(_summed, NAMES))
PLAIN = ", ".join(name if name in (*AMOUNTS, *EXTREMES) else f"{name}::bigint" for name in NAMES)
SQL = f"""
WITH each AS MATERIALIZED ({{each}})
(
    SELECT {VALUE}, value, {NOBODY}, count(*) FILTER (WHERE end_user IS NOT NULL), {SUMMED}
    FROM each GROUP BY value ORDER BY sum(sum_cost) DESC, value LIMIT %s
) UNION ALL (
    SELECT {SLOW}, value, customer_id, end_user, 1, {PLAIN} FROM each WHERE {ANSWERED} >= {FEW}
    ORDER BY {LATENCY} DESC NULLS LAST, end_user, customer_id, value LIMIT %s
) UNION ALL (
    SELECT {DEAR}, value, customer_id, end_user, 1, {PLAIN} FROM each WHERE {ANSWERED} >= {FEW}
    ORDER BY {{dear}} / {PRICED} DESC NULLS LAST, end_user, customer_id, value LIMIT %s
)
"""  # noqa: S608 constants of ours


def values_of(scope: Scope, name: str, *, is_operator: bool, most: int = 50, operations: int = 0) -> Values:
    """Each value of the property, the dearest first. A user with two values is counted with both.

    is_operator: what is dear costs the operator most, else its customer. operations: how many of each kind.
    """
    rows = scope.property_rows(name).order_by().values("value", "customer_id", "end_user")
    each, values = rows.annotate(**figure_sums()).query.sql_with_params()
    dear = "sum_cost" if is_operator else "sum_price"
    with connection.cursor() as cursor:
        cursor.execute(SQL.format(each=each, dear=dear), [*values, most, operations, operations])
        found = cursor.fetchall()
    kinds: dict[int, list[Any]] = {VALUE: [], SLOW: [], DEAR: []}
    for kind, value, customer_id, end_user, users, *sums in found:
        figures = Figures.of(dict(zip(NAMES, sums, strict=True)))
        if kind == VALUE:
            kinds[kind].append(Value(value, users, figures))
        else:
            kinds[kind].append(Operation.of(UserKey(customer_id, end_user), value, figures))
    return Values(kinds[VALUE], kinds[SLOW], kinds[DEAR])


def users_of_values(scope: Scope, name: str, values: Collection[str]) -> dict[str, int]:
    """How many users each of these values has; of one that only requests without a user have, it isn't there."""
    if not values:
        return {}
    named = scope.property_rows(name).filter(value__in=values).exclude(end_user=None).order_by()
    query, told = named.values_list("value", "customer_id", "end_user").distinct().query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT value, count(*) FROM ({query}) AS each GROUP BY value", told)  # noqa: S608 ours
        return dict(cursor.fetchall())
