"""What is earned: prices and subscription fees, less what that costs; by user, customer, model and plan.

Of a customer's own point of view, what it costs is the price that it pays, and what it earns are its users' fees.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from django.db.models import F, Sum

from apps.customers.plan_fees import Fees
from apps.usage.queries.crowd import Amount, Earned, crowd
from apps.usage.queries.figures import Figures, Scope
from apps.usage.queries.groups import COLUMNS, Dimension
from apps.usage.queries.latency import Percentiles, latency_of_values
from apps.usage.queries.users import UserKey
from apps.usage.queries.values import Operation, Value, values_of

NOTHING = Decimal(0)
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
    latency: Percentiles = Percentiles()  # known of whole days

    @property
    def cost_per_user(self) -> Decimal | None:
        return self.figures.cost / self.users if self.users else None

    @property
    def price_per_user(self) -> Decimal | None:
        return self.figures.price / self.users if self.users else None


def plans(
    scope: Scope, name: str, *, fees: Fees, months: Decimal, is_operator: bool, found: Iterable[Value] | None = None
) -> list[Plan]:
    """Each value of the property, the dearest first. A user with two values is on both plans.

    months: that the range is long, in parts of a month by its days, for which fees are paid.
    found: what `values_of` told of the property, where that is known already.
    """
    values = values_of(scope, name, is_operator=is_operator).values if found is None else list(found)
    times = latency_of_values(scope, name, [each.value for each in values]) if values else {}
    told = []
    for value, users, figures in values:
        fee = fees.get((name.lower(), value))
        paid = (fee or NOTHING) * users * months
        earned = Profit(None, figures.price, figures.cost, paid, is_operator)
        told.append(Plan(value, users, figures, fee, paid, earned.profit, times.get(value, Percentiles())))
    return told


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
    """The users who bring most, and those who bring least. Requests that name nobody are nobody's."""
    found = crowd(scope, is_operator=is_operator, fees=fees, months=months, ends=most)
    return earners(found.best, is_operator=is_operator), earners(found.worst, is_operator=is_operator)


def earners(found: Iterable[Earned], *, is_operator: bool) -> list[Profit[UserKey]]:
    """What was earned by users, as profits."""
    return [Profit(each.key, each.price, each.cost, each.fee, is_operator) for each in found]


def operations(
    scope: Scope, *, is_operator: bool, most: int = 10, dear_by: Amount | None = None
) -> tuple[list[Operation], list[Operation]]:
    """The slowest calls of users to models, and the dearest.

    dear_by: None: those that cost the operator, or its customer, most.
    """
    found = crowd(scope, is_operator=is_operator, fees={}, months=NOTHING, operations=most, dear_by=dear_by)
    return found.slow, found.dear


def _fee(fees: dict[UUID, Decimal], value: UUID | str | None) -> Decimal:
    return fees.get(value, NOTHING) if isinstance(value, UUID) else NOTHING
