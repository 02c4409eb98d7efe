"""Limits hold exactly, however many processes let calls in at once (F1, F3, M1)."""

import asyncio
import itertools
from collections import Counter
from decimal import Decimal

import pytest

from tests.faults.size import size
from tests.faults.verify import assert_nothing_is_lost, open_holds, settled_spend
from tests.rig.calls import chat, mixed
from tests.rig.client import Load
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import listen, port_of

PROCESSES = 4


@pytest.fixture(scope="module")
def port(installation: Installation):
    """Four processes behind one port."""
    with listen() as listener:
        processes = installation.proxies(PROCESSES, fd=listener.fileno())
        yield port_of(listener)
        for process in processes:
            process.stop()


def _spend_of(installation: Installation, tenant: Tenant) -> Decimal:
    (row,) = installation.rows(
        "SELECT coalesce(sum(price), 0) AS price FROM usage_request WHERE organization_id = %s", tenant.organization
    )
    return row["price"]


@pytest.mark.parametrize("round_", range(size(2, 10)))
async def test_a_hundred_a_minute_are_exactly_a_hundred(installation: Installation, port: int, round_: int):
    tenant = installation.tenant(requests_per_minute=100)
    load = Load(port, itertools.islice(mixed(tenant.key), 400), at_once=400)
    seen = await load.run()
    assert Counter(one.status for one in seen) == {200: 100, 429: 300}
    assert all(0 < int(one.headers["retry-after"]) <= 61 for one in seen if one.status == 429)
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, seen)


async def test_never_more_at_once_than_allowed(installation: Installation, port: int):
    tenant = installation.tenant(max_concurrent=10)
    asks = (chat(tenant.key, words="sandbox:first=150") for _ in range(120))
    seen = await Load(port, asks, at_once=60).run()
    assert {one.status for one in seen} == {200, 429}
    nonces = {one.nonce for one in seen}
    lines = [line for line in installation.provider_calls() if line["nonce"] in nonces]
    changes = sorted([(line["began"], 1) for line in lines] + [(line["ended"], -1) for line in lines])
    assert max(itertools.accumulate(change for _, change in changes)) == 10  # at the provider
    assert open_holds(installation, tenant) == 0


@pytest.mark.parametrize("round_", range(size(1, 20)))
async def test_spend_never_passes_a_cap(installation: Installation, port: int, round_: int):
    """A call costs less than what is held for it: all are settled, and what fits in the cap was let in."""
    cap = Decimal("0.05")
    tenant = installation.tenant(monthly_cap=str(cap))
    asks = (
        chat(tenant.key, words=f"sandbox:tokens={20 + i * 7 % 60}", is_streamed=i % 2 == 0, max_tokens=100)
        for i in range(400)
    )
    seen = await Load(port, asks, at_once=200).run()
    statuses = Counter(one.status for one in seen)
    assert set(statuses) == {200, 402}
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, seen)
    spent = _spend_of(installation, tenant)
    assert Decimal(0) < spent <= cap
    assert settled_spend(installation, tenant) == spent
    assert open_holds(installation, tenant) == 0
