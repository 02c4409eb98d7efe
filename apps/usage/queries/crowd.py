"""All users at once: who uses most, who brings most and least, whose calls are slow or dear.

One pass over the sums, which is what takes the time: they are summed by user and model, and by user out of that.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from django.db import connection
from django.db.models import F, Max, QuerySet, Sum, TextField, Value

from apps.customers.plan_fees import Fees
from apps.usage.queries.figures import Figures, Scope
from apps.usage.queries.users import UserKey
from apps.usage.queries.values import FEW, Operation

Amount = Literal["cost", "price"]
SUMMED = ("requests", "refused", "unfinished", "unpriced", "latency_ms", "cost", "price")
TOP, BEST, WORST, SLOW, DEAR = range(5)
ANSWERED = "(requests - refused)"
NO_ROWS = "SELECT NULL::uuid, NULL::text, NULL::text, NULL::text, NULL::timestamptz WHERE FALSE"
BY_NAME = "end_user, customer_id"
SQL = f"""
WITH each (customer_id, end_user, called, {", ".join(SUMMED)}) AS MATERIALIZED ({{each}}),
used AS MATERIALIZED (
    SELECT customer_id, end_user, sum(price) AS price, sum(cost) AS cost FROM each GROUP BY 1, 2
),
kept (customer_id, end_user, name, value, last_at) AS ({{kept}}),
plan AS (
    SELECT DISTINCT ON (customer_id, end_user, name) customer_id, end_user, name, value
    FROM kept ORDER BY customer_id, end_user, name, last_at DESC, value
),
paid AS (
    SELECT customer_id, end_user, sum(amount::numeric) AS fee
    FROM plan JOIN unnest(%s::text[], %s::text[], %s::text[]) AS fees (name, value, amount) USING (name, value)
    GROUP BY 1, 2
),
earned AS MATERIALIZED (
    SELECT used.customer_id, used.end_user, price, cost, coalesce(fee, 0) AS fee
    FROM used LEFT JOIN paid USING (customer_id, end_user) WHERE end_user IS NOT NULL
)
(
    SELECT {TOP}, customer_id, end_user, NULL::text, price, cost, count(*) OVER ()::numeric, NULL::bigint[]
    FROM used ORDER BY {{by}} DESC, {BY_NAME} LIMIT %s
) UNION ALL (
    SELECT {BEST}, customer_id, end_user, NULL, price, cost, fee, NULL
    FROM earned ORDER BY {{earned}} DESC, {BY_NAME} LIMIT %s
) UNION ALL (
    SELECT {WORST}, customer_id, end_user, NULL, price, cost, fee, NULL
    FROM earned ORDER BY {{earned}} ASC, {BY_NAME} LIMIT %s
) UNION ALL (
    SELECT {SLOW}, customer_id, end_user, called, price, cost, 0, {{counts}} FROM each WHERE {ANSWERED} >= {FEW}
    ORDER BY latency_ms / nullif({ANSWERED} - unfinished, 0) DESC NULLS LAST, {BY_NAME}, called LIMIT %s
) UNION ALL (
    SELECT {DEAR}, customer_id, end_user, called, price, cost, 0, {{counts}} FROM each WHERE {ANSWERED} >= {FEW}
    ORDER BY {{dear}} / nullif({ANSWERED} - unfinished - unpriced, 0) DESC NULLS LAST, {BY_NAME}, called LIMIT %s
)
"""  # noqa: S608 constants of ours
COUNTS = ("requests", "refused", "unfinished", "unpriced", "latency_ms")


@dataclass(frozen=True)
class Earned:
    """What a user brought: price, cost, and what it pays besides, in USD."""

    key: UserKey
    price: Decimal
    cost: Decimal
    fee: Decimal


@dataclass(frozen=True)
class Crowd:
    """As many of each as were asked for."""

    top: list[UserKey] = field(default_factory=list)
    users: int = 0  # how many there are; known where `top` was asked for
    best: list[Earned] = field(default_factory=list)
    worst: list[Earned] = field(default_factory=list)
    slow: list[Operation] = field(default_factory=list)
    dear: list[Operation] = field(default_factory=list)


def crowd(
    scope: Scope,
    *,
    is_operator: bool,
    fees: Fees,
    months: Decimal,
    top: int = 0,
    ends: int = 0,
    operations: int = 0,
    dear_by: Amount | None = None,
) -> Crowd:
    """top: the users who cost the operator, or its customer, most. ends: those who bring most, and least.

    A user pays the fee of the value that its calls had last, of each property that there are fees for. Requests that
    name nobody are a row among `top` and the operations, and earn nothing. dear_by: None: as `top` is ordered.
    """
    rows, each_values = _each(scope, "model" if is_operator else "sold_as", by_model=operations > 0)
    kept, kept_values = _last_values(scope, fees) if fees and ends else (NO_ROWS, ())
    by = "cost" if is_operator else "price"
    sql = SQL.format(
        each=rows,
        kept=kept,
        by=by,
        dear=dear_by or by,
        earned="price + fee - cost" if is_operator else "fee - price",
        counts=f"ARRAY[{', '.join(f'{name}::bigint' for name in COUNTS)}]",
    )
    listed: Iterable[tuple[Any, ...]] = [(name, value, fee * months) for (name, value), fee in fees.items()]
    names, values, amounts = zip(*listed, strict=True) if fees else ((), (), ())
    asked = [list(names), list(values), list(map(str, amounts)), top, ends, ends, operations, operations]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*each_values, *kept_values, *asked])
        return _crowd(cursor.fetchall())


def _each(scope: Scope, model: str, *, by_model: bool) -> tuple[str, tuple[Any, ...]]:
    called: Any = F(model) if by_model else Value("", TextField())
    rows: QuerySet[Any] = scope.sum_rows("user").order_by().values_list("customer_id", "end_user", called)
    sums = {f"sum_{name}": Sum(name) for name in SUMMED}
    return rows.annotate(**sums).query.sql_with_params()


def _last_values(scope: Scope, fees: Fees) -> tuple[str, tuple[Any, ...]]:
    """When each user last had each value of the properties that there are fees for."""
    rows = scope.all_property_rows().filter(name__in={name for name, _ in fees}).exclude(end_user=None).order_by()
    last = rows.values_list("customer_id", "end_user", "name", "value").annotate(last=Max("last_at"))
    return last.query.sql_with_params()


def _crowd(rows: Iterable[tuple[Any, ...]]) -> Crowd:
    found, users = Crowd(), 0
    for kind, customer_id, end_user, called, price, cost, number, counts in rows:
        key = UserKey(customer_id, end_user)
        if kind == TOP:
            found.top.append(key)
            users = int(number)
        elif kind in (BEST, WORST):
            (found.best if kind == BEST else found.worst).append(Earned(key, price, cost, number))
        else:
            figures = Figures(**dict(zip(COUNTS, counts, strict=True)), price=price, cost=cost)
            (found.slow if kind == SLOW else found.dear).append(Operation.of(key, called, figures))
    return Crowd(found.top, users, found.best, found.worst, found.slow, found.dear)
