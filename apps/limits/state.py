"""Where a customer stands with its limits now, for pages. Reads what the limiter's scripts keep."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import redis
from django.conf import settings

from apps.limits.limiter import BUCKETS, MINUTE_MS, LimitKeys, LimitName, Limits, from_pico

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
    keys = LimitKeys(customer_id.bytes)
    today = at.astimezone(zone)
    day, month = today.strftime("%Y-%m-%d"), today.strftime("%Y-%m")
    try:
        pipeline = _redis(settings.REDIS_URL).pipeline(transaction=False)
        pipeline.hgetall(keys.requests)
        pipeline.hgetall(keys.tokens)
        pipeline.zcount(keys.concurrent, time.time() * 1000, "+inf")
        pipeline.hmget(keys.spend + day, "held", "settled")
        pipeline.hmget(keys.spend + month, "held", "settled")
        requests, tokens, concurrent, daily, monthly = pipeline.execute()
    except redis.RedisError:
        return None
    midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
    first = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
    states = [
        _state(LimitName.REQUESTS, limits.requests_per_minute, _in_window(requests)),
        _state(LimitName.TOKENS, limits.tokens_per_minute, _in_window(tokens)),
        _state(LimitName.CONCURRENT, limits.max_concurrent, Decimal(concurrent)),
        _state(LimitName.DAILY, limits.daily_cap, *_money(daily), resets_at=midnight + timedelta(days=1)),
        _state(LimitName.MONTHLY, limits.monthly_cap, *_money(monthly), resets_at=first),
    ]
    return [state for state in states if state is not None]


def _state(
    name: LimitName,
    limit: int | Decimal | None,
    used: Decimal,
    held: Decimal = Decimal(0),
    resets_at: datetime | None = None,
) -> LimitState | None:
    return None if limit is None else LimitState(name, Decimal(limit), used, held, resets_at)


def _in_window(state: dict[bytes, bytes]) -> Decimal:
    """The sum of the buckets that have not left the minute: the script forgets the others when it next runs."""
    first = int(time.time() * 1000) * BUCKETS // MINUTE_MS - BUCKETS
    return Decimal(sum(int(sum_) for bucket, sum_ in state.items() if bucket.isdigit() and int(bucket) >= first))


def _money(state: list[Any]) -> tuple[Decimal, Decimal]:
    """Used and held, in USD."""
    held, settled = (from_pico(int(amount or 0)) for amount in state)
    return settled, held


@lru_cache(maxsize=2)
def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S)
