"""What a plan includes of tokens and requests, and how much of it was used. Pure.

An allowance covers the models it names in proportion: of a million tokens included and two million used, it is half
of each model's, whichever was used first. Several allowances cover one after another, each what is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from apps.billing.burn import rolled_over
from apps.billing.measured import Usage, quantity_of
from apps.billing.money import ZERO, precise
from apps.billing.terms import FreeUnits, Metric


@dataclass(frozen=True)
class Allowance:
    """One, at the end of a period. shares: what of each usage it covers, of the whole of it."""

    name: str
    metric: Metric
    quantity: Decimal  # of this period, by its days
    rolled: Decimal  # on top, from the period before
    used: Decimal
    left: Decimal  # what goes on to the next period, if it rolls over: at most what one period includes
    rolls_over: bool
    shares: tuple[Fraction, ...]


@dataclass(frozen=True)
class Included:
    """All of them. shares: what of each usage they cover together."""

    allowances: tuple[Allowance, ...]
    shares: tuple[Fraction, ...]


def include(
    free: Sequence[FreeUnits], usage: Sequence[Usage], share: Fraction, rolled: Mapping[str, Decimal]
) -> Included:
    """How allowances cover usage. share: of the period that is served; so much of each there is."""
    covered = [Fraction()] * len(usage)
    allowances = []
    for each in free:
        allowance = _allowance(each, usage, share, rolled.get(each.name, ZERO), covered)
        covered = [before + now for before, now in zip(covered, allowance.shares, strict=True)]
        allowances.append(allowance)
    return Included(tuple(allowances), tuple(covered))


def _allowance(
    free: FreeUnits, usage: Sequence[Usage], share: Fraction, rolled: Decimal, covered: Sequence[Fraction]
) -> Allowance:
    there = Fraction(free.quantity) * share + Fraction(rolled)
    wanted = [
        Fraction(quantity_of(used, free.metric)) * (1 - before) if free.covers(used.model) else Fraction()
        for used, before in zip(usage, covered, strict=True)
    ]
    taken = min(there, sum(wanted, Fraction()))
    part = taken / sum(wanted, Fraction()) if taken else Fraction()
    return Allowance(
        name=free.name,
        metric=free.metric,
        quantity=precise(Fraction(free.quantity) * share),
        rolled=rolled,
        used=precise(taken),
        left=rolled_over(there - taken, most=free.quantity) if free.rolls_over else ZERO,
        rolls_over=free.rolls_over,
        shares=tuple(
            part * (1 - before) if count else Fraction() for count, before in zip(wanted, covered, strict=True)
        ),
    )
