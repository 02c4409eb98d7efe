"""A reader that lags costs little memory, and holds the provider up."""

import asyncio
import tracemalloc

from .provider import all_of

MEGABYTE = 1_000_000


class Firehose:
    """Pushes `size` bytes to each connection as fast as they are taken, and counts what left."""

    def __init__(self, size: int, *, is_chunked: bool = False):
        self.size = size
        self.is_chunked = is_chunked
        self.sent = 0

    async def __call__(self, peer):
        await peer.request()
        framing = b"transfer-encoding: chunked" if self.is_chunked else b"content-length: %d" % self.size
        peer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        part = b"x" * 10_000
        for _ in range(self.size // len(part)):
            peer.write(b"%x\r\n%b\r\n" % (len(part), part) if self.is_chunked else part)
            await peer.writer.drain()
            self.sent += len(part)
        if self.is_chunked:
            peer.write(b"0\r\n\r\n")


async def stands_still(counter) -> int:
    """The value of the counter when it has stopped moving."""
    before = -1
    while before != (now := counter()):
        before = now
        await asyncio.sleep(0.1)
    return now


async def test_a_provider_is_held_up_by_a_reader_that_does_not_read(serve, pool):
    for is_chunked in (False, True):
        hose = Firehose(50 * MEGABYTE, is_chunked=is_chunked)
        provider = await serve(hose)
        exchange = await pool.send(provider.origin, b"GET", b"/", [])
        assert await stands_still(lambda hose=hose: hose.sent) < 20 * MEGABYTE  # in the kernel's buffers
        assert exchange._size <= 128 * 1024
        assert len(await all_of(exchange)) == 50 * MEGABYTE


async def test_many_readers_that_do_not_read_cost_little(serve, pool):
    hose = Firehose(5 * MEGABYTE)
    provider = await serve(hose)
    warm = await pool.send(provider.origin, b"GET", b"/", [])
    warm.close()
    tracemalloc.start()
    try:
        exchanges = await asyncio.gather(*(pool.send(provider.origin, b"GET", b"/", []) for _ in range(100)))
        await stands_still(lambda: hose.sent)
        waiting = sum(exchange._size for exchange in exchanges)
        now, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        for exchange in exchanges:
            exchange.close()
    assert waiting <= 100 * 96 * 1024
    assert now < 100 * 2 * 96 * 1024 + MEGABYTE  # the provider's own side is measured with ours


async def test_reading_goes_on_where_it_stopped_on_a_connection_used_again(serve, pool):
    """A connection whose reading was paused is not given to the next call like that."""

    async def play(peer):
        for size in (300_000, 2):
            await peer.request()
            peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)

    provider = await serve(play)
    exchange = await pool.send(provider.origin, b"GET", b"/", [])
    await asyncio.sleep(0.05)
    assert len(await all_of(exchange)) == 300_000
    assert await all_of(await pool.send(provider.origin, b"GET", b"/", [])) == b"xx"
    assert provider.connections == 1
