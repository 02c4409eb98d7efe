"""What is limited, and in which units. Values only; knows no Django and no Redis.

Money goes to Redis in integers of 1e-12 USD ("pico"), the precision of a rated request.
"""

from dataclasses import dataclass
from decimal import Context, Decimal
from enum import StrEnum
from functools import cached_property
from math import ceil

PICOS = Decimal(10**12)  # in a dollar
MOST_PICO = 2**63 - 1  # what a counter of 64 bits can take: 9.2 million USD
EXACT = Context(prec=60)


class LimitName(StrEnum):
    """The limits of a customer, in the order in which they are looked at."""

    REQUESTS = "requests_per_minute"
    TOKENS = "tokens_per_minute"
    CONCURRENT = "max_concurrent"
    DAILY = "daily_cap"
    MONTHLY = "monthly_cap"

    @property
    def is_money(self) -> bool:
        return self in (LimitName.DAILY, LimitName.MONTHLY)


class LimitReached(Exception):
    """The call is not let in. `used` and `limit` are in the limit's own unit: calls, tokens or USD."""

    def __init__(self, name: LimitName, used: Decimal, limit: Decimal, retry_after_ms: int | None) -> None:
        super().__init__(f"{name}: {used:f} of {limit:f} used")
        self.name = name
        self.used = used
        self.limit = limit
        self.retry_after_ms = retry_after_ms  # None: waiting a moment doesn't help, or nobody knows how long


class LimiterUnavailable(Exception):
    """Redis does not answer: whether the call is within its limits is not known."""


@dataclass(frozen=True)
class Limits:
    """A customer's limits. None: there is none; 0: nothing is let through. Caps in USD."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrent: int | None = None
    daily_cap: Decimal | None = None
    monthly_cap: Decimal | None = None

    @cached_property
    def is_open(self) -> bool:
        """Whether there is no limit at all."""
        return all(getattr(self, name) is None for name in LimitName)

    @cached_property
    def has_cap(self) -> bool:
        """Whether money is limited."""
        return self.daily_cap is not None or self.monthly_cap is not None


def to_pico(amount: Decimal) -> int:
    """USD in units of 1e-12, rounded up where there are smaller ones."""
    return ceil(EXACT.multiply(amount, PICOS))


def from_pico(amount: int) -> Decimal:
    """Units of 1e-12 in USD."""
    return EXACT.divide(Decimal(amount), PICOS)
