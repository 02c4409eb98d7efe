"""How much a wallet is topped up with by itself. Pure. Source: BILLING.md 2.5."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor

from apps.billing.money import ZERO, Exact, round_half_away


@dataclass(frozen=True)
class TopUpRule:
    """Below `threshold`, or at it: packs of `size` (above 0), until there is more than that.

    monthly: the most of a month; None: no end.
    """

    threshold: Decimal
    size: Decimal
    monthly: Decimal | None = None


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
    size = Fraction(rule.size)
    amount = (
        floor((Fraction(rule.threshold) - there) / size) + 1
    ) * size  # the last pack brings it above the threshold
    if rule.monthly is not None:
        amount = min(amount, max(Fraction(rule.monthly) - Fraction(this_month), Fraction()))
    return round_half_away(amount, currency)
