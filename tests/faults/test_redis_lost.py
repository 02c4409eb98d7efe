"""Redis loses its memory under load: no cap is passed, sums are right again, the uncapped notice nothing (M8)."""

import asyncio
import itertools
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from redis import Redis

from tests.faults.size import size, some
from tests.faults.verify import assert_nothing_is_lost, open_holds, settled_spend
from tests.rig.calls import chat, mixed
from tests.rig.client import Load
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import listen, port_of

PROCESSES = 3
LOSSES = size(1, 6)
CAP = Decimal("0.06")
RIGHT_WITHIN_S = 5.0


async def kill(installation: Installation) -> None:
    """As if the machine had lost its power; it comes back with nothing."""
    installation.redis.process.kill()
    await asyncio.to_thread(installation.redis.process.wait)
    await asyncio.sleep(1.0)
    installation.start_redis()  # not in a thread of the test's: it would end with that


async def empty(installation: Installation) -> None:
    """Somebody empties it. Its connections stay."""
    with Redis.from_url(installation.redis.url) as redis:
        redis.flushall()


async def go_back(installation: Installation) -> None:
    """It dies, and comes back as it was some time ago: sums too low, holds that have ended, none of the new ones."""
    with Redis.from_url(installation.redis.url) as redis:
        redis.save()
    await asyncio.sleep(size(1, 30))
    await kill(installation)
    snapshot = Path(installation.home.data, "redis", "dump.rdb")
    snapshot.unlink()  # noqa: ASYNC240 at once; the next time it is to come back with nothing


@pytest.mark.timeout(600)
@pytest.mark.parametrize("lose", some([go_back, kill, empty], 1))
async def test_no_cap_is_passed_when_redis_loses_its_memory(installation: Installation, lose):
    opened, capped, rich = (
        installation.tenant(),
        installation.tenant(monthly_cap=str(CAP)),
        installation.tenant(monthly_cap="1000", total_cap="1000"),
    )
    some = (
        chat(
            capped.key, words=f"sandbox:pace=2 sandbox:tokens={20 + i * 7 % 60}", is_streamed=i % 2 == 0, max_tokens=100
        )
        for i in itertools.count()
    )
    with listen() as listener, installation.shipping():
        processes = await asyncio.to_thread(installation.proxies, PROCESSES, fd=listener.fileno())
        port = port_of(listener)
        without, under_cap, far_from_it = (
            Load(port, mixed(opened.key), at_once=4),
            Load(port, some, at_once=8),
            Load(port, mixed(rich.key), at_once=4),
        )
        async with without.running(), far_from_it.running(), under_cap.running():
            for _ in range(LOSSES):
                await asyncio.sleep(0.6)
                await lose(installation)
                assert await _served_again(far_from_it) <= RIGHT_WITHIN_S
            await asyncio.sleep(RIGHT_WITHIN_S)
        for tenant in (capped, rich):
            assert await _right_again(installation, tenant) <= RIGHT_WITHIN_S
        for process in processes:
            process.stop()
    assert [one for one in without.seen if not one.is_served] == []
    assert {200, 402} <= set(Counter(one.status for one in under_cap.seen)) <= {200, 402, 503}
    assert set(Counter(one.status for one in far_from_it.seen)) <= {200, 503}
    await asyncio.to_thread(assert_nothing_is_lost, installation, capped, under_cap.seen)
    assert Decimal(0) < _spent(installation, capped) <= CAP
    assert [open_holds(installation, tenant) for tenant in (capped, rich)] == [0, 0]


async def _served_again(load: Load) -> float:
    """How long it takes until a capped call is served again."""
    loop = asyncio.get_running_loop()
    began, from_ = loop.time(), len(load.seen) + 8
    while not any(one.is_served for one in load.seen[from_:]):  # noqa: ASYNC110 it asks
        await asyncio.sleep(0.02)
    return loop.time() - began


async def _right_again(installation: Installation, tenant: Tenant) -> float:
    """How long it takes until Redis has what the database has, to the last digit."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while settled_spend(installation, tenant) != await asyncio.to_thread(_spent, installation, tenant):
        if loop.time() - began > 3 * RIGHT_WITHIN_S:
            break
        await asyncio.sleep(0.05)
    return loop.time() - began


def _spent(installation: Installation, tenant: Tenant) -> Decimal:
    (row,) = installation.rows(
        "SELECT coalesce(sum(price), 0) AS price FROM usage_request WHERE organization_id = %s", tenant.organization
    )
    return row["price"]
