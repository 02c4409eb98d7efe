"""What a customer's month would have cost on a plan: the same sums as an invoice's, of usage that was."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db.models import F, Sum

from apps.billing.charges import PeriodCharges, Served, period_charges
from apps.billing.invoicing.plans import terms_of
from apps.billing.measured import Usage
from apps.billing.models import PlanVersion
from apps.billing.money import ZERO, converted, precise, summed
from apps.billing.parties import per_dollar
from apps.billing.periods import Period, day_of, months_later, period_on
from apps.billing.totals import Line, Totals, total_up
from apps.customers.models import Customer
from apps.usage.models import TOKEN_KINDS, DailyTotal


@dataclass(frozen=True)
class Used:
    """Usage of a month: by model, and what it cost the operator, in USD. Cost is not for customers' eyes."""

    models: tuple[Usage, ...]
    cost: Decimal

    @property
    def price(self) -> Decimal:
        """What its requests were priced at, in USD."""
        return summed(each.price for each in self.models)


@dataclass(frozen=True)
class Simulation:
    """A month on a plan, before tax. Amounts are in the plan's currency."""

    version: PlanVersion
    month: Period
    charges: PeriodCharges
    totals: Totals
    priced: Decimal  # what the requests were priced at one by one
    cost: Decimal  # what they cost the operator

    @property
    def margin(self) -> Decimal:
        return self.totals.total - self.cost

    @property
    def difference(self) -> Decimal:
        """To the requests' own prices; above zero: the plan brings more."""
        return self.totals.total - self.priced


def month_of(day: date, zone_name: str) -> Period:
    """The calendar month that the day is in."""
    first = day.replace(day=1)
    return Period(first, months_later(first, 1), zone_name)


def last_month(at: datetime, zone_name: str) -> Period:
    """The last one that is over."""
    return month_of(months_later(day_of(at, zone_name).replace(day=1), -1), zone_name)


def usage_of(customer: Customer, period: Period) -> Used:
    """What the customer used in these days, by model as it knows it."""
    rows = DailyTotal.objects.filter(
        organization=customer.organization_id,
        customer_id=customer.pk,
        day__gte=period.since_at,
        day__lt=period.until_at,
    )
    sums = {name: Sum(f"{name}_tokens") for name in TOKEN_KINDS}
    found = rows.values("sold_as").annotate(calls=Sum(F("requests") - F("refused")), paid=Sum("price"), **sums)
    cost = rows.aggregate(cost=Sum("cost"))["cost"] or ZERO
    return Used(tuple(_usage(row) for row in found.order_by("-paid", "sold_as") if row["calls"]), cost)


def simulate(customer: Customer, version: PlanVersion, month: Period, used: Used) -> Simulation:
    """The month's usage on this plan. A fee is by the days of the month, where the plan's periods are longer.

    Money that is included pays for usage; coupons and tax are left out. Raises NotConfigured where the plan's
    currency has no exchange rate.
    """
    terms = replace(terms_of(version), is_in_advance=False)
    whole = period_on(terms.cycle(month.first, month.zone_name), month.first)
    rate = per_dollar(customer.organization, version.currency, month.first)
    part = min(whole.until, month.until)
    share = whole.share(whole.overlap(month.first, part))
    charges = period_charges(
        terms,
        used.models,
        whole,
        Served(month.first, part),
        per_dollar=rate,
        paid_from_credit=precise(Fraction(version.allowance) * share / Fraction(rate)),
    )
    totals = total_up([Line(line.amount) for line in charges.lines], version.currency, discounts=charges.discounts)
    return Simulation(version, month, charges, totals, converted(used.price, rate), converted(used.cost, rate))


def _usage(row: Mapping[str, Any]) -> Usage:
    tokens = {kind: row[kind] for kind in TOKEN_KINDS if row[kind]}
    return Usage(row["sold_as"], row["calls"], tokens, row["paid"])
