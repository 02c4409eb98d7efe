"""What is limited, and in which units. Values only; knows no Django and no Redis.

Money goes to Redis in integers of 1e-12 USD ("pico"), the precision of a rated request.
"""

from dataclasses import dataclass, fields
from decimal import Context, Decimal
from enum import StrEnum
from functools import cached_property
from math import ceil

PICOS = Decimal(10**12)  # in a dollar
MOST_PICO = 2**63 - 1  # what a counter of 64 bits can take: 9.2 million USD
EXACT = Context(prec=60)


class Scope(StrEnum):
    """Whose calls a limit is for: each scope lies within the one before."""

    CUSTOMER = "customer"
    KEY = "key"
    END_USER = "end_user"
    POLICY = "policy"  # what the call asks for itself, with Helicone-RateLimit-Policy


class LimitName(StrEnum):
    """The limits of a scope, in the order in which they are looked at."""

    REQUESTS = "requests_per_minute"
    HOURLY_REQUESTS = "requests_per_hour"
    DAILY_REQUESTS = "requests_per_day"
    TOKENS = "tokens_per_minute"
    CONCURRENT = "max_concurrent"
    DAILY = "daily_cap"
    MONTHLY = "monthly_cap"
    TOTAL = "total_cap"
    POLICY_REQUESTS = "policy_requests"
    POLICY_SPEND = "policy_spend"

    @property
    def is_money(self) -> bool:
        return self in MONEY

    @property
    def is_cap(self) -> bool:
        """Whether it is reached for good, or until its period ends: waiting a moment doesn't help."""
        return self in CAPS


CAPS = frozenset((LimitName.DAILY, LimitName.MONTHLY, LimitName.TOTAL))
MONEY = CAPS | {LimitName.POLICY_SPEND}


class LimitReached(Exception):
    """The call is not let in. `used` and `limit` are in the limit's own unit: calls, tokens or USD."""

    def __init__(
        self,
        name: LimitName,
        used: Decimal,
        limit: Decimal,
        retry_after_ms: int | None,
        *,
        scope: Scope = Scope.CUSTOMER,
        room: int = 0,
        is_prepaid: bool = False,
    ) -> None:
        super().__init__(f"{name} of the {scope}: {used:f} of {limit:f} used")
        self.name = name
        self.used = used
        self.limit = limit
        self.retry_after_ms = retry_after_ms  # None: waiting a moment doesn't help, or nobody knows how long
        self.scope = scope
        self.is_prepaid = is_prepaid  # the cap is what was paid beforehand
        self.room = room  # where a cap refuses: the most, in pico, that would fit under all caps at once


class LimiterUnavailable(Exception):
    """Redis does not answer, or has not all it should: whether the call is within its limits is not known."""


@dataclass(frozen=True)
class Limits:
    """Those of one scope. None: there is none; 0: nothing is let through. Caps in USD."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrent: int | None = None
    daily_cap: Decimal | None = None
    monthly_cap: Decimal | None = None
    total_cap: Decimal | None = None
    requests_per_hour: int | None = None
    requests_per_day: int | None = None

    @cached_property
    def is_open(self) -> bool:
        """Whether there is no limit at all."""
        return all(getattr(self, field.name) is None for field in fields(self))

    @cached_property
    def has_cap(self) -> bool:
        """Whether money is limited."""
        return any(getattr(self, name) is not None for name in CAPS)


def to_pico(amount: Decimal) -> int:
    """USD in units of 1e-12, rounded up where there are smaller ones."""
    return ceil(EXACT.multiply(amount, PICOS))


def from_pico(amount: int) -> Decimal:
    """Units of 1e-12 in USD."""
    return EXACT.divide(Decimal(amount), PICOS)
