"""Bodies of requests: in one piece and in parts, with answers that don't wait for their end."""

import asyncio
import contextlib

import pytest

from apps.proxy.upstream import IdleTimeout, InvalidRequest

from .provider import OK, all_of, script


async def in_parts(*parts: bytes):
    for part in parts:
        yield part
        await asyncio.sleep(0)


def recording(answer: bytes = OK):
    """A handler and the list of the requests it saw."""
    seen = []

    async def play(peer):
        while True:
            seen.append(await peer.request())
            peer.write(answer)

    return play, seen


async def test_a_body_in_one_piece(serve, pool):
    play, seen = recording()
    provider = await serve(play)
    for body in (b"x", b"y" * 65_535, b"z" * 5_000_000, b""):
        await pool.send(provider.origin, b"POST", b"/p", [(b"a", b"b")], body)
        assert (seen[-1].line, seen[-1].body) == (b"POST /p HTTP/1.1", body)
        assert seen[-1].headers == {
            b"host": provider.origin.authority.encode(),
            b"a": b"b",
            b"content-length": b"%d" % len(body),
        }
    assert provider.connections == 1


async def test_a_body_in_parts_goes_out_chunked(serve, pool):
    play, seen = recording()
    provider = await serve(play)
    await pool.send(provider.origin, b"POST", b"/", [], in_parts(b"one", b"", b"two"))
    assert seen[0].body == b"onetwo"
    assert seen[0].wire.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_a_body_in_parts_with_a_length_goes_out_as_it_is(serve, pool):
    play, seen = recording()
    provider = await serve(play)
    await pool.send(provider.origin, b"POST", b"/", [(b"content-length", b"6")], in_parts(b"one", b"two"))
    assert (seen[0].headers[b"content-length"], seen[0].body) == (b"6", b"onetwo")
    assert b"transfer-encoding" not in seen[0].headers


@pytest.mark.parametrize("length", [b"5", b"7", b"0"])
async def test_a_body_of_another_length_than_said_is_not_sent_as_if_it_were_whole(serve, pool, length):
    play, seen = recording()
    provider = await serve(play)
    with pytest.raises(InvalidRequest):
        await pool.send(provider.origin, b"POST", b"/", [(b"content-length", length)], in_parts(b"one", b"two"))
    assert all(len(request.body) == int(length) for request in seen)
    assert pool.stats()[str(provider.origin)].idle == 0


async def test_what_the_body_raises_comes_out_of_the_call(serve, pool):
    class ClientGone(Exception):
        pass

    async def torn():
        yield b"one"
        raise ClientGone

    play, seen = recording()
    provider = await serve(play)
    with pytest.raises(ClientGone):
        await pool.send(provider.origin, b"POST", b"/", [], torn())
    assert seen == []
    assert pool.stats()[str(provider.origin)].busy == 0


async def test_an_early_answer_is_given_while_the_body_is_still_on_its_way(serve, pool):
    more = asyncio.Event()

    async def slow():
        yield b"one"
        await more.wait()
        yield b"two"

    async def refuse(peer):
        await peer.head()
        peer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")
        await peer.gone()

    provider = await serve(refuse)
    exchange = await pool.send(provider.origin, b"POST", b"/", [], slow())
    assert (exchange.status, await all_of(exchange)) == (413, b"big")
    stats = pool.stats()[str(provider.origin)]
    assert (stats.idle, stats.busy) == (0, 0)  # the connection holds half a request


async def test_an_early_answer_to_a_body_in_one_piece_that_nobody_reads(serve, pool):
    async def refuse(peer):
        await peer.head()
        peer.write(b"HTTP/1.1 401 No\r\ncontent-length: 2\r\n\r\nno")
        await peer.gone()

    provider = await serve(refuse)
    exchange = await pool.send(provider.origin, b"POST", b"/", [], b"x" * 30_000_000)
    assert (exchange.status, await all_of(exchange)) == (401, b"no")


async def test_an_answer_may_stream_while_the_request_does(serve, pool):
    parts: asyncio.Queue[bytes] = asyncio.Queue()

    async def from_queue():
        while part := await parts.get():
            yield part

    async def echo(peer):
        await peer.head()
        peer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while size := int(await peer.reader.readuntil(b"\r\n"), 16):
            part = await peer.reader.readexactly(size + 2)
            peer.write(b"%x\r\n%b" % (size, part))
        await peer.reader.readexactly(2)
        peer.write(b"0\r\n\r\n")
        await peer.gone()

    provider = await serve(echo)
    exchange = await pool.send(provider.origin, b"POST", b"/", [], from_queue())
    for part in (b"one", b"two", b"three"):
        parts.put_nowait(part)
        assert await exchange.read() == part
    parts.put_nowait(b"")
    assert await exchange.read() == b""
    assert pool.stats()[str(provider.origin)].idle == 1


@pytest.mark.parametrize("body", [b"hello", None], ids=["in-one-piece", "in-parts"])
async def test_the_body_waits_for_100_continue(serve, pool, body):
    early = []

    async def play(peer):
        await peer.head()
        with contextlib.suppress(TimeoutError):
            early.append(await asyncio.wait_for(peer.reader.read(1), 0.05))
        peer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert b"hello" in await peer.reader.read(100)
        peer.write(OK)

    provider = await serve(play)
    exchange = await pool.send(
        provider.origin, b"POST", b"/", [(b"expect", b"100-continue")], body or in_parts(b"hello")
    )
    assert (exchange.status, early) == (200, [])


async def test_a_refusal_instead_of_100_continue_spares_the_body(serve, pool):
    rest = asyncio.get_running_loop().create_future()

    async def play(peer):
        await peer.head()
        peer.write(b"HTTP/1.1 417 No\r\ncontent-length: 0\r\n\r\n")
        rest.set_result(await peer.reader.read())

    provider = await serve(play)
    exchange = await pool.send(provider.origin, b"POST", b"/", [(b"expect", b"100-continue")], b"hello")
    assert (exchange.status, await rest) == (417, b"")


async def test_a_provider_that_knows_no_100_continue_gets_the_body_after_a_second(serve, pool):
    provider = await serve(script(OK))
    exchange = await pool.send(provider.origin, b"POST", b"/", [(b"expect", b"100-continue")], b"hello")
    assert exchange.status == 200


async def test_a_body_is_taken_from_its_source_only_as_fast_as_the_provider_takes_it(serve, pool):
    taken = 0
    go_on = asyncio.Event()

    async def endless():
        nonlocal taken
        for _ in range(2_000):
            taken += 1
            yield b"x" * 65_536

    async def play(peer):
        await peer.head()
        await go_on.wait()
        while size := int(await peer.reader.readuntil(b"\r\n"), 16):
            await peer.reader.readexactly(size + 2)
        peer.write(OK)

    provider = await serve(play)
    call = asyncio.create_task(pool.send(provider.origin, b"POST", b"/", [], endless()))
    before = -1
    while before != taken:  # until nothing moves any more
        before = taken
        await asyncio.sleep(0.1)
    assert taken < 500  # what the kernel's two buffers and ours hold
    go_on.set()
    assert (await call).status == 200
    assert taken == 2_000


async def test_a_provider_that_takes_no_body_is_given_up(serve, new_pool):
    async def deaf(peer):
        await asyncio.sleep(60)

    pool = new_pool(idle_timeout=0.2)
    provider = await serve(deaf)
    with pytest.raises(IdleTimeout):
        await pool.send(provider.origin, b"POST", b"/", [], b"x" * 50_000_000)
