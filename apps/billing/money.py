"""Amounts of money: exact, with 12 decimal places while they are rated, rounded once to what a currency has.

Pure: no Django, no clock. What has to be exact in between is counted in fractions, never in floats. Worked
examples are in docs/money.md.
"""

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

from babel.core import get_global

PLACES = 12  # of an amount that is not rounded yet
EXACT = Context(prec=80)  # more digits than any amount here can have

Exact = Decimal | Fraction | int  # what can be counted with, without loss

ZERO = Decimal(0)

# ISO 4217: the currencies that don't have two decimal places. Not CLDR's digits, which are those that people
# use in shops: an invoice in dinars (RSD) has paras on it, although nobody has had one in his hand for years.
MINOR_UNITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


class UnknownCurrency(ValueError):
    """No currency that is in use has this code."""


@lru_cache(maxsize=1)
def currencies() -> tuple[str, ...]:
    """The codes of all currencies that are legal tender somewhere today, in order."""
    tender = get_global("territory_currencies").values()
    return tuple(
        sorted({code for used in tender for code, _since, until, is_tender in used if is_tender and not until})
    )


@lru_cache(maxsize=256)
def minor_units(currency: str) -> int:
    """How many decimal places the currency has: 2 for USD, 0 for JPY, 3 for KWD. Raises UnknownCurrency."""
    if currency not in currencies():
        raise UnknownCurrency(f"not a currency in use: {currency}")
    return MINOR_UNITS.get(currency, 2)


def rounded(amount: Exact, places: int) -> Decimal:
    """To so many places, half away from zero: what is taken back mirrors what was charged."""
    exact = Fraction(amount)
    scaled = abs(exact.numerator) * 10**places
    whole = (2 * scaled + exact.denominator) // (2 * exact.denominator)
    return EXACT.scaleb(Decimal(whole if exact >= 0 else -whole), -places)


def round_half_away(amount: Exact, currency: str) -> Decimal:
    """To the currency's minor unit, half away from zero: 1.235 USD is 1.24, -0.5 JPY is -1."""
    return rounded(amount, minor_units(currency))


def precise(amount: Exact) -> Decimal:
    """To 12 places, half away from zero: what a line of an invoice keeps besides its rounded amount."""
    return rounded(amount, PLACES)


def in_minor(amount: Exact, currency: str) -> Fraction:
    """In minor units (cents), exactly: not rounded, with parts of one."""
    return Fraction(amount) * int(10 ** minor_units(currency))


def to_minor(amount: Exact, currency: str) -> int:
    """In minor units (cents), rounded half away from zero."""
    return int(rounded(in_minor(amount, currency), 0))


def from_minor(minor: int, currency: str) -> Decimal:
    """An amount from its minor units, with the currency's decimal places."""
    return EXACT.scaleb(Decimal(minor), -minor_units(currency))


def summed(amounts: Iterable[Exact]) -> Decimal:
    """The sum, exactly, to 12 places: Decimal's own sum rounds at 28 digits and says nothing."""
    return precise(sum((Fraction(amount) for amount in amounts), Fraction()))


def converted(amount: Exact, rate: Exact) -> Decimal:
    """What `amount` is in another currency, of which one unit costs `rate` units; to 12 places, not rounded yet."""
    return precise(Fraction(amount) * Fraction(rate))


def allocate(total_minor: int, weights: Sequence[Exact]) -> list[int]:
    """Split a whole number by weights (none below zero), by largest remainder: the parts sum to it exactly.

    Of equal remainders the first in the row gets more. The parts of -n are those of n with the sign changed.
    All weights zero: nothing to go by, so that nothing but zero can be split. Raises ValueError.
    """
    exact = [Fraction(weight) for weight in weights]
    whole = sum(exact, Fraction())
    if any(weight < 0 for weight in exact) or (total_minor and not whole):
        raise ValueError("nothing can be split by these weights")
    if not total_minor:
        return [0] * len(exact)
    return round_together([total_minor * weight / whole for weight in exact])


def round_together(amounts: Sequence[Exact]) -> list[int]:
    """Whole numbers that differ from the amounts by less than one, and sum to the rounded sum of all.

    By largest remainder, the first of equals first: what is whole already stays as it is, and many small
    parts lose nothing. Amounts may be below zero; all signs changed change all signs of the answer.
    """
    exact = [Fraction(amount) for amount in amounts]
    total = sum(exact, Fraction())
    leading = total or next((amount for amount in exact if amount), Fraction())
    sign = -1 if leading < 0 else 1
    floors = [sign * amount // 1 for amount in exact]
    missing = int(rounded(sign * total, 0)) - sum(floors)
    by_remainder = sorted(range(len(exact)), key=lambda index: floors[index] - sign * exact[index])
    for index in by_remainder[:missing]:
        floors[index] += 1
    return [sign * whole for whole in floors]
