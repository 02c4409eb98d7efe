"""Letting calls in under a customer's limits, exactly, however many processes do so at once.

One script call before (`admit`: a hold on everything at once, or on nothing) and one after (`settle`:
the real price in the hold's place). Redis's clock only. Knows no Django.

Money goes to Redis in integers of 1e-12 USD ("pico"), the precision of a rated request.
"""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from apps.limits.redis_pipe import Argument, RedisPipe, RedisRefused, RedisUnavailable, Reply

logger = logging.getLogger(__name__)

PICO_PLACES = 12
MINUTE_MS = 60_000
DAY_MS = 86_400_000
BUCKETS = 60
HOLD_MS = 600_000  # of a process that died; a live call settles, or renews, long before
DAY_KEY_MS = 3 * DAY_MS  # how long a period's sum is kept after it was last added to
MONTH_KEY_MS = 63 * DAY_MS
MOST_PICO = 2**62  # what a counter of 64 bits can take with room to spare


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


class Hold(NamedTuple):
    """What a call has taken until it settles. `id` is ours, never the client's; "" took nothing."""

    id: str
    keys: "LimitKeys"
    day: str
    month: str


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

    @cached_property
    def caps_pico(self) -> tuple[int | None, int | None]:
        """Caps of a day and a month."""
        return _cap_pico(self.daily_cap), _cap_pico(self.monthly_cap)


class LimitKeys:
    """The names of a customer's counters. The braces keep them together on a Redis cluster."""

    __slots__ = ("concurrent", "held", "holds", "requests", "spend", "tokens")

    def __init__(self, customer_id: bytes) -> None:
        prefix = f"tollgate:{{{customer_id.hex()}}}"
        self.holds = f"{prefix}:holds"
        self.held = f"{prefix}:held"
        self.requests = f"{prefix}:requests"
        self.tokens = f"{prefix}:tokens"
        self.concurrent = f"{prefix}:concurrent"
        self.spend = f"{prefix}:spend:"  # and the day or month


def to_pico(amount: Decimal) -> int:
    """USD in units of 1e-12, rounded up where there are smaller ones."""
    return int(amount.scaleb(PICO_PLACES).to_integral_value(ROUND_CEILING))


def from_pico(amount: int) -> Decimal:
    """Units of 1e-12 in USD."""
    return Decimal(amount).scaleb(-PICO_PLACES)


def _cap_pico(cap: Decimal | None) -> int | None:
    return None if cap is None else min(to_pico(cap), MOST_PICO)


def _script(name: str) -> str:
    folder = Path(__file__).parent / "scripts"
    return (folder / "common.lua").read_text() + (folder / name).read_text()


ADMIT = _script("admit.lua")
SETTLE = _script("settle.lua")
ADMIT_SHA = hashlib.sha1(ADMIT.encode(), usedforsecurity=False).hexdigest()
SETTLE_SHA = hashlib.sha1(SETTLE.encode(), usedforsecurity=False).hexdigest()
GREETING: Sequence[Sequence[Argument]] = (("SCRIPT", "LOAD", ADMIT), ("SCRIPT", "LOAD", SETTLE))


