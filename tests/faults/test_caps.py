"""A cap holds at every instant, though the processes that hold money under it are killed (M2, C7)."""

import asyncio
import itertools
import random
from collections import Counter
from decimal import Decimal
from uuid import UUID

import pytest

from apps.limits.limiter import LIFETIME_MS
from apps.limits.scopes import LimitKeys
from tests.faults.size import IS_LONG, size
from tests.faults.verify import assert_nothing_is_lost, committed_of, committed_spend, open_holds
from tests.rig.calls import chat
from tests.rig.client import Load, call
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import Process, listen, port_of

PROCESSES = 3
KILLS = size(2, 20)
CALLS = size(500, 4_000)
CAP = Decimal("0.08")
KEY_CAP = Decimal("0.03")


@pytest.mark.timeout(size(300, 900))
async def test_held_and_settled_never_pass_the_cap_through_kills(installation: Installation):
    tenant = installation.tenant(monthly_cap=str(CAP))
    minted = installation.desk("mint", customer=tenant.customer, monthly_cap=str(KEY_CAP))
    of_key = LimitKeys.of_key(UUID(tenant.customer).bytes, UUID(minted["key_id"]).bytes)
    asks = (
        chat(
            (tenant.key, minted["key"])[i % 2],
            words=f"sandbox:pace=2 sandbox:tokens={i * 7 % 60}",
            is_streamed=i % 2 == 0,
            max_tokens=100,
        )
        for i in itertools.count()
    )
    with listen() as listener:
        fd = listener.fileno()
        processes = await asyncio.to_thread(installation.proxies, PROCESSES, fd=fd)
        load = Load(port_of(listener), itertools.islice(asks, CALLS), at_once=100)
        running = asyncio.create_task(load.run())
        killing = asyncio.create_task(_kill_some(installation, fd, processes))
        most = most_of_key = Decimal(0)
        while not running.done():
            most = max(most, committed_spend(installation, tenant))
            most_of_key = max(most_of_key, committed_of(installation, of_key))
            await asyncio.sleep(0.01)
        await killing
        if IS_LONG:
            await assert_none_outlives_its_time(installation, port_of(listener), tenant)
    seen = await running
    assert Decimal(0) < most <= CAP
    assert Decimal(0) < most_of_key <= KEY_CAP
    assert {200, 402} <= set(Counter(one.status for one in seen))
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, seen)
    (spent,) = installation.rows(
        "SELECT sum(price) AS price, sum(price) FILTER (WHERE proxy_key_id = %s) AS of_key "
        "FROM usage_request WHERE organization_id = %s",
        minted["key_id"],
        tenant.organization,
    )
    assert Decimal(0) < spent["price"] <= CAP
    assert Decimal(0) < spent["of_key"] <= KEY_CAP


async def test_never_more_at_once_than_allowed_through_kills(installation: Installation):
    """F3. What the dead held counts until its time is over: fewer are let in meanwhile, and never more."""
    tenant = installation.tenant(max_concurrent=10)
    asks = (chat(tenant.key, words="sandbox:first=100") for _ in itertools.count())
    with listen() as listener:
        fd = listener.fileno()
        processes = await asyncio.to_thread(installation.proxies, PROCESSES, fd=fd)
        load = Load(port_of(listener), asks, at_once=30)
        async with load.running():
            await _kill_some(installation, fd, processes, times=2)
            await asyncio.sleep(0.5)
    assert {200, 429} <= set(Counter(one.status for one in load.seen))
    nonces = {one.nonce for one in load.seen}
    lines = [line for line in installation.provider_calls() if line["nonce"] in nonces]
    changes = sorted([(line["began"], 1) for line in lines] + [(line["ended"], -1) for line in lines])
    assert 0 < max(itertools.accumulate(change for _, change in changes)) <= 10
    assert open_holds(installation, tenant) <= 10
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, load.seen)


async def assert_none_outlives_its_time(installation: Installation, port: int, tenant: Tenant) -> None:
    """Holds of the dead end, once their time is over and the next call comes."""
    await asyncio.sleep(LIFETIME_MS / 1000 + 5)
    await call(port, chat(tenant.key, words="sandbox:tokens=1", max_tokens=1))
    assert open_holds(installation, tenant) == 0


async def _kill_some(installation: Installation, fd: int, processes: list[Process], times: int = KILLS) -> None:
    """Every half second one of the processes is killed, and another takes its place."""
    for _ in range(times):
        await asyncio.sleep(0.5)
        processes.pop(random.randrange(len(processes))).kill()
        processes += await asyncio.to_thread(installation.proxies, 1, fd=fd)
