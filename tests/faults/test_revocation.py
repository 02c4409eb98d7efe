"""A revoked key is refused within a second by every process, under load (K1); also after a cut (K2).

Times are on the monotonic clock, which all processes of a machine share.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.faults.size import size
from tests.rig.calls import chat, mixed
from tests.rig.client import Load, connect
from tests.rig.installation import Installation
from tests.rig.processes import listen, port_of
from tests.wire.faultproxy import FaultProxy

PROCESSES = 4
TIMES = size(12, 50)
WITHIN_S = 1.0
STEP_S = 0.01


@dataclass(frozen=True)
class Serving:
    """Processes that each have a port of their own, so that each of them can be asked."""

    installation: Installation
    ports: list[int]


@contextlib.asynccontextmanager
async def _serving(installation: Installation, count: int, **env: str) -> AsyncIterator[Serving]:
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(listen()) for _ in range(count)]
        start = [asyncio.to_thread(installation.proxies, 1, fd=one.fileno(), env=env) for one in listeners]
        processes = [process for (process,) in await asyncio.gather(*start)]
        yield Serving(installation, [port_of(listener) for listener in listeners])
        for process in processes:
            process.stop()


class Asking:
    """Asks a process again and again with a key, until it is refused."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key
        self.accepted = 0
        self.last_at = 0.0  # when the last call that was let in began, on the monotonic clock
        self.refused_with = 0
        self._task = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        connection = await connect(self._port)
        while not self.refused_with:
            seen = await connection.call(chat(self._key))
            if seen.status == 200:
                self.accepted += 1
                self.last_at = seen.began
                await asyncio.sleep(STEP_S)
            else:
                self.refused_with = seen.status
        connection.close()

    async def in_use(self) -> None:
        """Returns once the process has served the key for a while."""
        while self.accepted < 5 and not self._task.done():  # noqa: ASYNC110 a counter has no event
            await asyncio.sleep(STEP_S)

    async def refused(self) -> int:
        """Returns the status that it was refused with; 0 where it was not within a few seconds."""
        await asyncio.wait([self._task], timeout=5.0)
        self._task.cancel()
        return self.refused_with


async def _revoke_once(serving: Serving, customer: str) -> float:
    """Revoke a key in use. Returns how long after that a process still let a call in, in seconds."""
    minted = await asyncio.to_thread(serving.installation.desk, "mint", customer=customer)
    asking = [Asking(port, minted["key"]) for port in serving.ports]
    await asyncio.gather(*(one.in_use() for one in asking))
    revoked = await asyncio.to_thread(serving.installation.desk, "revoke", key_id=minted["key_id"])
    assert [await one.refused() for one in asking] == [401] * len(asking)
    return max(one.last_at for one in asking) - revoked


@pytest.mark.timeout(300)
async def test_a_revoked_key_is_refused_within_a_second(installation: Installation):
    tenant = installation.tenant()
    async with _serving(installation, PROCESSES) as serving:
        loads = [Load(port, mixed(tenant.key), at_once=4) for port in serving.ports]
        async with contextlib.AsyncExitStack() as stack:
            for load in loads:
                await stack.enter_async_context(load.running())
            late = [await _revoke_once(serving, tenant.customer) for _ in range(TIMES)]
    assert max(late) <= WITHIN_S
    assert [one for load in loads for one in load.seen if not one.is_served] == []


@contextlib.asynccontextmanager
async def _behind_cables(installation: Installation) -> AsyncIterator[tuple[FaultProxy, FaultProxy, dict[str, str]]]:
    """PostgreSQL and Redis behind cables that can be pulled; and the environment that goes through them."""
    redis_path = urlsplit(installation.redis.url).path
    async with (
        FaultProxy(f"{installation.home.run}/.s.PGSQL.5432") as database,
        FaultProxy(redis_path) as redis,
    ):
        yield (
            database,
            redis,
            {
                "DATABASE_URL": f"postgres://tollgate@127.0.0.1:{database.port}/tollgate",
                "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
            },
        )


def _pull(cable: FaultProxy) -> None:
    cable.is_refusing = True
    cable.reset_all()


async def test_a_key_revoked_while_cut_off_is_refused_once_that_is_healed(installation: Installation):
    tenant = installation.tenant()
    async with (
        _behind_cables(installation) as (database, redis, env),
        _serving(installation, 1, **env) as serving,
    ):
        asking = Asking(serving.ports[0], tenant.key)
        await asking.in_use()
        _pull(database)
        _pull(redis)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(installation.desk, "revoke", key_id=tenant.key_id)
        await asyncio.sleep(1.0)
        assert asking.refused_with == 0  # cut off, the process goes by what it last knew
        database.is_refusing = False
        accepted = database.accepted
        while database.accepted == accepted:  # noqa: ASYNC110 a counter has no event
            await asyncio.sleep(STEP_S)
        connected = time.monotonic()
        assert await asking.refused() == 401
    assert asking.last_at - connected <= WITHIN_S


CUTS = [  # which way is cut, and how the key is refused: nothing can be looked up in a database that is away
    ("database", 503),
    ("redis", 401),
]


@pytest.mark.parametrize(("cut", "status"), CUTS)
async def test_one_of_the_two_ways_is_enough(installation: Installation, cut: str, status: int):
    tenant = installation.tenant()
    async with (
        _behind_cables(installation) as (database, redis, env),
        _serving(installation, 1, **env) as serving,
    ):
        asking = Asking(serving.ports[0], tenant.key)
        await asking.in_use()
        _pull({"database": database, "redis": redis}[cut])
        await asyncio.sleep(0.2)
        revoked = await asyncio.to_thread(installation.desk, "revoke", key_id=tenant.key_id)
        assert await asking.refused() == status
    assert asking.last_at - revoked <= WITHIN_S
