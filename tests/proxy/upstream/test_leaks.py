"""Calls that are given up leave nothing behind: no connection, no descriptor, no task."""

import asyncio
import gc
import random
from pathlib import Path

import pytest

from apps.proxy.upstream.connection import Connection
from apps.proxy.upstream.parser import ResponseParser

from .provider import OK, all_of


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def rested(provider) -> None:
    """Return when the provider has seen all its connections end."""
    async with asyncio.timeout(5):
        while provider._tasks:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def slow_stream(peer):
    while True:
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.002)
            peer.write(b"0123456789")


async def body_in_parts():
    for _ in range(5):
        await asyncio.sleep(0.001)
        yield b"x" * 1000


async def some_call(pool, provider, chance: random.Random) -> None:
    body = body_in_parts() if chance.random() < 0.3 else b"x" * chance.choice([0, 10, 100_000])
    exchange = await pool.send(provider.origin, b"POST", b"/", [], body)
    try:
        for _ in range(chance.randrange(5)):
            await exchange.read()
    finally:
        exchange.close()


@pytest.mark.parametrize("limit", [1_000, 20], ids=["with-room", "with-a-queue"])
async def test_a_thousand_calls_given_up_at_any_moment_leave_nothing(serve, new_pool, limit):
    chance = random.Random(20261120)
    pool = new_pool(max_connections=limit)
    provider = await serve(slow_stream)
    await all_of(await pool.send(provider.origin, b"GET", b"/", []))
    before = len(asyncio.all_tasks())
    for _ in range(10):
        calls = [asyncio.create_task(some_call(pool, provider, chance)) for _ in range(100)]
        for call in calls:
            await asyncio.sleep(chance.choice([0, 0, 0.001]))
            if chance.random() < 0.6:
                call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    stats = pool.stats()[str(provider.origin)]
    assert (stats.busy, stats.connecting, stats.waiting) == (0, 0, 0)
    pool.close()
    await rested(provider)
    assert len(asyncio.all_tasks()) <= before
    assert descriptors() < 100


async def test_descriptors_are_given_back(serve, new_pool):
    async def play(peer):
        await peer.request()
        peer.write(OK if provider.connections % 3 else b"garbage")

    provider = await serve(play)
    gc.collect()
    before = descriptors()
    for _ in range(50):
        pool = new_pool()
        await asyncio.gather(*(pool.send(provider.origin, b"GET", b"/", []) for _ in range(10)), return_exceptions=True)
        pool.close()
        await rested(provider)
    assert descriptors() <= before + 2


async def test_the_provider_notices_at_once_when_a_call_is_given_up(serve, pool):
    noticed = asyncio.Event()

    async def play(peer):
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
        await peer.gone()
        noticed.set()

    provider = await serve(play)
    exchange = await pool.send(provider.origin, b"GET", b"/", [])
    assert await exchange.read() == b"x"
    exchange.close()
    exchange.close()  # harmless
    await asyncio.wait_for(noticed.wait(), 1)


async def test_a_connection_that_ended_is_freed_without_the_garbage_collector(serve, pool):
    """Circles would keep every connection's buffers until the collector comes by, which is seldom."""

    async def play(peer):
        await peer.request()
        peer.write(OK)

    provider = await serve(play)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            await all_of(await pool.send(provider.origin, b"GET", b"/", []))
            assert live(Connection) == live(ResponseParser) == 1
            await rested(provider)
            await asyncio.sleep(0.05)
            assert live(Connection) == live(ResponseParser) == 0
    finally:
        gc.enable()


def live(kind: type) -> int:
    return sum(type(thing) is kind for thing in gc.get_objects())  # isinstance() asks weak proxies whose object is gone
