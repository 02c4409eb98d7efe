"""`kill -9` of the server under load: what a client saw the end of has exactly one record (L1)."""

import asyncio
import itertools
import random
import socket

import pytest

from tests.faults.size import size
from tests.faults.verify import assert_nothing_is_lost, summary
from tests.rig.calls import mixed
from tests.rig.client import Load
from tests.rig.installation import Installation
from tests.rig.processes import listen, port_of

ROUNDS = size(1, 20)
CALLS = size(1_000, 10_000)
AT_ONCE = 64
KILLS = size(2, 4)  # in a round
PACED = "sandbox:pace=1"  # so that streams take a while, and some are under way at every kill


@pytest.mark.timeout(600)
@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_nothing_is_lost_or_doubled_by_kills_under_load(installation: Installation, round_: int):
    seed = random.randrange(10**9)
    print("seed", seed)
    tenant = installation.tenant()
    with listen() as listener:
        asks = itertools.islice(mixed(tenant.key, words=PACED), CALLS)
        load = Load(port_of(listener), asks, at_once=AT_ONCE)
        killing = asyncio.create_task(_kill_again_and_again(installation, listener, load, random.Random(seed)))
        seen = await load.run()
        kills = await killing
    print(summary(seen))
    assert len(seen) == CALLS
    assert kills == KILLS
    assert sum(one.is_served for one in seen) > CALLS / 2
    await asyncio.to_thread(installation.run, "rollup")
    await asyncio.to_thread(installation.run, "audit")
    known = [one for one in seen if b"Keys cannot be looked up" not in one.body]  # of others, nobody knows whose
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, known)


async def _kill_again_and_again(
    installation: Installation, listener: socket.socket, load: Load, chance: random.Random
) -> int:
    """Have one process serve, killed at moments that nobody chose; the last one stays. Returns the kills."""
    fd = listener.fileno()
    for number in range(KILLS):
        (process,) = await asyncio.to_thread(installation.proxies, 1, fd=fd)
        share = (number + chance.random()) / (KILLS + 1)
        while len(load.seen) < CALLS * share:  # noqa: ASYNC110 the load is what it waits for
            await asyncio.sleep(0.001)
        process.kill()
    await asyncio.to_thread(installation.proxies, 1, fd=fd)
    return KILLS
