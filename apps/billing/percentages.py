"""Percentages of amounts: markups, discounts before them, fees on each event with a least and a most.

Pure and exact: 2.9 % of 4 is 0.116, which becomes cents only in an invoice's total. Source: BILLING.md 2.2.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from apps.billing.money import ZERO, Exact, precise


@dataclass(frozen=True)
class Rate:
    """So many percent, plus `fixed` for each event; `least` and `most` hold for each, the fixed part included."""

    percent: Decimal
    fixed: Decimal = ZERO
    least: Decimal | None = None
    most: Decimal | None = None

    def of_each(self, amounts: Iterable[Exact]) -> Decimal:
        """Of events one by one."""
        return precise(sum((self._of(Fraction(amount)) for amount in amounts), Fraction()))

    def of_all(self, amount: Exact, *, events: int = 0, free: Exact = 0) -> Decimal:
        """Of many events together, of which `events` are not free, nor the amount above `free`: no bounds then."""
        charged = max(Fraction(amount) - Fraction(free), Fraction())
        return precise(percent_of(charged, self.percent) + events * Fraction(self.fixed))

    def _of(self, amount: Fraction) -> Fraction:
        fee = percent_of(amount, self.percent) + Fraction(self.fixed)
        if self.least is not None:
            fee = max(fee, Fraction(self.least))
        return fee if self.most is None else min(fee, Fraction(self.most))


def percent_of(amount: Exact, percent: Exact) -> Fraction:
    return Fraction(amount) * Fraction(percent) / 100


def marked_up(cost: Exact, *, markup_percent: Exact = 0, fixed: Exact = 0, discount_percent: Exact = 0) -> Decimal:
    """The price of what costs `cost`: the discount is taken off first, the markup goes on what is left of it."""
    discounted = Fraction(cost) - percent_of(cost, discount_percent)
    return precise(discounted + percent_of(discounted, markup_percent) + Fraction(fixed))
