"""PostgreSQL frozen, gone or killed under load: no call with a key in use fails, and nothing is lost (O1, O2). Not
there when a proxy starts: calls are refused with 503 until it is, and none is taken for a stranger's (O3).
"""

import asyncio
import json
from collections import Counter

import pytest

from tests.faults.size import IS_LONG, size
from tests.faults.verify import assert_nothing_is_lost, summary
from tests.rig.calls import chat, mixed
from tests.rig.client import Load, call
from tests.rig.installation import Installation
from tests.rig.processes import listen, port_of

AWAY_S = size(3, 60)
AT_ONCE = 16
PACED = "sandbox:pace=5"
SERVED_WITHIN_S = 10.0


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
            while len(load.seen) < 20 * AT_ONCE:  # noqa: ASYNC110 (by then every process knows the key and the prices)
                await asyncio.sleep(0.01)
            before = len(load.seen)
            await go_away()
            during = len(load.seen) - before
            await asyncio.sleep(1.0)
        for process in processes:
            process.stop()
    print(summary(load.seen))
    assert during > 2 * AT_ONCE  # so of those that ended meanwhile, some began meanwhile
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


@only_long
@pytest.mark.timeout(300)
async def test_a_database_that_is_killed_fails_no_call(installation: Installation):
    async def kill() -> None:
        installation.postgres.process.kill()
        await asyncio.to_thread(installation.postgres.process.wait)
        await asyncio.sleep(AWAY_S)
        installation.start_postgres()

    with installation.shipping():
        await _load_while(installation, CAPPED, kill)


@pytest.mark.timeout(300)
async def test_connections_that_are_ended_again_and_again_fail_no_call(installation: Installation):
    ended: Counter[str] = Counter()

    async def end_all() -> None:
        for _ in range(AWAY_S * 2):
            ended.update(await asyncio.to_thread(_end_connections, installation))
            await asyncio.sleep(0.5)

    with installation.shipping():
        await _load_while(installation, CAPPED, end_all)
    assert sum(ended.values()) >= AWAY_S


def _end_connections(installation: Installation) -> list[str]:
    """Of all but ourselves. Returns whose they were."""
    rows = installation.rows(
        "SELECT application_name AS name, pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    return [row["name"] for row in rows]


@pytest.mark.timeout(300)
async def test_a_proxy_starts_without_a_database_and_serves_once_it_is_there(installation: Installation):
    tenant = installation.tenant(monthly_cap="1000")
    await asyncio.to_thread(installation.postgres.stop)
    try:
        with listen() as listener:
            (process,) = await asyncio.to_thread(installation.proxies, 1, fd=listener.fileno())
            port = port_of(listener)
            waiting = [await call(port, chat(tenant.key)) for _ in range(AWAY_S)]
            assert {one.status for one in waiting} == {503}
            assert all(int(one.headers["retry-after"]) > 0 for one in waiting)
            assert "cannot be looked up" in json.loads(waiting[0].body)["error"]["message"]
            installation.start_postgres()
            seen = [await call(port, chat(tenant.key))]
            began = asyncio.get_running_loop().time()
            while not seen[-1].is_served:
                assert asyncio.get_running_loop().time() - began < SERVED_WITHIN_S, seen[-1].body
                await asyncio.sleep(0.1)
                seen.append(await call(port, chat(tenant.key)))
            process.stop()
    finally:
        if installation.postgres.process.poll() is not None:
            installation.start_postgres()
    assert {one.status for one in seen} <= {200, 503}
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, [one for one in seen if one.is_served])
