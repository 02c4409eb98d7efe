"""Answers over real sockets: each part as it comes, and nothing but the answer."""

import asyncio

import pytest

from apps.proxy.upstream import BadResponse, ConnectionLost, Origin

from .provider import OK, all_of, always, script


async def test_status_headers_and_body_are_the_providers(serve, pool):
    provider = await serve(script(b"HTTP/1.1 418 Teapot\r\nX-One: 1\r\nx-one: 2\r\ncontent-length: 3\r\n\r\nabc"))
    exchange = await pool.send(provider.origin, b"GET", b"/", [])
    assert exchange.status == 418
    assert exchange.headers == [(b"x-one", b"1"), (b"x-one", b"2"), (b"content-length", b"3")]
    assert exchange.is_complete
    assert (await exchange.read(), await exchange.read()) == (b"abc", b"")


async def test_every_part_is_handed_over_when_it_comes(serve, pool):
    go_on = asyncio.Semaphore(0)

    async def stream(peer):
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for part in (b"one", b"two", b"three"):
            await go_on.acquire()
            peer.write(b"%x\r\n%b\r\n" % (len(part), part))
        await go_on.acquire()
        peer.write(b"0\r\n\r\n")

    provider = await serve(stream)
    exchange = await pool.send(provider.origin, b"GET", b"/", [])
    for part in (b"one", b"two", b"three"):
        assert not exchange.is_complete
        go_on.release()
        assert await exchange.read() == part
    go_on.release()
    assert await exchange.read() == b""
    assert exchange.is_complete


async def test_the_headers_are_given_before_the_body_comes(serve, pool):
    go_on = asyncio.Event()

    async def slow(peer):
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
        await go_on.wait()
        peer.write(b"ok")

    provider = await serve(slow)
    exchange = await pool.send(provider.origin, b"GET", b"/", [])
    assert (exchange.status, exchange.is_complete) == (200, False)
    go_on.set()
    assert await exchange.read() == b"ok"


async def test_parts_that_came_together_are_read_together(serve, pool):
    provider = await serve(
        script(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n")
    )
    exchange = await pool.send(provider.origin, b"GET", b"/", [])
    assert (await exchange.read(), await exchange.read()) == (b"ab", b"")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_like_any_other(serve, pool, status):
    target = b"http://169.254.169.254/latest/meta-data/"
    provider = await serve(always(b"HTTP/1.1 %d Go\r\nlocation: %b\r\ncontent-length: 0\r\n\r\n" % (status, target)))
    exchange = await pool.send(provider.origin, b"GET", b"/", [])
    assert (exchange.status, exchange.headers[0]) == (status, (b"location", target))
    assert (provider.connections, list(pool.stats())) == (1, [str(provider.origin)])


async def test_head_has_headers_only_and_the_connection_goes_on(serve, pool):
    async def play(peer):
        while True:
            request = await peer.request()
            body = b"" if request.line.startswith(b"HEAD") else b"12345"
            peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n" + body)

    provider = await serve(play)
    for method, body in (
        (b"HEAD", b""),
        (b"GET", b"12345"),
        (b"HEAD", b""),
        (b"HEAD", b""),
        (b"GET", b"12345"),
    ):
        exchange = await pool.send(provider.origin, method, b"/", [])
        assert (exchange.headers, await all_of(exchange)) == ([(b"content-length", b"5")], body)
    assert provider.connections == 1


async def test_a_body_that_ends_with_the_connection(serve, pool):
    async def play(peer):
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
        await peer.flush()
        peer.write(b"def")

    provider = await serve(play)
    exchange = await pool.send(provider.origin, b"GET", b"/", [])
    assert await all_of(exchange) == b"abcdef"
    assert exchange.is_complete
    assert pool.stats()[str(provider.origin)].idle == 0


async def test_a_body_without_framing_that_is_reset_is_lost(serve, pool):
    async def play(peer):
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
        await peer.flush()
        peer.reset()

    provider = await serve(play)
    exchange = await pool.send(provider.origin, b"GET", b"/", [])
    assert await exchange.read() == b"abc"
    with pytest.raises(ConnectionLost):
        await exchange.read()


async def test_interim_answers_are_not_the_answer(serve, pool):
    async def play(peer):
        await peer.request()
        for interim in (b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 103 Hints\r\nlink: </x>\r\n\r\n"):
            peer.write(interim)
            await peer.flush()
        peer.write(OK)

    provider = await serve(play)
    exchange = await pool.send(provider.origin, b"GET", b"/", [])
    assert (exchange.status, exchange.headers, await all_of(exchange)) == (
        200,
        [(b"content-length", b"2")],
        b"ok",
    )


async def test_bytes_that_are_no_answer_are_told_as_such(serve, pool):
    provider = await serve(script(b"SSH-2.0-OpenSSH_9.2\r\n"))
    with pytest.raises(BadResponse):
        await pool.send(provider.origin, b"GET", b"/", [])
    assert pool.stats()[str(provider.origin)].busy == 0


async def test_what_came_before_a_fault_is_read_first(serve, pool):
    provider = await serve(script(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nnot a chunk\r\n"))
    exchange = await pool.send(provider.origin, b"GET", b"/", [])
    assert await exchange.read() == b"abc"
    for _ in range(2):  # and the fault stays
        with pytest.raises(BadResponse):
            await exchange.read()


async def test_a_provider_on_a_unix_socket(serve, pool, tmp_path):
    seen = []

    async def play(peer):
        seen.append((await peer.request()).headers)
        peer.write(OK)

    await serve(play, unix=str(tmp_path / "s"))
    exchange = await pool.send(Origin.parse(f"unix:{tmp_path}/s"), b"GET", b"/", [])
    assert await all_of(exchange) == b"ok"
    assert seen == [{b"host": b"localhost"}]


async def test_an_answer_split_or_reset_at_every_byte(serve, pool):
    """With a pause at byte k the answer is whole; with a reset there, it is lost, and says so."""
    answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"
    plan = []

    async def play(peer):
        at, is_cut = plan[-1]
        await peer.request()
        peer.write(answer[:at])
        await peer.flush()
        if is_cut:
            peer.reset()
        else:
            peer.write(answer[at:])
            await peer.gone()

    provider = await serve(play)
    for at in range(len(answer)):
        plan.append((at, False))
        exchange = await pool.send(provider.origin, b"GET", b"/", [])
        assert (exchange.status, await all_of(exchange)) == (200, b"abcd"), at
        exchange.close()
        plan.append((at, True))
        with pytest.raises(ConnectionLost):
            await all_of(await pool.send(provider.origin, b"GET", b"/", []))
    assert pool.stats()[str(provider.origin)].retried == 0
