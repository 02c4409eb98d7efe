"""The questions people come with, on one page: who brings what, what a plan costs, what is slow or dear."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.customers.plan_fees import plan_fees
from apps.usage.queries import Scope, property_names
from apps.usage.queries.groups import properties_used
from apps.usage.queries.profits import Operation, Plan, Profit, operations, plans, profits_by, profits_of_users
from apps.usage.queries.users import UserKey, UserRow, users
from apps.usage.ranges import PeriodChoice, Range, chosen_range

TOP = 8
ENDS = 5  # of the most, and of the least profitable
OPERATIONS = 6
USUAL = "plan"  # the property that is shown where nobody chose

UrlOf = Callable[[UserKey], str]


class Earner(NamedTuple):
    """A row of a table of profits."""

    label: str | None
    note: str  # of which customer
    url: str
    earned: Profit[Any]


@dataclass(frozen=True)
class Earners:
    """The most profitable, and the least; `between` is how many are in neither."""

    best: list[Earner]
    worst: list[Earner]


class TopUser(NamedTuple):
    """A user of this month."""

    row: UserRow
    customer: str
    url: str


class NamedOperation(NamedTuple):
    """An operation with its links."""

    operation: Operation
    customer: str
    url: str


@dataclass(frozen=True)
class Insights:
    """Everything that the page shows."""

    chosen: Range
    periods: list[PeriodChoice]
    top_users: list[TopUser]
    user_total: int
    users: Earners
    customers: Earners | None  # None: of the portal
    models: Earners | None
    properties: list[str]
    property: str | None  # that is chosen; None: there are none
    plans: list[Plan]
    slow: list[NamedOperation]
    dear: list[NamedOperation]


class PlanFeeForm(forms.Form):
    """What each user on a plan pays a month. Empty: nothing."""

    name = forms.CharField(max_length=128)
    value = forms.CharField(max_length=512, strip=False)
    monthly_fee = forms.DecimalField(
        label=_("Fee"), required=False, min_value=0, max_digits=24, decimal_places=12, max_value=10**9
    )


def insights(
    asked: QueryDict,
    organization: Organization,
    customer: Customer | None,
    *,
    at: datetime,
    user_url: UrlOf,
    customer_url: Callable[[Any], str] | None = None,
) -> Insights:
    """customer: whose portal it is, which sees its own users' fees less what it pays; None: the operator's view."""
    chosen = chosen_range(asked.dict(), at, ZoneInfo(organization.time_zone))
    scope = Scope(organization.pk, *chosen.period, customer_id=customer.pk if customer else None)
    is_operator = customer is None
    names = dict(organization.customers.values_list("pk", "name")) if is_operator else {}
    fees = plan_fees(organization, customer)
    terms = {"fees": fees, "months": chosen.months, "is_operator": is_operator}
    properties = property_names(organization) if is_operator else properties_used(scope)
    name = _chosen_property(asked.get("name"), properties)
    top = users(scope, chosen.zone, order="-cost" if is_operator else "-price", limit=TOP)

    def named(key: UserKey) -> str:
        return names.get(key.customer_id, "")

    def of_users(is_worst: bool) -> list[Earner]:
        found = profits_of_users(scope, is_worst=is_worst, most=ENDS, **terms)  # type: ignore[arg-type]
        return [Earner(each.whose.end_user, named(each.whose), user_url(each.whose), each) for each in found]

    def of_operations(order: str) -> list[NamedOperation]:
        found = operations(scope, is_operator=is_operator, order=order, most=OPERATIONS)
        return [NamedOperation(each, named(each.key), user_url(each.key)) for each in found]

    best, worst = of_users(False), of_users(True)
    return Insights(
        chosen,
        chosen.choices({"name": name} if name else {}),
        [TopUser(row, named(row.key), user_url(row.key)) for row in top.rows],
        top.total,
        Earners(best, [each for each in worst if each.earned.whose not in {other.earned.whose for other in best}]),
        _customers(scope, organization, chosen, names, customer_url) if customer_url else None,
        _models(scope) if is_operator else None,
        properties,
        name,
        plans(scope, name, **terms) if name else [],  # type: ignore[arg-type]
        of_operations("average_latency_ms"),
        of_operations("cost_per_request" if is_operator else "price_per_request"),
    )


def _models(scope: Scope) -> Earners:
    """Those that anything was charged for."""
    found = [each for each in profits_by(scope, "model") if each.price or each.cost]
    return _ends([Earner(str(each.whose), "", "", each) for each in found])


def _customers(
    scope: Scope, organization: Organization, chosen: Range, names: dict[Any, str], url: Callable[[Any], str]
) -> Earners:
    """With their subscriptions; also those that pay one and called nothing."""
    fees = {
        pk: fee * chosen.months
        for pk, fee in organization.customers.exclude(monthly_fee=None).values_list("pk", "monthly_fee")
    }
    found = profits_by(scope, "customer", fees)
    missing = fees.keys() - {each.whose for each in found}
    found += [Profit(pk, Decimal(0), Decimal(0), fees[pk]) for pk in missing]
    found.sort(key=lambda each: (-each.profit, names.get(each.whose, "")))
    return _ends([Earner(names.get(each.whose, ""), "", url(each.whose), each) for each in found])


def _ends(earners: Sequence[Earner]) -> Earners:
    """The first and the last; the least profitable first among the last."""
    return Earners(list(earners[:ENDS]), list(reversed(earners[ENDS:][-ENDS:])))


def _chosen_property(wanted: str | None, properties: Sequence[str]) -> str | None:
    by_name = {name.lower(): name for name in properties}
    return by_name.get((wanted or "").lower()) or by_name.get(USUAL) or next(iter(properties), None)
