"""What a process tells of its circuits, and what a page makes of what many tell."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.conf import settings

from apps.keys.circuit_states import CircuitState, circuit_states, summed
from apps.keys.circuits import ToldCircuit
from apps.limits.redis_pipe import RedisPipe
from apps.proxy.circuit import FAILURES, OPEN_S, Circuit
from apps.proxy.circuit_board import AGAIN_S, CircuitBoard
from tests.limits.conftest import until_open

KEY = uuid4()
AT = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
async def pipe(redis) -> AsyncIterator[RedisPipe]:
    pipe = RedisPipe(settings.REDIS_URL)
    pipe.start()
    await until_open(pipe)
    yield pipe
    await pipe.stop()


class Process:
    """One that has a circuit for KEY."""

    def __init__(self, pipe: RedisPipe, name: str) -> None:
        self.circuit = Circuit()
        self.board = CircuitBoard({KEY.bytes: self.circuit}, pipe, name)
        self.now = time.monotonic()

    def fail(self, times: int = FAILURES) -> None:
        for _ in range(times):
            self.circuit.fail(self.now)

    async def tell(self, *, after_s: float = 0.0) -> None:
        await self.board._tell(KEY.bytes, self.circuit, self.now + after_s)


def state() -> CircuitState | None:
    found = circuit_states([KEY], at=datetime.now(UTC))
    assert found is not None
    return found.get(KEY)


async def test_a_circuit_that_opens_and_closes_is_seen_by_others(pipe):
    process = Process(pipe, "one")
    await process.tell()
    assert state() is None
    process.fail()
    await process.tell()
    told = state()
    assert (told.failures, told.is_open, told.processes) == (FAILURES, True, 1)
    assert told.tries_at - told.opened_at == pytest.approx(timedelta(seconds=OPEN_S), abs=timedelta(seconds=2))
    process.circuit.succeed()
    await process.tell()
    assert state() is None


async def test_failures_show_before_it_opens(pipe):
    process = Process(pipe, "one")
    process.fail(2)
    await process.tell()
    assert (state().failures, state().opened_at, state().is_open) == (2, None, False)


async def test_it_is_told_when_it_changes_and_else_once_a_minute(pipe, redis):
    process = Process(pipe, "one")
    process.fail()
    await process.tell()
    redis.flushdb()
    await process.tell(after_s=AGAIN_S - 1)
    assert state() is None
    await process.tell(after_s=AGAIN_S)
    assert state() is not None
    ((name,),) = [redis.keys("tollgate:circuit:*")]
    assert 0 < redis.ttl(name) <= 600


async def test_a_key_that_rested_is_closed_again_by_itself(pipe):
    process = Process(pipe, "one")
    process.circuit.rest(process.now, 5)
    await process.tell()
    assert state().is_open
    await process.tell(after_s=5)
    assert state() is None


async def test_a_process_that_ends_takes_its_own_down(pipe):
    one, other = Process(pipe, "one"), Process(pipe, "other")
    for process in (one, other):
        process.fail()
        await process.tell()
    assert state().processes == 2
    await one.board.take_down()
    assert state().processes == 1


SUMS = [
    pytest.param([(2, 0, 0)], (2, None, 0, False), id="closed"),
    pytest.param([(5, -10, 20)], (5, -10, 1, False), id="open"),
    pytest.param([(5, -40, -10)], (5, -40, 1, True), id="half-open"),
    pytest.param([(5, -40, -10), (7, -20, 10), (1, 0, 0)], (7, -40, 2, False), id="the-worst-of-many"),
]


@pytest.mark.parametrize(("told", "expected"), SUMS)
def test_many_processes_in_one_line(told, expected):
    base = AT.timestamp()
    found = summed([ToldCircuit(f, base + o if o else 0.0, base + t) for f, o, t in told], at=AT)
    opened = None if found.opened_at is None else (found.opened_at - AT).total_seconds()
    assert (found.failures, opened, found.processes, found.is_half_open) == expected


def test_redis_away_is_not_known(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1"
    assert circuit_states([UUID(int=1)], at=AT) is None
