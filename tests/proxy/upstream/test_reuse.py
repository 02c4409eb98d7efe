"""Kept connections: when one is used again, when not, and what may be sent twice."""

import asyncio

import pytest

from apps.proxy.upstream import BadResponse, ConnectionLost, OriginStats

from .provider import OK, all_of, always, script


async def call(pool, provider, body: bytes = b"{}") -> bytes:
    return await all_of(await pool.send(provider.origin, b"POST", b"/", [], body))


async def settled(pool, provider) -> OriginStats:
    """The stats when the loop has seen what the provider did last."""
    for _ in range(100):
        await asyncio.sleep(0.001)
    return pool.stats()[str(provider.origin)]


async def test_calls_one_after_the_other_share_a_connection(serve, pool):
    provider = await serve(always(OK))
    for _ in range(10):
        assert await call(pool, provider) == b"ok"
    assert pool.stats() == {str(provider.origin): OriginStats(1, 0, 0, 0, opened=1, retried=0, refused=0)}


async def test_calls_at_once_have_connections_of_their_own(serve, pool):
    provider = await serve(always(OK))
    assert await asyncio.gather(*(call(pool, provider) for _ in range(10))) == [b"ok"] * 10
    assert provider.connections == 10
    await asyncio.gather(*(call(pool, provider) for _ in range(10)))
    assert provider.connections == 10


async def test_the_connection_is_free_as_soon_as_the_last_byte_is_in_even_if_nobody_read_it(serve, pool):
    provider = await serve(always(OK))
    first = await pool.send(provider.origin, b"GET", b"/", [])
    second = await pool.send(provider.origin, b"GET", b"/", [])
    assert provider.connections == 1
    assert (await all_of(first), await all_of(second)) == (b"ok", b"ok")


async def test_the_connection_used_last_is_used_first(serve, pool):
    used = []

    async def play(peer):
        me = len(used)
        used.append(0)
        while True:
            await peer.request()
            used[me] += 1
            await asyncio.sleep(0.01)
            peer.write(OK)

    provider = await serve(play)
    await asyncio.gather(*(call(pool, provider) for _ in range(3)))
    for _ in range(5):
        await call(pool, provider)
    assert sorted(used) == [1, 1, 6]


