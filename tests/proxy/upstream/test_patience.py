"""Time-outs: a provider that is away, silent, or stops in the middle."""

import asyncio
import socket
import time

import pytest

from apps.proxy.upstream import ConnectFailed, FirstByteTimeout, IdleTimeout, Origin

from .provider import OK, all_of


async def test_a_refused_connection(pool):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        origin = Origin("http", "127.0.0.1", free.getsockname()[1])
        with pytest.raises(ConnectFailed, match=str(origin)):
            await pool.send(origin, b"GET", b"/", [])
    assert pool.stats()[str(origin)].connecting == 0


async def test_a_socket_that_is_not_there(pool, tmp_path):
    with pytest.raises(ConnectFailed):
        await pool.send(Origin.parse(f"unix:{tmp_path}/none"), b"GET", b"/", [])


async def test_a_server_that_never_accepts(new_pool):
    """A full backlog drops what comes, as a black hole does."""
    pool = new_pool(connect_timeout=0.2)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        await asyncio.sleep(0.05)
        started = time.monotonic()
        with pytest.raises(ConnectFailed, match=r"within 0\.2 s"):
            await pool.send(Origin("http", *address), b"GET", b"/", [])
        assert 0.2 <= time.monotonic() - started < 2.0
        for filler in fillers:
            filler.close()


async def test_a_server_that_stalls_the_tls_handshake(serve, new_pool):
    async def silent(peer):
        await peer.gone()

    provider = await serve(silent)
    pool = new_pool(connect_timeout=0.2)
    with pytest.raises(ConnectFailed):
        await pool.send(provider.origin._replace(scheme="https"), b"GET", b"/", [])


async def test_a_provider_that_never_begins_to_answer(serve, new_pool):
    async def silent(peer):
        await peer.request()
        await peer.gone()

    provider = await serve(silent)
    pool = new_pool(first_byte_timeout=0.3)
    started = time.monotonic()
    with pytest.raises(FirstByteTimeout):
        await pool.send(provider.origin, b"POST", b"/", [], b"x")
    assert 0.25 <= time.monotonic() - started < 2.0
    assert provider.connections == 1  # and nothing was repeated


@pytest.mark.parametrize("sent", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=repr)
async def test_a_provider_that_stops_within_the_headers(serve, new_pool, sent):
    async def play(peer):
        await peer.request()
        peer.write(sent)
        await peer.gone()

    provider = await serve(play)
    pool = new_pool(first_byte_timeout=0.2)
    with pytest.raises(FirstByteTimeout):
        await pool.send(provider.origin, b"GET", b"/", [])


async def test_a_provider_that_stops_in_the_middle(serve, new_pool):
    async def play(peer):
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
        await peer.gone()

    provider = await serve(play)
    pool = new_pool(idle_timeout=0.2)
    exchange = await pool.send(provider.origin, b"GET", b"/", [])
    assert await exchange.read() == b"abc"
    with pytest.raises(IdleTimeout):
        await exchange.read()
    assert pool.stats()[str(provider.origin)].busy == 0


async def test_a_slow_provider_that_keeps_moving_is_waited_for(serve, new_pool):
    async def play(peer):
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.06)
            peer.write(b"x")

    provider = await serve(play)
    pool = new_pool(idle_timeout=0.3)
    assert await all_of(await pool.send(provider.origin, b"GET", b"/", [])) == b"x" * 10


async def test_a_slow_reader_is_not_the_providers_fault(serve, new_pool):
    body = b"x" * 2_000_000

    async def play(peer):
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await peer.gone()

    provider = await serve(play)
    pool = new_pool(idle_timeout=0.1)
    exchange = await pool.send(provider.origin, b"GET", b"/", [])
    await asyncio.sleep(0.5)
    assert await all_of(exchange) == body


async def test_a_slow_source_of_the_body_is_not_the_providers_fault(serve, new_pool):
    async def slow():
        for _ in range(3):
            await asyncio.sleep(0.4)
            yield b"x"

    async def play(peer):
        assert (await peer.request()).body == b"xxx"
        peer.write(OK)

    provider = await serve(play)
    pool = new_pool(first_byte_timeout=0.2, idle_timeout=0.2)
    assert (await pool.send(provider.origin, b"POST", b"/", [], slow())).status == 200


async def test_a_loop_that_was_held_up_gives_nobody_up(serve, new_pool):
    async def play(peer):
        await peer.request()
        await asyncio.sleep(0.01)
        peer.write(OK)

    provider = await serve(play)
    pool = new_pool(first_byte_timeout=0.2, idle_timeout=0.2)
    call = asyncio.create_task(pool.send(provider.origin, b"GET", b"/", []))
    await asyncio.sleep(0.02)
    time.sleep(0.5)  # noqa: ASYNC251 - that is the point
    assert (await call).status == 200
