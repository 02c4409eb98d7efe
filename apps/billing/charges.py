"""What a subscription costs in a period: fee, usage by requests or by tiers, what is included, commitments. Pure.

`period_charges` is what invoices are built from and what the simulator shows: exact lines, not rounded yet (see
totals.py), before discounts and taxes.

    fee         of this period where it was not billed in advance, or not all of it, or too much; of the next one
                in advance
    usage       of each model at the price of its requests, but for models that a charge covers
    charge      of all usage that it covers, by its tiers; its own minimum and maximum
    allowance   what is included: taken off again at the price it had, or left out of a charge's quantity
    credit      what was paid from prepaid credit
    minimum     what is missing to the plan's commitment: fee and usage count, however they are paid

Source of the rules: BILLING.md 2.2 and 2.7; docs/plans.md tells them to operators.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from apps.billing.allowances import Included, include
from apps.billing.commitments import over_maximum, true_up
from apps.billing.discounts import Discount
from apps.billing.measured import Usage, quantity_of
from apps.billing.money import ZERO, Exact, precise, summed
from apps.billing.periods import Period
from apps.billing.terms import Charge, Terms

NOTHING: Mapping[str, Decimal] = MappingProxyType({})


class Kind(StrEnum):
    """Of a line: the same as of an invoice's."""

    FEE = "fee"
    USAGE = "usage"
    CHARGE = "charge"
    ALLOWANCE = "allowance"
    CREDIT = "credit"
    MINIMUM = "minimum"
    DISCOUNT = "discount"


@dataclass(frozen=True)
class ChargeLine:
    """One thing that is charged; below zero: taken off. `amount` is exact, in the plan's currency.

    service: the days that it is for. quantity, unit, unit_price: as an invoice shows them, where there are
    such. details: how it was computed, ready for JSON.
    """

    kind: Kind
    name: str  # of the plan, the model, the charge or the allowance
    amount: Decimal
    service: Period
    quantity: Decimal | None = None
    unit: str = ""
    unit_price: Decimal | None = None
    usage: Usage | None = None  # of a line of usage: what it is for
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PeriodCharges:
    """The lines of a period, and the discounts on them, in the order in which both are counted.

    left: of allowances that roll over, by name: what the next period has on top.
    """

    lines: tuple[ChargeLine, ...]
    discounts: tuple[Discount, ...]
    left: Mapping[str, Decimal]

    @property
    def total(self) -> Decimal:
        """Of all lines, exactly, before discounts and taxes."""
        return summed(line.amount for line in self.lines)


@dataclass(frozen=True)
class Served:
    """Of what days a subscription is: from `first` up to, not including, `until`; None: it has no end yet.

    fee_from: the first day that is charged a fee, after a trial; None: there is none.
    """

    first: date
    until: date | None = None
    fee_from: date | None = None

    def part_of(self, period: Period) -> Period | None:
        """What of a period it is for."""
        return period.overlap(self.first, self.until)

    def fee_share(self, period: Period) -> Fraction:
        """What of a period's fee is owed, by days of the whole period."""
        return period.share(period.overlap(max(self.first, self.fee_from or self.first), self.until))


def period_charges(
    terms: Terms,
    usage: Sequence[Usage],
    period: Period,
    served: Served,
    *,
    following: Period | None = None,
    fee_billed: Exact = 0,
    next_fee_billed: Exact = 0,
    paid_from_credit: Exact = 0,
    per_dollar: Exact = 1,
    rolled: Mapping[str, Decimal] = NOTHING,
    coupons: Sequence[Discount] = (),
) -> PeriodCharges:
    """What a subscription costs in `period`, once that is over (or so far).

    usage: of the days that the subscription has of it. following: the next period, if its fee is due already
    in advance. fee_billed, next_fee_billed: what of each one's fee is on earlier invoices; only what lacks is
    charged, and what is too much is taken back, so that a change or an end needs nothing else. paid_from_credit:
    USD, of this usage. per_dollar: what a dollar is in the plan's currency. rolled: what allowances have on top,
    by name. coupons: those that hold in this period.
    """
    part = served.part_of(period)
    if part is None:
        lines = [_fee(terms, period, Fraction(0), fee_billed)]
        return PeriodCharges(tuple(line for line in lines if line), _discounts(terms, coupons), {})
    included = include(terms.free, usage, period.share(part), rolled)
    of_usage = [
        *_usage_lines(terms, usage, part, Fraction(per_dollar)),
        *_charge_lines(terms, usage, included, period, part, Fraction(per_dollar)),
        *_allowance_lines(terms, usage, included, part, Fraction(per_dollar)),
    ]
    used = summed(line.amount for line in of_usage)
    fee = Fraction(terms.fee) * served.fee_share(period)
    lines = [
        _fee(terms, period, served.fee_share(period), fee_billed),
        _fee_in_advance(terms, following, served, next_fee_billed),
        *of_usage,
        _credit(used, precise(Fraction(paid_from_credit) * Fraction(per_dollar)), part),
        _minimum(terms, period, served, fee + Fraction(used), part),
    ]
    left = {each.name: each.left for each in included.allowances if each.rolls_over}
    return PeriodCharges(tuple(line for line in lines if line), _discounts(terms, coupons), left)


