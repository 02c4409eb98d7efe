"""What a quantity costs by tiers: graduated, by volume, by packages.

Pure. Quantities may have parts (5.001 opens the tier above 5), amounts are exact: 12 places at the end, and no
rounding to cents. Source: BILLING.md 2.2; worked tables are in docs/money.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import ceil

from apps.billing.money import ZERO, Exact, precise


class Mode(StrEnum):
    GRADUATED = "graduated"  # each unit at the price of the tier that it falls into
    VOLUME = "volume"  # all units at the price of the tier that the last one falls into


class BadTiers(ValueError):
    """Tiers that leave open what something costs. `code` tells which rule they break."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Tier:
    """Up to so many units, that one included; None: all there are above the tier before it.

    unit: the price of a unit; with `size`, of a package of so many, one that is begun counting whole.
    flat: charged once, when the tier is reached.
    """

    up_to: Decimal | None
    unit: Decimal = ZERO
    flat: Decimal = ZERO
    size: Decimal | None = None

    def price_of(self, units: Fraction) -> Fraction:
        each = Fraction(self.unit)
        return (each * packages(units, self.size) if self.size else each * units) + Fraction(self.flat)


@dataclass(frozen=True)
class Tariff:
    """What units cost. Made by `tariff`, which refuses what is not clear.

    free: units that come first and cost nothing. flat_at_zero: whether the first tier's flat fee is owed
    also where nothing was used.
    """

    tiers: tuple[Tier, ...]
    mode: Mode = Mode.GRADUATED
    free: Decimal = ZERO
    flat_at_zero: bool = False

    def price_of(self, units: Exact) -> Decimal:
        """Of all units of a period together; nothing for less than none."""
        return precise(sum(self._parts(Fraction(units)), Fraction()))

    def parts(self, units: Exact) -> list[Decimal]:
        """The same, for each tier that is reached; by volume, for the one tier."""
        return [precise(part) for part in self._parts(Fraction(units))]

    def _parts(self, units: Fraction) -> list[Fraction]:
        charged = max(units - Fraction(self.free), Fraction())
        if not charged:
            return [Fraction(self.tiers[0].flat)] if self.flat_at_zero else []
        if self.mode is Mode.VOLUME:
            return [next(tier for tier in self.tiers if _reaches(tier, charged)).price_of(charged)]
        return self._graduated(charged)

    def _graduated(self, charged: Fraction) -> list[Fraction]:
        parts, below = [], Fraction()
        for tier in self.tiers:
            top = charged if tier.up_to is None else min(charged, Fraction(tier.up_to))
            parts.append(tier.price_of(top - below))
            if _reaches(tier, charged):
                break
            below = top
        return parts


def tariff(
    tiers: Sequence[Tier], mode: Mode = Mode.GRADUATED, *, free: Decimal = ZERO, flat_at_zero: bool = False
) -> Tariff:
    """A tariff that says what any quantity costs. Raises BadTiers."""
    check(tiers)
    if free < 0:
        raise BadTiers("negative", "There cannot be less than no free units.")
    return Tariff(tuple(tiers), mode, free, flat_at_zero)


def per_package(size: Decimal, price: Decimal, *, free: Decimal = ZERO) -> Tariff:
    """Packages of so many units, each at `price`; one that is begun counts whole."""
    return tariff([Tier(None, price, size=size)], free=free)


def check(tiers: Sequence[Tier]) -> None:
    """Whether they say what any quantity costs: bounds that rise, and one last tier without. Raises BadTiers."""
    if not tiers:
        raise BadTiers("no_tiers", "Give at least one tier.")
    bounds = [tier.up_to for tier in tiers if tier.up_to is not None]
    if any(tier.up_to is None for tier in tiers[:-1]):
        raise BadTiers("unbounded_tier_not_last", "Only the last tier can be without an upper end.")
    if len(set(bounds)) < len(bounds):
        raise BadTiers("duplicate_tier_bound", "Two tiers end at the same quantity.")
    if bounds != sorted(bounds) or any(bound <= 0 for bound in bounds):
        raise BadTiers("tiers_not_sorted", "Each tier has to end above the one before it, the first above 0.")
    if tiers[-1].up_to is not None:
        raise BadTiers(
            "last_tier_bounded", "The last tier must be without an upper end: what is above it needs a price."
        )
    if any(tier.unit < 0 or tier.flat < 0 or (tier.size is not None and tier.size <= 0) for tier in tiers):
        raise BadTiers("negative", "Prices cannot be below 0, and a package holds more than nothing.")


def packages(units: Exact, size: Exact) -> int:
    """How many packages of `size` hold so many units, one that is begun counting whole."""
    return ceil(Fraction(units) / Fraction(size))


def _reaches(tier: Tier, units: Fraction) -> bool:
    """Whether all units are within the tier's upper end."""
    return tier.up_to is None or units <= Fraction(tier.up_to)
