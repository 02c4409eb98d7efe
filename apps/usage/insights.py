"""The questions people come with, on one page: who brings what, what a plan costs, what is slow or dear."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.usage.queries import Scope, property_names
from apps.usage.queries.groups import properties_used
from apps.usage.queries.insights import Answers, answers, answers_of, terms_of, usual_property
from apps.usage.queries.profits import Plan, Profit
from apps.usage.queries.users import UserKey, UserRow
from apps.usage.queries.values import Operation
from apps.usage.ranges import PeriodChoice, Range, chosen_range
from apps.usage.snapshots import Asked, kept_if_slow, snapshot_to_show

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

    @property
    def have_fees(self) -> bool:
        return any(each.earned.fee for each in (*self.best, *self.worst))


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
    slow_values: list[NamedOperation]  # of the property
    dear_values: list[NamedOperation]
    as_of: datetime | None  # in the organization's zone; None: as of now


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
    names = {} if customer else dict(organization.customers.values_list("pk", "name"))
    properties = properties_used(scope) if customer else property_names(organization)
    name = usual_property(properties, asked.get("name"))
    found, as_of = _found(chosen, scope, name, at)

    def named(key: UserKey) -> str:
        return names.get(key.customer_id, "")

    def of_users(profits: Sequence[Profit[UserKey]]) -> list[Earner]:
        return [Earner(each.whose.end_user, named(each.whose), user_url(each.whose), each) for each in profits]

    def of_customers(profits: Sequence[Profit[UUID]], url: Callable[[Any], str]) -> list[Earner]:
        return [Earner(names.get(each.whose, ""), "", url(each.whose), each) for each in profits]

    def of_models(profits: Sequence[Profit[str]]) -> list[Earner]:
        return [Earner(each.whose, "", "", each) for each in profits]

    def of_operations(operations: Sequence[Operation]) -> list[NamedOperation]:
        return [NamedOperation(each, named(each.key), user_url(each.key)) for each in operations]

    return Insights(
        chosen,
        chosen.choices({"name": name} if name else {}),
        [TopUser(row, named(row.key), user_url(row.key)) for row in found.top_users],
        found.user_total,
        Earners(of_users(found.best_users), of_users(found.worst_users)),
        Earners(of_customers(found.best_customers, customer_url), of_customers(found.worst_customers, customer_url))
        if customer_url
        else None,
        None if customer else Earners(of_models(found.best_models), of_models(found.worst_models)),
        properties,
        name,
        found.plans,
        of_operations(found.slow),
        of_operations(found.dear),
        of_operations(found.slow_values),
        of_operations(found.dear_values),
        as_of,
    )


def _found(chosen: Range, scope: Scope, name: str | None, at: datetime) -> tuple[Answers, datetime | None]:
    """The answers, and as of when; None: as of now."""
    terms = terms_of(scope.organization_id, scope.customer_id, chosen.months)
    asked = Asked(
        scope.organization_id,
        *chosen.as_asked,
        customer_id=scope.customer_id,
        kind="insights",
        name=name,
        terms=terms.digest,
    )
    if snapshot := snapshot_to_show(asked, at=at):
        return answers_of(snapshot.answer), snapshot.as_of_in(chosen.zone)
    with kept_if_slow(asked):
        return answers(scope, chosen.zone, terms, name=name), None
