"""How much a wallet is topped up with by itself. Pure. Source: BILLING.md 2.5."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor

from apps.billing.money import ZERO, Exact, round_half_away


@dataclass(frozen=True)
class TopUpRule:
    """Below `threshold`, or at it: packs of `size`, until there is more than that; or up to `target`.

    most: of one top-up in packs. monthly: of all top-ups of a month. least: of one up to a target.
    """

    threshold: Decimal
    size: Decimal | None = None
    target: Decimal | None = None
    most: Decimal | None = None
    least: Decimal = ZERO
    monthly: Decimal | None = None

    def __post_init__(self) -> None:
        if (self.size is None) == (self.target is None):
            raise ValueError("Top up by packs of a size, or up to a target.")
        if self.size is not None and self.size <= 0:
            raise ValueError("A pack has to hold something.")
        if self.target is not None and self.target <= self.threshold:
            raise ValueError("The target has to be above the threshold.")


def top_up_amount(
    rule: TopUpRule, available: Exact, *, pending: Exact = 0, this_month: Exact = 0, currency: str
) -> Decimal:
    """What to top up with now, in whole minor units; 0: nothing.

    available: the balance, less what is held. pending: what is on its way, paid or given, and counts as if it
    were there. this_month: what this rule topped up with already.
    """
    there = Fraction(available) + Fraction(pending)
    if there > Fraction(rule.threshold):
        return ZERO
    amount = _in_packs(rule, there) if rule.size is not None else _to_target(rule, there)
    if rule.monthly is not None:
        amount = min(amount, max(Fraction(rule.monthly) - Fraction(this_month), Fraction()))
    return round_half_away(amount, currency)


def _in_packs(rule: TopUpRule, there: Fraction) -> Fraction:
    size = Fraction(rule.size or 0)
    packs = floor((Fraction(rule.threshold) - there) / size) + 1  # the last one brings it above the threshold
    return packs * size if rule.most is None else min(packs * size, Fraction(rule.most))


def _to_target(rule: TopUpRule, there: Fraction) -> Fraction:
    return max(Fraction(rule.target or 0) - there, Fraction(rule.least))
