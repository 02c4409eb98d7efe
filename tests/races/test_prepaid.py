"""Prepaid credit is a hard cap, however many processes let calls in at once; a top-up opens it again at once."""

import asyncio
import itertools
import random
import time
from collections import Counter
from decimal import Decimal
from uuid import UUID

import pytest
from redis import Redis

from apps.limits.scopes import LimitKeys
from apps.limits.terms import from_pico
from tests.faults.verify import assert_nothing_is_lost, open_holds
from tests.rig.calls import chat
from tests.rig.client import Load
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import listen, port_of

PROCESSES = 3
AT_ONCE_S = 3.0  # a second, and what a machine with little to spare takes


@pytest.fixture(scope="module")
def port(installation: Installation):
    """Some processes behind one port."""
    with listen() as listener:
        processes = installation.proxies(PROCESSES, fd=listener.fileno())
        yield port_of(listener)
        for process in processes:
            process.stop()


def spend_of(installation: Installation, tenant: Tenant) -> Decimal:
    query = "SELECT coalesce(sum(price), 0) AS price FROM usage_request WHERE customer_id = %s"
    return installation.rows(query, tenant.customer)[0]["price"]


def counted(installation: Installation, tenant: Tenant) -> Decimal:
    """What Redis has of all that the customer ever spent, and what is held beside it."""
    with Redis.from_url(installation.redis.url) as redis:
        amounts = redis.hmget(f"{LimitKeys(UUID(tenant.customer).bytes).spend}total", "settled", "held")
    return from_pico(sum(int(amount or 0) for amount in amounts))


async def use_up(port: int, tenant: Tenant, calls: int) -> list:
    asks = (
        chat(tenant.key, words=f"sandbox:tokens={random.randrange(1200)}", is_streamed=i % 2 == 0, max_tokens=1200)
        for i in range(calls)
    )
    return await Load(port, asks, at_once=150).run()


@pytest.mark.timeout(300)
async def test_never_beyond_the_balance_and_a_top_up_opens_again(installation: Installation, port: int):
    tenant = installation.tenant()
    before = await use_up(port, tenant, 20)  # without a wallet: nothing is refused, and none of it is drawn
    assert {one.status for one in before} == {200}
    assert await asyncio.to_thread(installation.desk, "roll_up") == []
    used_before = spend_of(installation, tenant)

    wallet = installation.desk("open_wallet", customer=tenant.customer)
    installation.desk("draw", wallet=wallet)  # what was used on the day on which it is opened counts
    installation.desk("give_credit", wallet=wallet, amount=str(used_before + 1), key="first")
    seen = await use_up(port, tenant, 400)
    assert set(Counter(one.status for one in seen)) == {200, 402}
    refused = next(one for one in seen if one.status == 402)
    assert b"prepaid credit of this account is used up" in refused.body
    assert b"credit_used_up" in refused.body
    assert b"$" not in refused.body
    assert refused.headers["tollgate-limit"] == "prepaid_credit;scope=customer"
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, [*before, *seen])
    spent = spend_of(installation, tenant)
    assert used_before < spent <= used_before + 1
    assert open_holds(installation, tenant) == 0
    assert counted(installation, tenant) == spent
    drawn = installation.desk("draw", wallet=wallet)
    assert Decimal(drawn["balance"]) == used_before + 1 - spent >= 0
    assert Decimal(drawn["drawn"]) == spent

    installation.desk("give_credit", wallet=wallet, amount="1", key="second")
    topped_up = time.monotonic()
    for _ in itertools.count():
        (one,) = await Load(port, [chat(tenant.key, words="sandbox:tokens=5", max_tokens=1200)], at_once=1).run()
        if one.status == 200:
            break
        assert time.monotonic() - topped_up < AT_ONCE_S
    again = await use_up(port, tenant, 400)
    assert set(Counter(each.status for each in again)) == {200, 402}
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, again)
    spent = spend_of(installation, tenant)
    assert used_before + 1 < spent <= used_before + 2
    assert open_holds(installation, tenant) == 0
    assert counted(installation, tenant) == spent
    assert Decimal(installation.desk("draw", wallet=wallet)["balance"]) == used_before + 2 - spent


@pytest.mark.timeout(300)
async def test_a_redis_that_lost_everything_does_not_let_credit_be_used_twice(installation: Installation, port: int):
    tenant = installation.tenant()
    wallet = installation.desk("open_wallet", customer=tenant.customer)
    installation.desk("give_credit", wallet=wallet, amount="0.2", key="first")
    first = await use_up(port, tenant, 120)
    assert 402 in {one.status for one in first}
    await asyncio.to_thread(installation.desk, "roll_up")
    with Redis.from_url(installation.redis.url) as redis:
        redis.flushall()
    await asyncio.sleep(1)
    await use_up(port, tenant, 60)
    assert await asyncio.to_thread(installation.desk, "roll_up") == []
    spent = spend_of(installation, tenant)
    assert Decimal(0) < spent <= Decimal("0.2")
    assert Decimal(installation.desk("draw", wallet=wallet)["balance"]) == Decimal("0.2") - spent
