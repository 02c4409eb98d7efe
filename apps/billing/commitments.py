"""The least and the most that a period costs, whatever is used. Pure. Source: BILLING.md 2.2."""

from decimal import Decimal
from fractions import Fraction

from apps.billing.money import ZERO, Exact, precise

WHOLE = Fraction(1)


def true_up(minimum: Exact, counted: Exact, *, share: Fraction = WHOLE, is_last: bool = True) -> Decimal:
    """What is missing to the least that was agreed on; nothing before the period's last invoice.

    counted: what counts towards it, all of the period: fees and usage, before tax. share: of a period of
    which only a part was served, by days; the minimum is then as much smaller.
    """
    if not is_last:
        return ZERO
    return precise(max(Fraction(minimum) * share - Fraction(counted), Fraction()))


def over_maximum(maximum: Exact, amount: Exact, *, billed: Exact = 0, share: Fraction = WHOLE) -> Decimal:
    """What of `amount` is above the most that was agreed on, and is taken off again: the gross stays to be seen.

    billed: of the same period, before.
    """
    left = max(Fraction(maximum) * share - Fraction(billed), Fraction())
    return precise(max(Fraction(amount) - left, Fraction()))
