"""Which credit pays, and what comes of credit that is given again and again. Pure. Source: BILLING.md 2.5."""

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

from apps.billing.money import ZERO, Exact, precise, summed

USUAL_PRIORITY = 50  # 0 goes first, 100 last
NEVER = datetime.max.replace(tzinfo=UTC)


class Category(IntEnum):
    """Where credit comes from; the value is its rank in the burn order."""

    PROMOTIONAL = 0  # given: also what a plan includes
    PAID = 1


@dataclass(frozen=True)
class Lot:
    """Credit that was granted at one time, and what is left of it.

    Counts from `effective_at` up to, not including, `expires_at` (None: for ever). pays_for: the kinds of
    charge that it may pay (model groups, say); None: any.
    """

    key: Hashable
    remaining: Decimal
    effective_at: datetime
    expires_at: datetime | None = None
    priority: int = USUAL_PRIORITY
    category: int = Category.PAID
    pays_for: frozenset[str] | None = None
    created_at: datetime | None = None
    serial: int = 0  # the last tie-break: the order in which they were granted

    @property
    def rank(self) -> tuple[int, datetime, int, datetime, datetime, int]:
        """Its place in the burn order, the lowest first."""
        created_at = self.created_at or self.effective_at
        return (self.priority, self.expires_at or NEVER, self.category, self.effective_at, created_at, self.serial)

    def is_usable(self, at: datetime, kind: str | None = None) -> bool:
        """Whether it can pay, at `at`, for a charge of this kind (None: of none in particular)."""
        is_live = self.effective_at <= at and (self.expires_at is None or at < self.expires_at)
        return is_live and self.remaining > 0 and (self.pays_for is None or kind in self.pays_for)


@dataclass(frozen=True)
class Draw:
    """What one lot pays."""

    lot: Lot
    amount: Decimal


def burn_order(lots: Iterable[Lot], *, at: datetime, kind: str | None = None) -> list[Lot]:
    """Lots that can pay, in the order in which they do: priority, soonest expiry, given before paid, oldest."""
    return sorted((lot for lot in lots if lot.is_usable(at, kind)), key=lambda lot: lot.rank)


def plan_draw(
    amount: Decimal, lots: Iterable[Lot], *, at: datetime, kind: str | None = None
) -> tuple[list[Draw], Decimal]:
    """How `amount` is paid: what each lot gives, in burn order, and what no lot covers.

    A lot never gives more than it has, and none gives nothing.
    """
    draws, left = [], amount
    for lot in burn_order(lots, at=at, kind=kind):
        if left <= 0:
            break
        draw = Draw(lot, min(left, lot.remaining))
        draws.append(draw)
        left -= draw.amount
    return draws, max(left, ZERO)


def plan_draws(
    charges: Sequence[tuple[str | None, Decimal]], lots: Iterable[Lot], *, at: datetime
) -> tuple[list[Draw], Decimal]:
    """The same for charges (kind, amount) of several kinds. Those that the fewest lots can pay choose first,
    so that credit for one kind is not left over because another kind took what both could use."""
    by_key = {lot.key: lot for lot in lots}
    drawn: list[Draw] = []
    short_by = []
    for kind, amount in sorted(charges, key=lambda charge: _choices(by_key.values(), at, charge[0])):
        draws, missing = plan_draw(amount, by_key.values(), at=at, kind=kind)
        for draw in draws:
            by_key[draw.lot.key] = _less(draw)
        drawn += draws
        short_by.append(missing)
    return drawn, summed(short_by)


def rolled_over(left: Exact, *, most: Exact = 0, least: Exact = 0) -> Decimal:
    """What of an allowance goes on into the next period: min(most, max(least, left))."""
    return precise(min(Fraction(most), max(Fraction(least), Fraction(left))))


def renewed(amount: Exact, *, used: Exact, rolled: Exact = 0) -> Decimal:
    """What there is after a grant of `amount` recurs, of which `used` was used before.

    It does not add up with what was left (but for `rolled`, see `rolled_over`); what was used above it is
    taken from the new one first.
    """
    overage = max(Fraction(used) - Fraction(amount), Fraction())
    return precise(max(Fraction(amount) + Fraction(rolled) - overage, Fraction()))


def settled(charge: Exact, balance: Exact, *, is_prepaid_only: bool) -> tuple[Decimal, Decimal] | None:
    """Of a charge: what credit pays, and what is left for an invoice. None: refused, since credit alone can't pay."""
    paid = min(Fraction(charge), max(Fraction(balance), Fraction()))
    left = Fraction(charge) - paid
    return None if is_prepaid_only and left else (precise(paid), precise(left))


def _choices(lots: Collection[Lot], at: datetime, kind: str | None) -> int:
    return sum(lot.is_usable(at, kind) for lot in lots)


def _less(draw: Draw) -> Lot:
    return replace(draw.lot, remaining=draw.lot.remaining - draw.amount)
