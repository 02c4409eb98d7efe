"""Redis frozen under load: calls without limits go on, capped ones are refused at once, and it heals (O4)."""

import asyncio
import os
import signal
from collections import Counter

import pytest

from tests.faults.size import size
from tests.faults.verify import assert_nothing_is_lost
from tests.rig.calls import chat, mixed
from tests.rig.client import Load, connect
from tests.rig.installation import Installation
from tests.rig.processes import listen, port_of

AWAY_S = size(4, 60)
SLOWEST_S = 0.75  # 250 ms for Redis, then nothing; the rest is a busy machine
HEALED_WITHIN_S = 5.0


@pytest.mark.timeout(300)
async def test_a_frozen_redis_stops_only_whom_it_must(installation: Installation):
    opened, capped = installation.tenant(), installation.tenant(monthly_cap="1000")
    with listen() as listener:
        (process,) = await asyncio.to_thread(installation.proxies, 1, fd=listener.fileno())
        port = port_of(listener)
        without = Load(port, mixed(opened.key), at_once=4)
        under_cap = Load(port, mixed(capped.key), at_once=4)
        async with without.running(), under_cap.running():
            await asyncio.sleep(1.0)
            frozen_from = len(under_cap.seen)
            os.kill(installation.redis.process.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(AWAY_S)
                frozen_to = len(under_cap.seen)
            finally:
                os.kill(installation.redis.process.pid, signal.SIGCONT)
            assert await _healed_within(port, capped.key) <= HEALED_WITHIN_S
        process.stop()
    meanwhile = under_cap.seen[frozen_from + 4 : frozen_to]  # but for those under way
    assert [one for one in without.seen if not one.is_served] == []
    assert Counter(one.status for one in meanwhile) == {503: len(meanwhile)}
    assert len(meanwhile) > AWAY_S * 20
    assert max(one.latency_s for one in (*without.seen, *meanwhile)) <= SLOWEST_S
    await asyncio.to_thread(assert_nothing_is_lost, installation, opened, without.seen)
    await asyncio.to_thread(assert_nothing_is_lost, installation, capped, under_cap.seen)
    assert process.said().count("Redis is away") <= 5, process.said()  # a busy machine is away now and then, too


async def _healed_within(port: int, key: str) -> float:
    """How long it takes until a capped call is let in again."""
    connection = await connect(port)
    began = asyncio.get_running_loop().time()
    while not (await connection.call(chat(key))).is_served:  # noqa: ASYNC110 it asks
        await asyncio.sleep(0.02)
    connection.close()
    return asyncio.get_running_loop().time() - began
