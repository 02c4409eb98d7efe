"""Limits hold exactly, however many processes let calls in at once (F1, F3, M1)."""

import asyncio
import itertools
import random
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from apps.limits.scopes import LimitKeys
from tests.faults.failing import price_of
from tests.faults.size import size
from tests.faults.verify import assert_nothing_is_lost, open_holds, settled_of, settled_spend
from tests.rig.calls import chat, mixed
from tests.rig.client import Ask, Load, connect
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import listen, port_of

PROCESSES = 4
AT_ONCE = size(200, 500)
MOST_INPUT = 4096  # tokens that are held for a short prompt at most


@pytest.fixture(scope="module")
def port(installation: Installation):
    """Four processes behind one port."""
    with listen() as listener:
        processes = installation.proxies(PROCESSES, fd=listener.fileno())
        yield port_of(listener)
        for process in processes:
            process.stop()


def _spend_of(installation: Installation, tenant: Tenant, column: str = "organization_id", value: str = "") -> Decimal:
    (row,) = installation.rows(
        f"SELECT coalesce(sum(price), 0) AS price FROM usage_request WHERE organization_id = %s AND {column} = %s",
        tenant.organization,
        value or tenant.organization,
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
    assert 2 <= max(itertools.accumulate(change for _, change in changes)) <= 10  # at the provider
    assert open_holds(installation, tenant) == 0


@pytest.mark.parametrize("round_", range(size(1, 20)))
async def test_spend_never_passes_a_cap(installation: Installation, port: int, round_: int):
    """A call costs less than what is held for it: all are settled, and what fits in the cap was let in."""
    cap = Decimal("1.00")
    tenant = installation.tenant(monthly_cap=str(cap))
    asks = (
        chat(tenant.key, words=f"sandbox:tokens={random.randrange(1200)}", is_streamed=i % 2 == 0, max_tokens=1200)
        for i in range(500)
    )
    seen = await Load(port, asks, at_once=AT_ONCE).run()
    statuses = Counter(one.status for one in seen)
    assert set(statuses) == {200, 402}
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, seen)
    spent = _spend_of(installation, tenant)
    assert Decimal(0) < spent <= cap
    assert settled_spend(installation, tenant) == spent
    assert open_holds(installation, tenant) == 0
    left = cap - await _spent_until_refused(installation, port, tenant)
    assert 0 <= left < price_of(MOST_INPUT, 1200)  # nobody was refused for whom there was room


async def _spent_until_refused(installation: Installation, port: int, tenant: Tenant) -> Decimal:
    """What is spent once one call after the other was made for as long as there is room for them."""
    connection = await connect(port)
    while (await connection.call(chat(tenant.key, words="sandbox:tokens=1200", max_tokens=1200))).status == 200:
        assert await asyncio.to_thread(open_holds, installation, tenant) == 0  # it is settled before the next
    connection.close()
    assert await asyncio.to_thread(installation.desk, "roll_up") == []
    return _spend_of(installation, tenant)


@pytest.mark.parametrize("round_", range(size(1, 20)))
async def test_nested_caps_hold_each_and_all(installation: Installation, port: int, round_: int):
    """Customer, two keys, three end users, all with caps that are reached: none is passed, and each adds up (M4)."""
    customer_cap, key_cap, user_cap = Decimal("1.00"), Decimal("0.40"), Decimal("0.12")
    tenant = installation.tenant(monthly_cap=str(customer_cap))
    keys = [installation.desk("mint", customer=tenant.customer, monthly_cap=str(key_cap)) for _ in range(2)]
    installation.desk("limit_end_user", customer=tenant.customer, monthly_cap=str(user_cap))
    installation.desk("limit_end_user", customer=tenant.customer, end_user="free", total_cap=str(customer_cap * 2))
    users = ["ann", "ben", "cid", "free"]
    asks = (
        _as(
            users[i * 5 % 4],
            chat(
                keys[i % 2]["key"],
                words=f"sandbox:tokens={random.randrange(1200)}",
                is_streamed=i % 3 == 0,
                max_tokens=1200,
            ),
        )
        for i in range(500)
    )
    seen = await Load(port, asks, at_once=AT_ONCE).run()
    assert [one.body for one in seen if one.status not in (200, 402)] == []
    refused_by = {one.headers["tollgate-limit"].split(";")[1] for one in seen if one.status == 402}
    assert refused_by <= {"scope=customer", "scope=key", "scope=end_user"}
    assert len(refused_by) >= 2
    assert await asyncio.to_thread(installation.desk, "roll_up") == []
    customer = UUID(tenant.customer).bytes
    spent = _spend_of(installation, tenant)
    assert Decimal(0) < spent <= customer_cap
    assert settled_spend(installation, tenant) == spent
    for key in keys:
        spent = _spend_of(installation, tenant, "proxy_key_id", key["key_id"])
        assert Decimal(0) < spent <= key_cap
        assert settled_of(installation, LimitKeys.of_key(customer, UUID(key["key_id"]).bytes)) == spent
    for user in users[:3]:
        spent = _spend_of(installation, tenant, "end_user", user)
        assert Decimal(0) < spent <= user_cap
        assert settled_of(installation, LimitKeys.of_end_user(customer, user)) == spent
    assert open_holds(installation, tenant) == 0


async def test_an_end_user_nobody_has_seen_has_the_default_cap_from_the_first_call_on(
    installation: Installation, port: int
):
    """64 first calls at once (M3)."""
    cap = Decimal("0.012")
    tenant = installation.tenant()
    installation.desk("limit_end_user", customer=tenant.customer, total_cap=str(cap))
    asks = (_as("newcomer", chat(tenant.key, words="sandbox:tokens=60", max_tokens=100)) for _ in range(64))
    seen = await Load(port, asks, at_once=64).run()
    assert set(Counter(one.status for one in seen)) == {200, 402}
    assert await asyncio.to_thread(installation.desk, "roll_up") == []
    assert Decimal(0) < _spend_of(installation, tenant, "end_user", "newcomer") <= cap


async def test_a_changed_cap_holds_at_once_and_loses_nothing(installation: Installation, port: int):
    """Edited again and again under load, now and then away altogether (M9)."""
    cap = Decimal("0.04")
    tenant = installation.tenant(monthly_cap=str(cap))
    asks = (chat(tenant.key, words=f"sandbox:tokens={i * 7 % 60}", max_tokens=100) for i in itertools.count())
    load = Load(port, asks, at_once=8)
    async with load.running():
        for round_ in range(size(20, 100)):
            changed = None if round_ % 5 == 4 else str(cap if round_ % 2 else cap / 2)
            await asyncio.to_thread(installation.desk, "limit_customer", customer=tenant.customer, monthly_cap=changed)
            await asyncio.sleep(0.05)
        await asyncio.to_thread(installation.desk, "limit_customer", customer=tenant.customer, monthly_cap="0.000001")
        await asyncio.sleep(1.0)
        closed_from = len(load.seen) + 8
        await asyncio.sleep(0.5)
    assert {one.status for one in load.seen[closed_from:]} == {402}
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, load.seen)
    began = asyncio.get_running_loop().time()
    while settled_spend(installation, tenant) != _spend_of(installation, tenant):
        assert asyncio.get_running_loop().time() - began < 12
        await asyncio.sleep(0.1)


def _as(end_user: str, ask: Ask) -> Ask:
    return replace(ask, headers=ask.headers | {"tollgate-user-id": end_user})
