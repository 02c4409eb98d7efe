"""How many connections one provider may take, and who waits for what."""

import asyncio
import time

import pytest

from apps.proxy.upstream import ConnectFailed, ConnectionLost, Origin, OriginBusy, OriginStats

from .provider import OK, all_of, always


class Gate:
    """A provider that answers when it is let."""

    def __init__(self):
        self.opened = asyncio.Event()
        self.now = self.most = 0

    async def __call__(self, peer):
        while True:
            await peer.request()
            self.now += 1
            self.most = max(self.most, self.now)
            await self.opened.wait()
            self.now -= 1
            peer.write(OK)


async def get(pool, provider) -> bytes:
    return await all_of(await pool.send(provider.origin, b"GET", b"/", []))


def stats(pool, provider) -> OriginStats:
    return pool.stats()[str(provider.origin)]


async def until_busy(pool, provider, calls: int) -> None:
    async with asyncio.timeout(5):
        await asyncio.sleep(0)
        while stats(pool, provider).busy < calls:  # noqa: ASYNC110 - the pool tells nobody
            await asyncio.sleep(0.005)


async def test_no_more_connections_than_allowed_and_everybody_gets_one(serve, new_pool):
    gate = Gate()
    provider = await serve(gate)
    pool = new_pool(max_connections=5)
    calls = [asyncio.create_task(get(pool, provider)) for _ in range(50)]
    await until_busy(pool, provider, 5)
    while gate.now < 5:  # noqa: ASYNC110 - until the provider has them, too
        await asyncio.sleep(0.005)
    assert stats(pool, provider) == OriginStats(0, 5, 0, 45, opened=5, retried=0, refused=0)
    gate.opened.set()
    assert await asyncio.gather(*calls) == [b"ok"] * 50
    assert (provider.connections, gate.most) == (5, 5)
    assert stats(pool, provider) == OriginStats(5, 0, 0, 0, opened=5, retried=0, refused=0)


async def test_the_first_to_wait_is_the_first_to_be_served(serve, new_pool):
    order = []

    async def play(peer):
        while True:
            order.append((await peer.request()).line)
            peer.write(OK)

    provider = await serve(play)
    pool = new_pool(max_connections=1)
    await asyncio.gather(*(pool.send(provider.origin, b"GET", b"/%d" % i, []) for i in range(10)))
    assert order == [b"GET /%d HTTP/1.1" % i for i in range(10)]


async def test_who_waits_too_long_is_told_that_the_provider_is_busy(serve, new_pool):
    provider = await serve(Gate())
    pool = new_pool(max_connections=1, wait_timeout=0.1)
    first = asyncio.create_task(get(pool, provider))
    await until_busy(pool, provider, 1)
    started = time.monotonic()
    with pytest.raises(OriginBusy):
        await get(pool, provider)
    assert 0.098 <= time.monotonic() - started < 0.5  # a loop counts whole milliseconds
    assert stats(pool, provider) == OriginStats(0, 1, 0, 0, opened=1, retried=0, refused=1)
    first.cancel()


async def test_a_queue_that_is_full_refuses_at_once(serve, new_pool):
    provider = await serve(Gate())
    pool = new_pool(max_connections=1, max_waiting=2)
    calls = [asyncio.create_task(get(pool, provider)) for _ in range(3)]
    await until_busy(pool, provider, 1)
    with pytest.raises(OriginBusy):
        await asyncio.wait_for(get(pool, provider), 0.1)
    for call in calls:
        call.cancel()


async def test_a_provider_that_hangs_takes_nothing_from_another(serve, new_pool):
    hung, healthy = await serve(Gate()), await serve(always(OK))
    pool = new_pool(max_connections=50, max_waiting=1_000, wait_timeout=0.5)
    stuck = [asyncio.create_task(get(pool, hung)) for _ in range(500)]
    await until_busy(pool, hung, 50)
    assert await asyncio.gather(*(get(pool, healthy) for _ in range(50))) == [b"ok"] * 50
    outcomes = await asyncio.gather(*stuck[50:], return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OriginBusy] * 450
    for call in stuck:
        call.cancel()


@pytest.mark.parametrize("at", ["waiting", "connecting", "answering"])
async def test_a_cancelled_call_gives_its_place_to_the_next(serve, new_pool, at):
    gate = Gate()
    provider = await serve(gate)
    pool = new_pool(max_connections=1)
    first = asyncio.create_task(get(pool, provider))
    if at == "connecting":
        await asyncio.sleep(0)
    else:
        await until_busy(pool, provider, 1)
    second, third = (asyncio.create_task(get(pool, provider)) for _ in range(2))
    await asyncio.sleep(0)
    (second if at == "waiting" else first).cancel()
    gate.opened.set()
    rest = [first, third] if at == "waiting" else [second, third]
    assert await asyncio.gather(*rest) == [b"ok", b"ok"]
    assert (stats(pool, provider).idle, stats(pool, provider).busy, stats(pool, provider).waiting) == (
        1,
        0,
        0,
    )


async def test_a_place_given_at_the_moment_of_cancelling_is_passed_on(serve, new_pool):
    """The waiter has its connection already, and is cancelled before it could take it."""
    gate = Gate()
    provider = await serve(gate)
    pool = new_pool(max_connections=1)
    gate.opened.set()
    await get(pool, provider)
    bulkhead = pool._bulkheads[provider.origin]
    connection = bulkhead.take_idle()
    second, third = (asyncio.create_task(get(pool, provider)) for _ in range(2))
    await asyncio.sleep(0)
    assert stats(pool, provider).waiting == 2
    bulkhead.release(connection)
    second.cancel()
    assert await third == b"ok"
    assert stats(pool, provider) == OriginStats(1, 0, 0, 0, opened=1, retried=0, refused=0)


async def test_a_failed_connection_gives_its_place_to_the_next(new_pool, tmp_path):
    """Each of those who wait tries for itself, and nobody waits for ever."""
    pool = new_pool(max_connections=1)
    away = Origin.parse(f"unix:{tmp_path}/none")
    calls = [pool.send(away, b"GET", b"/", []) for _ in range(5)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectFailed] * 5
    assert pool.stats()[str(away)] == OriginStats(0, 0, 0, 0, opened=0, retried=0, refused=0)


async def test_a_connection_that_died_on_the_way_to_its_waiter_is_replaced(serve, new_pool):
    gate = Gate()
    gate.opened.set()
    provider = await serve(gate)
    pool = new_pool(max_connections=1)
    await get(pool, provider)
    bulkhead = pool._bulkheads[provider.origin]
    connection = bulkhead.take_idle()
    waiting = asyncio.create_task(get(pool, provider))
    await asyncio.sleep(0)
    bulkhead.release(connection)
    connection.close()
    assert await waiting == b"ok"
    assert stats(pool, provider) == OriginStats(1, 0, 0, 0, opened=2, retried=0, refused=0)


async def test_closing_the_pool_ends_the_calls(serve, new_pool):
    provider = await serve(Gate())
    pool = new_pool(max_connections=2)
    calls = [asyncio.create_task(get(pool, provider))]
    await until_busy(pool, provider, 1)
    calls += [asyncio.create_task(get(pool, provider)) for _ in range(3)]  # one connects, two wait
    await asyncio.sleep(0)
    pool.close()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionLost] * 4
    with pytest.raises(ConnectionLost):
        await get(pool, provider)
    assert provider.connections <= 2