NOT_REUSABLE = [
    pytest.param(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok", id="close"),
    pytest.param(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", id="http-1.0"),
    pytest.param(OK + b"x", id="a-byte-too-many"),
    pytest.param(OK + OK, id="two-answers"),
    pytest.param(OK + b"HTTP/1.1 200 OK\r\n", id="half-an-answer-more"),
]


@pytest.mark.parametrize("answer", NOT_REUSABLE)
async def test_a_connection_that_cannot_be_trusted_any_more_is_closed(serve, pool, answer):
    provider = await serve(always(answer))
    for _ in range(3):
        assert await call(pool, provider) == b"ok"
    assert provider.connections == 3
    assert await settled(pool, provider) == OriginStats(0, 0, 0, 0, opened=3, retried=0, refused=0)


@pytest.mark.parametrize("late", [b"x", OK], ids=["garbage", "answer"])
async def test_bytes_on_an_idle_connection_are_no_answer_to_the_next_call(serve, pool, late):
    async def play(peer):
        await peer.request()
        peer.write(OK)
        await peer.flush()
        peer.write(late)
        await peer.gone()

    provider = await serve(play)
    assert await call(pool, provider) == b"ok"
    assert (await settled(pool, provider)).idle == 0
    assert await call(pool, provider) == b"ok"
    assert provider.connections == 2


async def test_a_server_that_closes_an_idle_connection_is_noticed(serve, pool):
    provider = await serve(script(OK))
    for opened in range(1, 4):
        assert await call(pool, provider) == b"ok"
        assert await settled(pool, provider) == OriginStats(0, 0, 0, 0, opened=opened, retried=0, refused=0)


@pytest.mark.parametrize("way", ["close", "reset"])
async def test_a_kept_connection_that_was_closed_meanwhile_costs_one_repetition(serve, pool, way):
    """The provider closes just when the next request is on its way: the race that keep-alive has."""
    bodies = []

    async def play(peer):
        bodies.append((await peer.request()).body)
        peer.write(OK)
        if provider.connections == 1:
            await peer.head()
            getattr(peer, way)()

    provider = await serve(play)
    assert await call(pool, provider, b"first") == b"ok"
    assert await call(pool, provider, b"second") == b"ok"
    assert bodies == [b"first", b"second"]
    assert pool.stats()[str(provider.origin)].retried == 1


async def test_it_is_repeated_only_once(serve, pool):
    async def play(peer):
        if provider.connections == 1:
            await peer.request()
            peer.write(OK)
        await peer.head()
        peer.close()

    provider = await serve(play)
    assert await call(pool, provider) == b"ok"
    with pytest.raises(ConnectionLost):
        await call(pool, provider)
    assert provider.connections == 2


async def test_a_new_connection_that_is_closed_without_an_answer_is_not_tried_again(serve, pool):
    async def play(peer):
        await peer.head()
        peer.close()

    provider = await serve(play)
    with pytest.raises(ConnectionLost):
        await call(pool, provider)
    assert provider.connections == 1


@pytest.mark.parametrize("byte", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=repr)
async def test_nothing_is_repeated_after_the_first_byte_of_an_answer(serve, pool, byte):
    async def play(peer):
        await peer.request()
        peer.write(OK)
        await peer.request()
        peer.write(byte)
        await peer.flush()
        peer.reset()

    provider = await serve(play)
    assert await call(pool, provider) == b"ok"
    with pytest.raises(ConnectionLost):
        await call(pool, provider)
    assert provider.connections == 1


async def test_nothing_is_repeated_when_the_answer_was_no_answer(serve, pool):
    provider = await serve(script(OK, b"garbage\r\n"))
    assert await call(pool, provider) == b"ok"
    with pytest.raises(BadResponse):
        await call(pool, provider)
    assert provider.connections == 1


async def test_nothing_is_repeated_when_the_provider_may_have_begun_to_work(serve, pool):
    """A close that comes long after the request is no race: what the call has cost is not known."""
    pool.race_within = 0.05

    async def play(peer):
        await peer.request()
        peer.write(OK)
        await peer.request()
        await asyncio.sleep(0.2)

    provider = await serve(play)
    assert await call(pool, provider) == b"ok"
    with pytest.raises(ConnectionLost):
        await call(pool, provider)
    assert provider.connections == 1


async def test_a_body_in_parts_is_never_repeated(serve, pool):
    begun = []

    async def body():
        begun.append(True)
        yield b"x"

    async def play(peer):
        await peer.request()
        peer.write(OK)
        await peer.head()
        peer.reset()

    provider = await serve(play)
    assert await call(pool, provider) == b"ok"
    with pytest.raises(ConnectionLost):
        await pool.send(provider.origin, b"POST", b"/", [], body())
    assert (len(begun), provider.connections) == (1, 1)


async def test_a_body_in_parts_goes_over_a_connection_that_is_surely_open(serve, new_pool):
    async def body():
        yield b"x"

    pool = new_pool(idle_timeout=3.2)  # a sweep each 0.2 s
    provider = await serve(always(OK))
    for pause, connections in ((0, 1), (0, 1), (0.7, 2), (0, 2)):
        await asyncio.sleep(pause)
        assert await all_of(await pool.send(provider.origin, b"POST", b"/", [], body())) == b"ok"
        assert provider.connections == connections


async def test_unused_connections_are_closed_after_a_while(serve, new_pool):
    ended = asyncio.get_running_loop().create_future()

    async def play(peer):
        await peer.request()
        peer.write(OK)
        ended.set_result(await peer.reader.read())

    pool = new_pool(keep_unused=0.5)
    provider = await serve(play)
    assert await call(pool, provider) == b"ok"
    assert pool.stats()[str(provider.origin)].idle == 1
    assert await asyncio.wait_for(ended, 5) == b""
    assert pool.stats()[str(provider.origin)].idle == 0


async def test_a_kept_connection_keeps_as_long_as_it_is_used(serve, new_pool):
    pool = new_pool(keep_unused=0.5)
    provider = await serve(always(OK))
    for _ in range(6):
        await asyncio.sleep(0.15)
        assert await call(pool, provider) == b"ok"
    assert provider.connections == 1
