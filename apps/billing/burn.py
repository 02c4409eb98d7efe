"""Which credit pays, and what of an allowance goes on. Pure. Source: BILLING.md 2.5."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

from apps.billing.money import ZERO, Exact, precise

USUAL_PRIORITY = 50  # 0 goes first, 100 last
NEVER = datetime.max.replace(tzinfo=UTC)


class Category(IntEnum):
    """Where credit comes from; the value is its rank in the burn order."""

    PROMOTIONAL = 0  # given: also what a plan includes
    PAID = 1


@dataclass(frozen=True)
class Lot:
    """Credit that was granted at one time, and what is left of it.

    Counts from `effective_at` up to, not including, `expires_at` (None: for ever).
    """

    key: Hashable
    remaining: Decimal
    effective_at: datetime
    expires_at: datetime | None = None
    priority: int = USUAL_PRIORITY
    category: int = Category.PAID
    created_at: datetime | None = None
    serial: int = 0  # the last tie-break: the order in which they were granted

    @property
    def rank(self) -> tuple[int, datetime, int, datetime, datetime, int]:
        """Its place in the burn order, the lowest first."""
        created_at = self.created_at or self.effective_at
        return (self.priority, self.expires_at or NEVER, self.category, self.effective_at, created_at, self.serial)

    def is_usable(self, at: datetime) -> bool:
        """Whether it can pay at `at`."""
        is_live = self.effective_at <= at and (self.expires_at is None or at < self.expires_at)
        return is_live and self.remaining > 0


@dataclass(frozen=True)
class Draw:
    """What one lot pays."""

    lot: Lot
    amount: Decimal


def burn_order(lots: Iterable[Lot], *, at: datetime) -> list[Lot]:
    """Lots that can pay, in the order in which they do: priority, soonest expiry, given before paid, oldest."""
    return sorted((lot for lot in lots if lot.is_usable(at)), key=lambda lot: lot.rank)


def plan_draw(amount: Decimal, lots: Iterable[Lot], *, at: datetime) -> tuple[list[Draw], Decimal]:
    """How `amount` is paid: what each lot gives, in burn order, and what no lot covers.

    A lot never gives more than it has, and none gives nothing.
    """
    draws, left = [], amount
    for lot in burn_order(lots, at=at):
        if left <= 0:
            break
        draw = Draw(lot, min(left, lot.remaining))
        draws.append(draw)
        left -= draw.amount
    return draws, max(left, ZERO)


def rolled_over(left: Exact, *, most: Exact = 0, least: Exact = 0) -> Decimal:
    """What of an allowance goes on into the next period: min(most, max(least, left))."""
    return precise(min(Fraction(most), max(Fraction(least), Fraction(left))))
