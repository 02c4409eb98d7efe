"""What is taken off an invoice's lines, before tax. Pure; amounts in minor units, as lines have them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from apps.billing.money import allocate, rounded, to_minor


@dataclass(frozen=True)
class Discount:
    """Either so many percent, or an amount (in the invoice's currency).

    periods: for how many billing periods, from the first that it holds in; None: for all.
    """

    name: str
    percent: Decimal | None = None
    amount: Decimal | None = None
    periods: int | None = None

    def __post_init__(self) -> None:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("A discount is a percentage or an amount.")
        if not 0 <= (self.percent or 0) <= 100 or (self.amount or 0) < 0:
            raise ValueError("A discount is not below 0, and not above 100 percent.")

    def is_live(self, period: int) -> bool:
        """Whether it holds in a period; 0 is the first one in which it does."""
        return period >= 0 and (self.periods is None or period < self.periods)


@dataclass(frozen=True)
class Taken:
    """What one discount takes off, in minor units: of each line, above zero."""

    discount: Discount
    by_line: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.by_line)


def take_off(discounts: Sequence[Discount], lines: Sequence[int], currency: str) -> list[Taken]:
    """What each discount takes off, one after another: each from what those before it have left.

    lines: what they come to, in minor units. Those below zero, such as what credit paid, make what is to be
    discounted less, and bear nothing of it. No discount takes a line or the sum below zero, or is rounded
    twice: its own sum is, once, and is then split over the lines by what they come to.
    """
    left = [max(line, 0) for line in lines]
    base = max(sum(lines), 0)
    taken = []
    for discount in discounts:
        worth = _worth(discount, base, currency)
        by_line = allocate(worth, left)
        taken.append(Taken(discount, tuple(by_line)))
        left = [line - off for line, off in zip(left, by_line, strict=True)]
        base -= worth
    return taken


def _worth(discount: Discount, base: int, currency: str) -> int:
    if discount.percent is not None:
        return int(rounded(Fraction(base) * Fraction(discount.percent) / 100, 0))
    return min(to_minor(discount.amount or 0, currency), base)
