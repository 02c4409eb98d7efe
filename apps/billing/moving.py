"""What was counted by days, counted by days that begin at another hour. Pure."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, TypeVar

Amount = TypeVar("Amount", int, Decimal)


class Change(NamedTuple):
    """Of one zone to another. since: the first day that was made anew; None: all were."""

    old: str
    new: str
    since: datetime | None

    def is_anew(self, day: datetime) -> bool:
        return self.since is None or day >= self.since


def poured(amounts: Sequence[Amount], parts: Sequence[Amount]) -> list[list[Amount]]:
    """What of each amount is in each part: the first fill the first parts, and what is over stays in the last.

    amounts: what was noted of a day, in order. parts: what the day has in each of the days that it is in now, in
    order; at least one. Each amount is the sum of what it gives.
    """
    left = list(parts)
    found: list[list[Amount]] = []
    for amount in amounts:
        rest = amount
        shares: list[Amount] = []
        for index, room in enumerate(left[:-1]):
            share = max(min(rest, room), room - room)
            left[index] -= share
            rest -= share
            shares.append(share)
        shares.append(rest)
        found.append(shares)
    return found
