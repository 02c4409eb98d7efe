"""PostgreSQL frozen or gone under load: no call with a key in use fails, and nothing is lost (O1, O2)."""

import asyncio

import pytest

from tests.faults.size import IS_LONG, size
from tests.faults.verify import assert_nothing_is_lost, summary
from tests.rig.calls import mixed
from tests.rig.client import Load
from tests.rig.installation import Installation
from tests.rig.processes import listen, port_of

AWAY_S = size(3, 60)
AT_ONCE = 16
PACED = "sandbox:pace=5"


OPEN: dict[str, object] = {}
CAPPED = {"daily_cap": "1000", "requests_per_minute": 10**6}
only_long = pytest.mark.skipif(not IS_LONG, reason="make faults")


async def _load_while(installation: Installation, limits: dict[str, object], go_away) -> None:
    """Load on two processes while `go_away` runs; then every call was served, and every record agrees."""
    tenant = installation.tenant(**limits)
    with listen() as listener:
        processes = await asyncio.to_thread(installation.proxies, 2, fd=listener.fileno())
        load = Load(port_of(listener), mixed(tenant.key, words=PACED), at_once=AT_ONCE)
        async with load.running():
            await asyncio.sleep(1.0)  # by now every process knows the key and the prices
            before = len(load.seen)
            await go_away()
            during = len(load.seen) - before
            await asyncio.sleep(1.0)
        for process in processes:
            process.stop()
    print(summary(load.seen))
    assert during > AWAY_S * 20
    assert [one for one in load.seen if not one.is_served] == []
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, load.seen)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("limits", [pytest.param(CAPPED, id="capped"), pytest.param(OPEN, id="open", marks=only_long)])
async def test_a_frozen_database_fails_no_call(installation: Installation, limits):
    async def freeze() -> None:
        with installation.postgres_frozen():
            await asyncio.sleep(AWAY_S)

    with installation.shipping():
        await _load_while(installation, limits, freeze)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("limits", [pytest.param(OPEN, id="open"), pytest.param(CAPPED, id="capped", marks=only_long)])
async def test_a_database_that_is_stopped_fails_no_call(installation: Installation, limits):
    async def stop() -> None:
        await asyncio.to_thread(installation.postgres.stop)
        await asyncio.sleep(AWAY_S)
        installation.start_postgres()  # from this thread, since it ends with the one that started it

    with installation.shipping():
        await _load_while(installation, limits, stop)
