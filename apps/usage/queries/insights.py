"""What the page of insights shows, before anything has its name: a few lines out of all users, customers and models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from apps.customers.models import Customer, PlanFee
from apps.customers.plan_fees import Fees
from apps.usage.queries.crowd import crowd
from apps.usage.queries.figures import Scope
from apps.usage.queries.profits import Plan, Profit, earners, plans, profits_by
from apps.usage.queries.users import UserKey, UserRow, user_rows
from apps.usage.queries.values import Operation, Values, values_of

TOP = 8
ENDS = 5  # of the most, and of the least profitable
OPERATIONS = 6
USUAL = "plan"  # the property that is shown where nobody chose
NOTHING = Decimal(0)
Whose = TypeVar("Whose")


@dataclass(frozen=True)
class Terms:
    """What is paid besides, and what a month of it is."""

    fees: Fees
    subscriptions: Mapping[UUID, Decimal]  # of customers, USD a month
    months: Decimal  # that the days are long

    @property
    def digest(self) -> str:
        told = sorted((*key, str(fee)) for key, fee in self.fees.items())
        others = sorted((str(key), str(fee)) for key, fee in self.subscriptions.items())
        return sha256(repr((told, others, str(self.months))).encode()).hexdigest()


@dataclass(frozen=True)
class Answers:
    """The most profitable and the least are without each other; the portal has no customers and no models."""

    top_users: list[UserRow]
    user_total: int
    best_users: list[Profit[UserKey]]
    worst_users: list[Profit[UserKey]]
    best_customers: list[Profit[UUID]]
    worst_customers: list[Profit[UUID]]
    best_models: list[Profit[str]]
    worst_models: list[Profit[str]]
    plans: list[Plan]
    slow: list[Operation]  # of users with models
    dear: list[Operation]
    slow_values: list[Operation]  # of users with values of the property
    dear_values: list[Operation]

    def as_text(self) -> str:
        return msgspec.json.encode(self).decode()


def answers_of(text: str) -> Answers:
    """What `Answers.as_text` told."""
    return msgspec.json.decode(text, type=Answers)


def terms_of(organization_id: UUID, customer_id: UUID | None, months: Decimal) -> Terms:
    """The operator's, with its customers' subscriptions; or a customer's own."""
    fees = PlanFee.objects.filter(organization=organization_id, customer=customer_id)
    paid = {(row.name, row.value): row.monthly_fee for row in fees}
    if customer_id is not None:
        return Terms(paid, {}, months)
    paying = Customer.objects.filter(organization=organization_id).exclude(monthly_fee=None)
    return Terms(paid, {pk: fee or NOTHING for pk, fee in paying.values_list("pk", "monthly_fee")}, months)


def usual_property(names: Sequence[str], wanted: str | None = None) -> str | None:
    """The one that is meant, of these: `wanted`, else plans, else any. None: there are none."""
    by_name = {name.lower(): name for name in names}
    return by_name.get((wanted or "").lower()) or by_name.get(USUAL) or next(iter(names), None)


def answers(scope: Scope, zone: ZoneInfo, terms: Terms, *, name: str | None) -> Answers:
    """name: of the property whose values are plans. A scope of one customer is answered as it sees it."""
    is_operator = scope.customer_id is None
    of_users = {"fees": terms.fees, "months": terms.months, "is_operator": is_operator}
    values = Values([], [], [])
    if name:
        values = values_of(scope, name, is_operator=is_operator, operations=OPERATIONS)
    found = crowd(scope, top=TOP, ends=ENDS, operations=OPERATIONS, **of_users)  # type: ignore[arg-type]
    best, worst = (earners(each, is_operator=is_operator) for each in (found.best, found.worst))
    shown = {each.whose for each in best}
    customers = _ends(profits_of_customers(scope, terms)) if is_operator else ([], [])
    models = _ends(_models(scope)) if is_operator else ([], [])
    return Answers(
        user_rows(scope, zone, found.top),
        found.users,
        best,
        [each for each in worst if each.whose not in shown],
        *customers,
        *models,
        plans(scope, name, found=values.values, **of_users) if name else [],  # type: ignore[arg-type]
        found.slow,
        found.dear,
        values.slow,
        values.dear,
    )


def _models(scope: Scope) -> list[Profit[str]]:
    """Those that anything was charged for."""
    return [each for each in profits_by(scope, "model") if each.price or each.cost]  # type: ignore[misc]


def profits_of_customers(scope: Scope, terms: Terms) -> list[Profit[UUID]]:
    """The most profitable first, with their subscriptions; also those that pay one and called nothing."""
    paying = terms.subscriptions.items()
    fees = {pk: fee * terms.months for pk, fee in paying if scope.customer_id in (None, pk)}
    found: list[Profit[UUID]] = profits_by(scope, "customer", fees)  # type: ignore[assignment]
    missing = fees.keys() - {each.whose for each in found}
    found += [Profit(pk, NOTHING, NOTHING, fees[pk]) for pk in missing]
    names = dict(Customer.objects.filter(organization=scope.organization_id).values_list("pk", "name"))
    return sorted(found, key=lambda each: (-each.profit, names.get(each.whose, "")))


def _ends(earners: Sequence[Profit[Whose]]) -> tuple[list[Profit[Whose]], list[Profit[Whose]]]:
    """The first and the last; the least profitable first among the last."""
    return list(earners[:ENDS]), list(reversed(earners[ENDS:][-ENDS:]))
