"""Whether provider keys are left alone by the proxies just now, for pages."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import cast
from uuid import UUID

import msgspec
import redis
from django.conf import settings

from apps.keys.circuits import ToldCircuit, decode, hash_of

PATIENCE_S = 0.5


@dataclass(frozen=True)
class CircuitState:
    """Of one key, over all processes: what most stands in the way.

    opened_at: since when no calls go through, in the process where that is so for the longest; None: they all do.
    tries_at: when the next call tries it; past: it may now (half-open).
    """

    failures: int
    opened_at: datetime | None
    tries_at: datetime | None
    processes: int  # in which it is open or half-open
    is_half_open: bool

    @property
    def is_open(self) -> bool:
        return self.opened_at is not None and not self.is_half_open


def circuit_states(key_ids: Collection[UUID], *, at: datetime) -> dict[UUID, CircuitState] | None:
    """Those of keys that failed lately; the others' are closed. None while Redis is away."""
    if not key_ids:
        return {}
    pipe = _redis(settings.REDIS_URL).pipeline(transaction=False)
    for key_id in key_ids:
        pipe.hvals(hash_of(key_id.bytes))
    try:
        answers = cast("list[list[bytes]]", pipe.execute())
    except redis.RedisError:
        return None
    told = {key_id: _readable(values) for key_id, values in zip(key_ids, answers, strict=True)}
    return {key_id: summed(circuits, at=at) for key_id, circuits in told.items() if circuits}


def summed(circuits: Collection[ToldCircuit], *, at: datetime) -> CircuitState:
    """What many processes say of one key."""
    failures = max(circuit.failures for circuit in circuits)
    opened = [circuit for circuit in circuits if circuit.opened_at]
    if not opened:
        return CircuitState(failures, None, None, 0, is_half_open=False)
    tries_at = datetime.fromtimestamp(max(circuit.tries_at for circuit in opened), UTC)
    opened_at = datetime.fromtimestamp(min(circuit.opened_at for circuit in opened), UTC)
    return CircuitState(failures, opened_at, tries_at, len(opened), is_half_open=tries_at <= at)


def _readable(values: Collection[bytes]) -> list[ToldCircuit]:
    """A process of another version may say it in other words."""
    found = []
    for value in values:
        try:
            found.append(decode(value))
        except msgspec.DecodeError:
            continue
    return found


@lru_cache(maxsize=2)
def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S)