def opening_charges(terms: Terms, period: Period, served: Served, *, fee_billed: Exact = 0) -> ChargeLine | None:
    """The fee that is due when a subscription begins: of its first period, in advance. None: nothing is."""
    if not terms.is_in_advance:
        return None
    return _fee(terms, period, served.fee_share(period), fee_billed)


def _fee(terms: Terms, period: Period, share: Fraction, billed: Exact) -> ChargeLine | None:
    """What lacks of a period's fee; below zero: what was billed too much."""
    amount = precise(Fraction(terms.fee) * share - Fraction(billed))
    if not amount:
        return None
    days = share * period.days
    details = {"days": int(days), "of": period.days, "billed": str(precise(billed))}
    return ChargeLine(Kind.FEE, terms.name, amount, period, Decimal(1), terms.interval, terms.fee, details=details)


def _fee_in_advance(terms: Terms, following: Period | None, served: Served, billed: Exact) -> ChargeLine | None:
    if following is None or not terms.is_in_advance or served.part_of(following) is None:
        return None
    return _fee(terms, following, served.fee_share(following), billed)


def _usage_lines(terms: Terms, usage: Iterable[Usage], part: Period, per_dollar: Fraction) -> Iterable[ChargeLine]:
    """Models that no charge covers, at the price that their requests had."""
    for used in usage:
        if _is_covered(terms, used):
            continue
        details = {"usd": str(used.price), "per_dollar": str(precise(per_dollar))}
        yield ChargeLine(
            Kind.USAGE,
            used.model,
            precise(Fraction(used.price) * per_dollar),
            part,
            Decimal(used.all_tokens),
            "tokens",
            usage=used,
            details=details,
        )


def _charge_lines(
    terms: Terms, usage: Sequence[Usage], included: Included, period: Period, part: Period, per_dollar: Fraction
) -> Iterable[ChargeLine]:
    for charge in terms.charges:
        quantity, gross = _counted(charge, usage, included)
        amount = charge.tariff.price_of(quantity)
        details = {
            "metric": charge.metric.value,
            "models": charge.models,
            "mode": charge.tariff.mode.value,
            "used": str(precise(gross)),
            "included": str(precise(gross - quantity)),
            "tiers": [str(each) for each in charge.tariff.parts(quantity)],
        }
        if gross or amount:
            yield ChargeLine(
                Kind.CHARGE, charge.name, amount, part, precise(quantity), charge.metric.value, details=details
            )
        yield from _bounds(charge, amount, period.share(part), part)


def _bounds(charge: Charge, amount: Decimal, share: Fraction, part: Period) -> Iterable[ChargeLine]:
    """A charge's own least and most, each in a line, so that what was used stays to be seen."""
    if charge.minimum and (missing := true_up(charge.minimum, amount, share=share)):
        yield ChargeLine(Kind.MINIMUM, charge.name, missing, part, details={"minimum": str(charge.minimum)})
    if charge.maximum is not None and (over := over_maximum(charge.maximum, amount, share=share)):
        yield ChargeLine(Kind.DISCOUNT, charge.name, -over, part, details={"maximum": str(charge.maximum)})


def _counted(charge: Charge, usage: Sequence[Usage], included: Included) -> tuple[Fraction, Fraction]:
    """What a charge is for: without what is included, and with it."""
    quantity = gross = Fraction()
    for index, used in enumerate(usage):
        if charge.covers(used.model):
            count = Fraction(quantity_of(used, charge.metric))
            gross += count
            quantity += count * (1 - included.shares[index])
    return quantity, gross


def _allowance_lines(
    terms: Terms, usage: Sequence[Usage], included: Included, part: Period, per_dollar: Fraction
) -> Iterable[ChargeLine]:
    """What was included of usage that has lines of its own: each allowance takes off what it covered of them."""
    for allowance in included.allowances:
        amount = Fraction()
        for used, share in zip(usage, allowance.shares, strict=True):
            if not _is_covered(terms, used):
                amount += Fraction(used.price) * per_dollar * share
        details = {
            "included": str(allowance.quantity),
            "rolled": str(allowance.rolled),
            "used": str(allowance.used),
            "left": str(allowance.left),
        }
        if allowance.used or allowance.rolls_over:
            yield ChargeLine(
                Kind.ALLOWANCE,
                allowance.name,
                -precise(amount),
                part,
                allowance.used,
                allowance.metric.value,
                details=details,
            )


def _credit(used: Decimal, paid: Decimal, part: Period) -> ChargeLine | None:
    """Never more than usage comes to: credit pays for nothing else."""
    amount = min(paid, max(used, ZERO))
    return ChargeLine(Kind.CREDIT, "", -amount, part) if amount else None


def _minimum(terms: Terms, period: Period, served: Served, counted: Fraction, part: Period) -> ChargeLine | None:
    share = served.fee_share(period)  # a trial commits to nothing
    missing = true_up(terms.minimum, counted, share=share)
    if not missing:
        return None
    details = {"minimum": str(precise(Fraction(terms.minimum) * share)), "counted": str(precise(counted))}
    return ChargeLine(Kind.MINIMUM, terms.name, missing, part, details=details)


def _discounts(terms: Terms, coupons: Sequence[Discount]) -> tuple[Discount, ...]:
    own = (Discount(terms.name, percent=terms.discount_percent),) if terms.discount_percent else ()
    return (*own, *coupons)


def _is_covered(terms: Terms, used: Usage) -> bool:
    return any(charge.covers(used.model) for charge in terms.charges)
