"""Where a customer stands in the period of its plan: what it used so far, and what is left of what is included."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import uuid4

from apps.billing.allowances import include
from apps.billing.charges import ChargeLine, Kind, period_charges
from apps.billing.invoicing.billed import billed_before
from apps.billing.invoicing.days import Wanted
from apps.billing.invoicing.plans import Billed, served_of, terms_of
from apps.billing.models import CreditLot, Subscription
from apps.billing.money import ZERO, summed
from apps.billing.parties import per_dollar
from apps.billing.periods import Period
from apps.billing.queries.simulation import usage_of
from apps.billing.queries.subscriptions import period_of
from apps.billing.services.included import allowance_key

SO_FAR = (Kind.USAGE, Kind.CHARGE, Kind.ALLOWANCE)


@dataclass(frozen=True)
class IncludedUnits:
    """Tokens or requests that the period includes, those left from the one before with them."""

    name: str
    metric: str
    there: Decimal
    used: Decimal

    @property
    def left(self) -> Decimal:
        return self.there - self.used


@dataclass(frozen=True)
class Standing:
    """Of a subscription, in the period that it is in. Amounts are in the plan's currency; credit is in USD."""

    subscription: Subscription
    period: Period
    lines: tuple[ChargeLine, ...]  # of usage, and of what of it is included
    units: tuple[IncludedUnits, ...]
    credit: CreditLot | None  # the money that the period includes

    @property
    def so_far(self) -> Decimal:
        """What the usage comes to, exactly: before credit, discounts, taxes and commitments."""
        return summed(line.amount for line in self.lines)

    @property
    def credit_used(self) -> Decimal:
        return self.credit.amount - self.credit.remaining if self.credit else ZERO


def standing_of(subscription: Subscription, at: datetime) -> Standing:
    """Of one that is live. Raises NotConfigured where its currency has no exchange rate."""
    customer, version = subscription.customer, subscription.version
    terms, served, period = terms_of(version), served_of(subscription), period_of(subscription, at)
    part = served.part_of(period) or period
    usage = usage_of(customer, part).models
    rolled = _billed(subscription, period).rolled
    rate = per_dollar(customer.organization, version.currency, period.first)
    charges = period_charges(terms, usage, period, served, per_dollar=rate, rolled=rolled)
    allowances = include(terms.free, usage, period.share(part), rolled).allowances
    return Standing(
        subscription,
        period,
        tuple(line for line in charges.lines if line.kind in SO_FAR and line.quantity),
        tuple(IncludedUnits(each.name, each.metric, each.quantity + each.rolled, each.used) for each in allowances),
        CreditLot.objects.filter(wallet__customer=customer, key=allowance_key(subscription, period)).first(),
    )


def _billed(subscription: Subscription, period: Period) -> Billed:
    wanted = Wanted(uuid4(), subscription.customer_id, period.since_at, period.until_at)
    return billed_before([wanted]).get(wanted.invoice_id, Billed())
