"""The process dies at each named place in turn: stronger than any number of kills by chance (L2, L5)."""

import asyncio
import itertools
import re
from pathlib import Path

import pytest

from tests.faults.size import IS_LONG
from tests.faults.verify import assert_nothing_is_lost, open_holds, settled_spend, summary
from tests.rig.calls import mixed
from tests.rig.client import Load, Seen
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import ROOT, listen, port_of

IN_THE_PROXY = [
    "after_auth",
    "before_intent",
    "before_admit",
    "after_admit",
    "after_intent_write",
    "after_intent_fsync",
    "after_connect",
    "after_request_sent",
    "after_first_byte",
    "mid_stream",
    "after_usage_seen",
    "before_record",
    "after_record_write",
    "after_record_fsync",
    "before_settle",
    "after_settle",
    "before_last_chunk",
    "after_last_chunk",
]
SOME_IN_THE_PROXY = [  # on each side of each thing that is made to last; all of them by `make faults`
    "after_admit",
    "after_intent_fsync",
    "mid_stream",
    "after_record_write",
    "after_record_fsync",
    "after_last_chunk",
]
IN_SHIPPING = ["ship_after_commit", "ship_after_copy", "ship_after_batch_row", "ship_before_delete"]
IN_ROLLING_UP = ["rollup_before_commit", "rollup_after_claim"]
HERE = {*IN_THE_PROXY, *IN_SHIPPING, *IN_ROLLING_UP}
CALLS = 60
AT_ONCE = 8
NTH = 10  # of the times that the place is reached: others are under way by then
RARE = {"after_connect": 3, "after_intent_write": 3, "after_intent_fsync": 3}  # connections are kept, syncs shared


def test_every_failpoint_is_tried():
    """Those of the calls themselves here, those of other rooms in the tests of these."""
    reached = set()
    for file in (ROOT / "apps").rglob("*.py"):
        for name in re.findall(r'\breach\(f?"([^"]+)"\)', file.read_text()):
            kinds = ("intent", "record") if "{kind}" in name else ("",)
            reached |= {name.replace("{kind}", kind) for kind in kinds}
    tests = [file.read_text() for file in (ROOT / "tests").rglob("*.py") if file != Path(__file__)]
    elsewhere = {name for name in reached - HERE if any(name in text for text in tests)}
    assert reached == HERE | elsewhere


async def _load_on_failing(installation: Installation, tenant: Tenant, failure: str) -> tuple[list[Seen], bool]:
    """Load on a proxy that fails so, until it dies or all calls are made. Also: whether it died."""
    with listen() as listener:
        fd = listener.fileno()
        (process,) = await asyncio.to_thread(installation.proxies, 1, fd=fd, env={"TOLLGATE_FAIL": failure})
        asks = itertools.islice(mixed(tenant.key), CALLS)
        load = Load(port_of(listener), asks, at_once=AT_ONCE)
        running = asyncio.create_task(load.run())
        while process.is_running and not running.done():  # noqa: ASYNC110 two things to wait for
            await asyncio.sleep(0.005)
        if died := not process.is_running:
            load.stop()
            listener.close()  # whoever still waits in its queue is told
        seen = await running
        if not died:
            process.stop()
    print(failure, summary(seen))
    return seen, died


@pytest.mark.parametrize("name", IN_THE_PROXY if IS_LONG else SOME_IN_THE_PROXY)
async def test_a_kill_loses_nothing(installation: Installation, name: str):
    tenant = installation.tenant()
    seen, died = await _load_on_failing(installation, tenant, f"{name}:kill:{RARE.get(name, NTH)}")
    assert died
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, seen)


@pytest.mark.skipif(not IS_LONG, reason="make faults")
@pytest.mark.parametrize("what", ["raise", "cancel", "sleep"])
@pytest.mark.parametrize("name", IN_THE_PROXY)
async def test_a_failure_loses_nothing_and_leaves_no_hold(installation: Installation, name: str, what: str):
    tenant = installation.tenant(max_concurrent=100, monthly_cap="1000")
    seen, died = await _load_on_failing(installation, tenant, f"{name}:{what}:{RARE.get(name, NTH)}")
    assert not died
    assert sum(one.is_served for one in seen) >= CALLS - (AT_ONCE if "_write" in name or "_fsync" in name else 1)
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, seen)
    if name == "before_settle" and what != "sleep":  # nothing of ours fails there; if it did, the hold would expire
        assert open_holds(installation, tenant) == 1
        return
    assert open_holds(installation, tenant) == 0
    (total,) = installation.rows(
        "SELECT coalesce(sum(price), 0) AS price FROM usage_request WHERE organization_id = %s", tenant.organization
    )
    assert settled_spend(installation, tenant) == total["price"]


@pytest.mark.parametrize(
    "name", [*IN_SHIPPING, *IN_ROLLING_UP] if IS_LONG else ["ship_after_commit", "rollup_before_commit"]
)
async def test_a_kill_of_the_worker_neither_loses_nor_doubles(installation: Installation, name: str):
    tenant = installation.tenant()
    seen, _ = await _load_on_failing(installation, tenant, "")
    assert all(one.is_served for one in seen)
    installation.run("rollup", env={"TOLLGATE_FAIL": f"{name}:kill:1"}, check=False)
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, seen)
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, seen)  # and again changes nothing
