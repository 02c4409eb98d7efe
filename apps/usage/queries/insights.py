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
from apps.usage.queries.figures import Scope
from apps.usage.queries.profits import Operation, Plan, Profit, operations, plans, profits_by, profits_of_users
from apps.usage.queries.users import UserKey, UserRow, users

TOP = 8
ENDS = 5  # of the most, and of the least profitable
OPERATIONS = 6
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
    slow: list[Operation]
    dear: list[Operation]

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


def answers(scope: Scope, zone: ZoneInfo, terms: Terms, *, name: str | None) -> Answers:
    """name: of the property whose values are plans. A scope of one customer is answered as it sees it."""
    is_operator = scope.customer_id is None
    of_users = {"fees": terms.fees, "months": terms.months, "is_operator": is_operator}
    top = users(scope, zone, order="-cost" if is_operator else "-price", limit=TOP)
    best, worst = profits_of_users(scope, most=ENDS, **of_users)  # type: ignore[arg-type]
    shown = {each.whose for each in best}
    customers = _ends(_customers(scope, terms)) if is_operator else ([], [])
    models = _ends(_models(scope)) if is_operator else ([], [])
    return Answers(
        top.rows,
        top.total,
        best,
        [each for each in worst if each.whose not in shown],
        *customers,
        *models,
        plans(scope, name, **of_users) if name else [],  # type: ignore[arg-type]
        *operations(scope, is_operator=is_operator, most=OPERATIONS),
    )


def _models(scope: Scope) -> list[Profit[str]]:
    """Those that anything was charged for."""
    return [each for each in profits_by(scope, "model") if each.price or each.cost]  # type: ignore[misc]


def _customers(scope: Scope, terms: Terms) -> list[Profit[UUID]]:
    """With their subscriptions; also those that pay one and called nothing."""
    fees = {pk: fee * terms.months for pk, fee in terms.subscriptions.items()}
    found: list[Profit[UUID]] = profits_by(scope, "customer", fees)  # type: ignore[assignment]
    missing = fees.keys() - {each.whose for each in found}
    found += [Profit(pk, NOTHING, NOTHING, fees[pk]) for pk in missing]
    names = dict(Customer.objects.filter(organization=scope.organization_id).values_list("pk", "name"))
    return sorted(found, key=lambda each: (-each.profit, names.get(each.whose, "")))


def _ends(earners: Sequence[Profit[Whose]]) -> tuple[list[Profit[Whose]], list[Profit[Whose]]]:
    """The first and the last; the least profitable first among the last."""
    return list(earners[:ENDS]), list(reversed(earners[ENDS:][-ENDS:]))