class Limiter:
    """Admits and settles through one Redis."""

    def __init__(self, redis_url: str, *, hold_ms: int = HOLD_MS) -> None:
        self.pipe = RedisPipe(redis_url, GREETING)
        self._hold_ms = hold_ms

    def __repr__(self) -> str:
        return f"<Limiter on {self.pipe!r}>"

    def start(self) -> None:
        self.pipe.start()

    async def stop(self) -> None:
        await self.pipe.stop()

    async def admit(
        self, hold_id: str, keys: LimitKeys, limits: Limits, *, tokens: int, spend: int, day: str, month: str
    ) -> Hold:
        """Let a call in under all limits at once.

        tokens, spend: the most it can use, spend in pico. They are held until the hold is settled.
        day, month: the periods it falls into ("2026-11-20", "2026-11") in the organization's zone.
        Raises LimitReached, nothing taken anywhere; or LimiterUnavailable.
        """
        if limits.is_open:
            return Hold("", keys, day, month)
        names, command = self._admit_command(hold_id, keys, limits, tokens, min(spend, MOST_PICO), day, month)
        reply = await self._run(command, ADMIT)
        if reply[0] != 1:
            raise _reached(names[int(reply[1]) - 1], limits, int(reply[2]), int(reply[3]))
        return Hold(hold_id, keys, day, month)

    def settle(self, hold: Hold, *, spend: int, tokens: int) -> None:
        """Charge what the call really cost, spend in pico, and let go of its hold. Calling it again does nothing.

        Doesn't wait: the record is what counts, and the counters follow it.
        """
        keys = hold.keys
        if not hold.id and not spend:
            return
        command = (
            "EVALSHA",
            SETTLE_SHA,
            4,
            keys.holds,
            keys.held,
            keys.spend + hold.day,
            keys.spend + hold.month,
            hold.id,
            spend,
            tokens,
            DAY_KEY_MS,
            MONTH_KEY_MS,
        )
        with suppress(RedisUnavailable):  # then the hold expires, and the sums are made anew from the records
            self.pipe.call(*command).add_done_callback(lambda reply: self._check_settled(reply, command))

    def _check_settled(self, reply: "asyncio.Future[Reply]", command: Sequence[Argument]) -> None:
        error = None if reply.cancelled() else reply.exception()
        if isinstance(error, RedisRefused) and "NOSCRIPT" in str(error):
            self.pipe.call("EVAL", SETTLE, *command[2:])
        elif isinstance(error, RedisRefused):
            logger.error("a call was not settled: %s", error)

    def _admit_command(
        self, hold_id: str, keys: LimitKeys, limits: Limits, tokens: int, spend: int, day: str, month: str
    ) -> tuple[list[LimitName], list[Argument]]:
        names: list[LimitName] = []
        places: list[Argument] = [keys.holds, keys.held]
        amounts: list[Argument] = [hold_id, self._hold_ms]
        if limits.requests_per_minute is not None:
            names.append(LimitName.REQUESTS)
            places.append(keys.requests)
            amounts += ("w", limits.requests_per_minute, 1, MINUTE_MS, BUCKETS)
        if limits.tokens_per_minute is not None:
            names.append(LimitName.TOKENS)
            places.append(keys.tokens)
            amounts += ("w", limits.tokens_per_minute, tokens, MINUTE_MS, BUCKETS)
        if limits.max_concurrent is not None:
            names.append(LimitName.CONCURRENT)
            places.append(keys.concurrent)
            amounts += ("c", limits.max_concurrent, 1, 0, 0)
        daily, monthly = limits.caps_pico
        if daily is not None:
            names.append(LimitName.DAILY)
            places.append(keys.spend + day)
            amounts += ("s", daily, spend, DAY_KEY_MS, 0)
        if monthly is not None:
            names.append(LimitName.MONTHLY)
            places.append(keys.spend + month)
            amounts += ("s", monthly, spend, MONTH_KEY_MS, 0)
        return names, ["EVALSHA", ADMIT_SHA, len(places), *places, *amounts]

    async def _run(self, command: list[Argument], script: str) -> list[int]:
        try:
            try:
                reply = await self.pipe.call(*command)
            except RedisRefused as error:
                if "NOSCRIPT" not in str(error):
                    raise
                reply = await self.pipe.call("EVAL", script, *command[2:])
        except (RedisUnavailable, RedisRefused) as error:
            raise LimiterUnavailable(str(error)) from error
        return reply  # type: ignore[return-value]


def _reached(name: LimitName, limits: Limits, used: int, wait_ms: int) -> LimitReached:
    limit = Decimal(getattr(limits, name))
    amount = from_pico(used) if name.is_money else Decimal(used)
    return LimitReached(name, amount, limit, None if wait_ms < 0 else wait_ms)
