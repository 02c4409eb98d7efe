"""Where a customer stands with its limits now, for pages. Reads what the limiter's scripts keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

import redis
from django.conf import settings
from redis.commands.core import Script as RedisScript

from apps.limits.commands import Entry, LimitKeys, entries_of
from apps.limits.scripts import Script
from apps.limits.terms import LimitName, Limits, from_pico

PATIENCE_S = 0.5


@dataclass(frozen=True)
class LimitState:
    """One limit: what is used and held of it, in its own unit (calls, tokens, USD)."""

    name: LimitName
    limit: Decimal
    used: Decimal
    held: Decimal  # by calls under way, which may cost less in the end
    resets_at: datetime | None  # None: as calls end, or as the minute moves on

    @property
    def left(self) -> Decimal:
        return max(Decimal(0), self.limit - self.used - self.held)

    @property
    def is_reached(self) -> bool:
        return self.left == 0

    @property
    def share(self) -> float:
        """Of the limit that is used or held, from 0 to 1."""
        if not self.limit:
            return 1.0
        return min(1.0, float((self.used + self.held) / self.limit))


def limits_state(customer_id: UUID, limits: Limits, zone: ZoneInfo, at: datetime) -> list[LimitState] | None:
    """Each limit that is set, in order; None while Redis is away."""
    states = limits_states({customer_id: limits}, zone, at)
    return None if states is None else states[customer_id]


def limits_states(
    customers: Mapping[UUID, Limits], zone: ZoneInfo, at: datetime
) -> dict[UUID, list[LimitState]] | None:
    """The same for many customers, in one round trip."""
    today = at.astimezone(zone)
    asked = {customer_id: _entries(customer_id, limits, today) for customer_id, limits in customers.items()}
    script = _script(settings.REDIS_URL)
    try:
        pipeline = script.registered_client.pipeline(transaction=False)  # type: ignore[union-attr]
        for customer_id, entries in asked.items():
            keys = LimitKeys(customer_id.bytes)
            parts = [part for entry in entries for part in (entry.kind, entry.span_ms, entry.buckets)]
            script(keys=[keys.holds, keys.held, *(entry.key for entry in entries)], args=parts, client=pipeline)
        answers = pipeline.execute()
    except redis.RedisError:
        return None
    return {
        customer_id: _states(customers[customer_id], asked[customer_id], answer, today)
        for customer_id, answer in zip(asked, answers, strict=True)
    }


def _entries(customer_id: UUID, limits: Limits, today: datetime) -> list[Entry]:
    return entries_of(LimitKeys(customer_id.bytes), limits, today.strftime("%Y-%m-%d"), today.strftime("%Y-%m"))


def _states(
    limits: Limits, entries: Sequence[Entry], counters: Sequence[tuple[bytes, bytes]], today: datetime
) -> list[LimitState]:
    resets = {LimitName.DAILY: _next_day(today), LimitName.MONTHLY: _next_month(today)}
    return [
        _state(entry.name, getattr(limits, entry.name), int(used), int(held), resets.get(entry.name))
        for entry, (used, held) in zip(entries, counters, strict=True)
    ]


def _state(name: LimitName, limit: int | Decimal, used: int, held: int, resets_at: datetime | None) -> LimitState:
    amount = from_pico if name.is_money else Decimal
    return LimitState(name, Decimal(limit), amount(used), amount(held), resets_at)


def _next_day(today: datetime) -> datetime:
    """Midnight, in the same zone."""
    return (today + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _next_month(today: datetime) -> datetime:
    return _next_day(today.replace(day=1) + timedelta(days=31)).replace(day=1)


@lru_cache(maxsize=2)
def _script(redis_url: str) -> RedisScript:
    client = redis.Redis.from_url(redis_url, socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S)
    return client.register_script(Script("state").text)
