"""What is earned: prices and subscription fees, less what that costs; by user, customer, model and plan.

Of a customer's own point of view, what it costs is the price that it pays, and what it earns are its users' fees.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Func, Q, Sum, TextField

from apps.customers.plan_fees import Fees
from apps.usage.queries.figures import Figures, Scope, figure_sums
from apps.usage.queries.groups import COLUMNS, Dimension
from apps.usage.queries.measures import measured
from apps.usage.queries.users import UserKey

NOTHING = Decimal(0)
FEW = 5  # requests, below which an operation is no rule
Whose = TypeVar("Whose")


@dataclass(frozen=True)
class Profit(Generic[Whose]):
    """What somebody or something brought. All in USD."""

    whose: Whose
    price: Decimal
    cost: Decimal
    fee: Decimal = NOTHING
    is_operators: bool = True

    @property
    def profit(self) -> Decimal:
        return self.price + self.fee - self.cost if self.is_operators else self.fee - self.price


class Plan(NamedTuple):
    """A value of a property: who is on it, what they use, what they bring."""

    value: str
    users: int
    figures: Figures
    fee: Decimal | None  # USD a month and user; None: none is set
    paid: Decimal  # the fees of all its users in the range
    profit: Decimal

    @property
    def cost_per_user(self) -> Decimal | None:
        return self.figures.cost / self.users if self.users else None

    @property
    def price_per_user(self) -> Decimal | None:
        return self.figures.price / self.users if self.users else None


class Operation(NamedTuple):
    """The calls of a user to a model."""

    key: UserKey
    model: str
    requests: int
    cost: Decimal | None  # of a request, on average
    price: Decimal | None
    latency_ms: float | None  # on average


def plans(scope: Scope, name: str, *, fees: Fees, months: Decimal, is_operator: bool, most: int = 50) -> list[Plan]:
    """Each value of the property, the dearest first. A user with two values is on both plans.

    months: that the range is long, in parts of a month by its days, for which fees are paid.
    """
    user = Func(F("customer_id"), F("end_user"), function="ROW", output_field=TextField())
    users = Count(user, distinct=True, filter=Q(end_user__isnull=False))
    rows = scope.property_rows(name).values("value")
    rows = rows.annotate(**figure_sums(), users=users).order_by("-sum_cost", "value")
    found = []
    for row in rows[:most]:
        figures, fee = Figures.of(row), fees.get((name.lower(), row["value"]))
        paid = (fee or NOTHING) * row["users"] * months
        earned = Profit(None, figures.price, figures.cost, paid, is_operator)
        found.append(Plan(row["value"], row["users"], figures, fee, paid, earned.profit))
    return found


def profits_by(
    scope: Scope, dimension: Dimension, fees: dict[UUID, Decimal] | None = None
) -> list[Profit[UUID | str | None]]:
    """Of every customer, model or the like, the most profitable first. fees: what each paid besides, in the range."""
    fees = fees or {}
    rows = scope.sum_rows(dimension).values(group=F(COLUMNS[dimension])).annotate(paid=Sum("price"), costs=Sum("cost"))
    found = [
        Profit(row["group"], row["paid"], row["costs"], _fee(fees, row["group"]))
        for row in rows.order_by("-paid", "group")
    ]
    return sorted(found, key=lambda each: -each.profit)


def profits_of_users(
    scope: Scope, *, fees: Fees, months: Decimal, is_operator: bool, most: int
) -> tuple[list[Profit[UserKey]], list[Profit[UserKey]]]:
    """The users who bring most, and those who bring least. Requests that name nobody are nobody's.

    A user pays the fee of the value that its calls had last, of each property that there are fees for.
    """
    users = scope.sum_rows("user").exclude(end_user=None).order_by().values_list("customer_id", "end_user")
    sums, sum_values = users.annotate(price=Sum("price"), cost=Sum("cost")).query.sql_with_params()
    properties = scope.all_property_rows().filter(name__in={name for name, _ in fees}).exclude(end_user=None)
    columns = ("customer_id", "end_user", "name", "value", "last_at")
    kept, kept_values = properties.order_by().values_list(*columns).query.sql_with_params() if fees else (NO_ROWS, ())
    earned = "price + fee - cost" if is_operator else "fee - price"
    sql = PROFITS.format(sums=sums, kept=kept, earned=earned)
    listed: Iterable[tuple[Any, ...]] = [(name, value, fee * months) for (name, value), fee in fees.items()]
    names, values, amounts = zip(*listed, strict=True) if fees else ((), (), ())
    with connection.cursor() as cursor:
        cursor.execute(sql, [*sum_values, *kept_values, list(names), list(values), list(map(str, amounts)), most, most])
        rows = cursor.fetchall()

    def told(wanted: bool) -> list[Profit[UserKey]]:
        return [Profit(UserKey(*row[1:3]), *row[3:], is_operator) for row in rows if row[0] == wanted]

    return told(False), told(True)


NO_ROWS = "SELECT NULL::uuid, NULL::text, NULL::text, NULL::text, NULL::timestamptz WHERE FALSE"
PROFITS = """
WITH used (customer_id, end_user, price, cost) AS ({sums}),
kept (customer_id, end_user, name, value, last_at) AS ({kept}),
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
    FROM used LEFT JOIN paid USING (customer_id, end_user)
)
(SELECT FALSE, * FROM earned ORDER BY {earned} DESC, end_user, customer_id LIMIT %s)
UNION ALL
(SELECT TRUE, * FROM earned ORDER BY {earned} ASC, end_user, customer_id LIMIT %s)
"""


def operations(scope: Scope, *, is_operator: bool, most: int = 10) -> tuple[list[Operation], list[Operation]]:
    """The slowest calls of users to models, and the dearest: those that cost the operator, or its customer, most."""
    model = "model" if is_operator else "sold_as"
    rows = scope.sum_rows("user").values("customer_id", "end_user", called=F(model))
    rows = rows.annotate(
        answered=measured("answered"),
        cost_each=measured("cost_per_request"),
        price_each=measured("price_per_request"),
        latency=measured("average_latency_ms"),
    ).filter(answered__gte=FEW)
    sql, values = rows.order_by().query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            OPERATIONS.format(each=sql, dear="cost_each" if is_operator else "price_each"), [*values, most, most]
        )
        found = cursor.fetchall()

    def told(wanted: bool) -> list[Operation]:
        return [
            Operation(UserKey(*row[1:3]), row[3], int(row[4]), *row[5:7], None if row[7] is None else float(row[7]))
            for row in found
            if row[0] == wanted
        ]

    return told(False), told(True)


OPERATIONS = """
WITH each (customer_id, end_user, called, answered, cost_each, price_each, latency) AS MATERIALIZED ({each})
(SELECT FALSE, * FROM each ORDER BY latency DESC NULLS LAST, end_user, customer_id, called LIMIT %s)
UNION ALL
(SELECT TRUE, * FROM each ORDER BY {dear} DESC NULLS LAST, end_user, customer_id, called LIMIT %s)
"""


def _fee(fees: dict[UUID, Decimal], value: UUID | str | None) -> Decimal:
    return fees.get(value, NOTHING) if isinstance(value, UUID) else NOTHING
