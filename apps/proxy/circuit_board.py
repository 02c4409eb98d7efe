"""Tells others of this process's circuits, when one changes. Costs calls nothing: a look a second. Knows no Django.

What is closed is told by taking it away. What isn't is told again every minute, so that a Redis that lost its
memory knows of it again, and what a dead process told ends by itself.
"""

import asyncio
import time
from contextlib import suppress

from apps.keys.circuits import KEPT_S, ToldCircuit, encode, hash_of
from apps.limits.redis_pipe import RedisPipe, RedisRefused, RedisUnavailable
from apps.proxy.attempts import Circuits
from apps.proxy.circuit import Circuit, State

LOOK_S = 1.0
AGAIN_S = 60.0


class CircuitBoard:
    """Of one process. process: a name that no other one has."""

    def __init__(self, circuits: Circuits, pipe: RedisPipe, process: str) -> None:
        self._circuits = circuits
        self._pipe = pipe
        self._process = process
        self._told: dict[bytes, tuple[int, float]] = {}  # by key: how often it had changed, and when that was told

    def __repr__(self) -> str:
        return f"<CircuitBoard of {len(self._circuits)} keys, {len(self._told)} told>"

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            for key_id, circuit in list(self._circuits.items()):
                with suppress(RedisUnavailable, RedisRefused):  # then the next time
                    await self._tell(key_id, circuit, time.monotonic())

    async def take_down(self) -> None:
        """Nothing of this process holds any more."""
        with suppress(RedisUnavailable, RedisRefused):
            for key_id in self._told:
                await self._pipe.call("HDEL", hash_of(key_id), self._process)

    async def _tell(self, key_id: bytes, circuit: Circuit, now: float) -> None:
        known = self._told.get(key_id)
        name, changes = hash_of(key_id), circuit.changes
        if circuit.is_untroubled(now):
            if known is not None:
                await self._pipe.call("HDEL", name, self._process)
                del self._told[key_id]
        elif known is None or changes != known[0] or now >= known[1] + AGAIN_S:
            await self._pipe.call("HSET", name, self._process, encode(told_of(circuit, now, time.time())))
            await self._pipe.call("EXPIRE", name, KEPT_S)
            self._told[key_id] = changes, now


def told_of(circuit: Circuit, now: float, wall: float) -> ToldCircuit:
    """As others see it. now: on the circuit's clock; wall: the same instant in Unix time."""
    opened_at = circuit.opened_at if circuit.state(now) is not State.CLOSED else 0.0
    tries_at = circuit.closes_at(now)
    return ToldCircuit(circuit.failures, wall - (now - opened_at) if opened_at else 0.0, wall + (tries_at - now))
