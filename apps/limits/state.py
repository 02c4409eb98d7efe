"""Where customers, keys and end users stand with their limits now, for pages. Reads what the limiter's scripts keep."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

import redis
from django.conf import settings
from redis.commands.core import Script as RedisScript

from apps.limits.commands import Entry, entries_of
from apps.limits.counting import GENERATION_KEY
from apps.limits.scopes import Scopes, next_day, next_month, periods_of
from apps.limits.scripts import Script
from apps.limits.terms import LimitName, Scope

PATIENCE_S = 0.5
NEARLY = Decimal("0.95")  # of a cap

Whose = TypeVar("Whose", bound=Hashable)


@dataclass(frozen=True)
class LimitState:
    """One limit: what is used and held of it, in its own unit (calls, tokens, USD)."""

    name: LimitName
    limit: Decimal
    used: Decimal
    held: Decimal  # by calls under way, which may cost less in the end
    resets_at: datetime | None  # None: as calls end, as the window moves on, or never
    scope: Scope = Scope.CUSTOMER
    is_sure: bool = True  # False: Redis has no complete sum; the next call has it counted (see usage.limits)
    is_prepaid: bool = False  # the limit is the credit that there was, of which `used` is used
    behind: Decimal = Decimal(0)  # what was left out of both: see prepaid.Prepaid

    @property
    def left(self) -> Decimal:
        return max(Decimal(0), self.limit - self.used - self.held)

    @property
    def over(self) -> Decimal:
        """By how much it is passed: what providers charged beyond the most that calls under way could cost."""
        return max(Decimal(0), self.used - self.limit)

    @property
    def is_reached(self) -> bool:
        return self.left == 0

    @property
    def is_in_the_way(self) -> bool:
        """Whether calls are refused for it, or soon will be: a cap refuses before all of it is spent."""
        return self.is_reached or (self.name.is_cap and self.used + self.held >= self.limit * NEARLY)

    @property
    def share(self) -> float:
        """Of the limit that is used or held, from 0 to 1."""
        if not self.limit:
            return 1.0
        return min(1.0, float((self.used + self.held) / self.limit))


def scopes_states(scopes: Mapping[Whose, Scopes], zone: ZoneInfo, at: datetime) -> dict[Whose, list[LimitState]] | None:
    """Each limit that is set in these scopes, in order; in one round trip. None while Redis is away.

    zone: the organization's, in which days and months begin.
    """
    today = at.astimezone(zone)
    periods = periods_of(today)
    asked = {whose: list(entries_of(each, periods)) for whose, each in scopes.items()}
    script = _script(settings.REDIS_URL)
    try:
        pipeline = script.registered_client.pipeline(transaction=False)  # type: ignore[union-attr]
        for whose, entries in asked.items():
            keys = scopes[whose].customer
            parts = [part for entry in entries for part in (entry.kind, entry.span_ms, entry.buckets)]
            script(keys=[keys.holds, keys.held, *(entry.key for entry in entries)], args=parts, client=pipeline)
        pipeline.get(GENERATION_KEY)
        *answers, generation = pipeline.execute()
    except redis.RedisError:
        return None
    return {
        whose: [_state(entry, counted, generation, today) for entry, counted in zip(entries, answer, strict=True)]
        for (whose, entries), answer in zip(asked.items(), answers, strict=True)
    }


def _state(entry: Entry, counted: tuple[bytes, bytes, bytes], generation: bytes | None, today: datetime) -> LimitState:
    used, held, stamp = counted
    resets = {LimitName.DAILY: next_day(today), LimitName.MONTHLY: next_month(today)}
    is_sure = entry.kind != "s" or (generation is not None and stamp.startswith(generation + b"/"))
    prepaid = entry.scoped.prepaid if entry.is_prepaid else None
    behind = prepaid.behind if prepaid else Decimal(0)
    return LimitState(
        entry.name,
        entry.amount(entry.limit) - behind,
        entry.amount(int(used)) - behind,
        entry.amount(int(held)),
        resets.get(entry.name),
        entry.scoped.scope,
        is_sure,
        prepaid is not None,
        behind,
    )


@lru_cache(maxsize=2)
def _script(redis_url: str) -> RedisScript:
    client = redis.Redis.from_url(redis_url, socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S)
    return client.register_script(Script("state").text)
