"""Taxes on an invoice's lines: on top of prices or within them, by several rates, or none and why. Pure.

Rounded once per rate on the invoice, or on each line where the law wants it; either way lines, rates and the
total agree with each other to the last cent. Source: BILLING.md 2.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from apps.billing.money import ZERO, round_together, rounded


class Treatment(StrEnum):
    EXCLUSIVE = "exclusive"  # added to the price
    INCLUSIVE = "inclusive"  # within the price
    REVERSE_CHARGE = "reverse_charge"  # owed by the customer: not charged, and the invoice says so
    EXEMPT = "exempt"  # none is owed


class Rounding(StrEnum):
    INVOICE = "invoice"
    LINE = "line"


CHARGED = (Treatment.EXCLUSIVE, Treatment.INCLUSIVE)


@dataclass(frozen=True, order=True)
class TaxRate:
    """A tax by its name and percentage, such as VAT 19."""

    name: str
    percent: Decimal


Rates = tuple[TaxRate, ...]


@dataclass(frozen=True)
class RateTotal:
    """What an invoice has of one rate: `base` is what is taxed, without the tax itself. In minor units."""

    rate: TaxRate
    base: int
    tax: int


@dataclass(frozen=True)
class Taxed:
    """Of each line, in their order: net, tax, and gross = net + tax. In minor units."""

    nets: tuple[int, ...]
    taxes: tuple[int, ...]
    rates: tuple[RateTotal, ...]

    @property
    def net(self) -> int:
        return sum(self.nets)

    @property
    def tax(self) -> int:
        return sum(self.taxes)

    @property
    def gross(self) -> int:
        return self.net + self.tax


def tax_lines(
    amounts: Sequence[int],
    rates: Sequence[Rates],
    treatment: Treatment = Treatment.EXCLUSIVE,
    rounding: Rounding = Rounding.INVOICE,
) -> Taxed:
    """The taxes of lines, of which each has its own rates (none: not taxed).

    amounts: in minor units, discounts taken off; gross ones with INCLUSIVE, else net. With REVERSE_CHARGE
    and EXEMPT nothing is added or taken out; the rates are still told, with what they would be charged on.
    """
    by_rate = {rate: _tax_of(rate, amounts, rates, treatment, rounding) for rate in _known(rates)}
    taxes = [sum(column) for column in zip(*by_rate.values(), strict=True)] or [0] * len(amounts)
    is_within = treatment is Treatment.INCLUSIVE
    nets = [amount - tax if is_within else amount for amount, tax in zip(amounts, taxes, strict=True)]
    totals = [
        RateTotal(rate, sum(net for net, each in zip(nets, rates, strict=True) if rate in each), sum(by_line))
        for rate, by_line in by_rate.items()
    ]
    return Taxed(tuple(nets), tuple(taxes), tuple(totals))


def _known(rates: Sequence[Rates]) -> list[TaxRate]:
    """Each rate once, in the order in which lines name them."""
    return list(dict.fromkeys(rate for each in rates for rate in each))


def _tax_of(
    rate: TaxRate, amounts: Sequence[int], rates: Sequence[Rates], treatment: Treatment, rounding: Rounding
) -> list[int]:
    """What one rate comes to on each line: rounded there, or together and then split."""
    exact = [_exactly(rate, amount, each, treatment) for amount, each in zip(amounts, rates, strict=True)]
    if rounding is Rounding.LINE:
        return [int(rounded(tax, 0)) for tax in exact]
    return round_together(exact)


def _exactly(rate: TaxRate, amount: int, rates: Rates, treatment: Treatment) -> Fraction:
    if rate not in rates or treatment not in CHARGED:
        return Fraction()
    whole = 100 + sum((each.percent for each in rates), ZERO) if treatment is Treatment.INCLUSIVE else 100
    return amount * Fraction(rate.percent) / Fraction(whole)
