"""The network between us and the provider fails at every byte, in both directions, in every way."""

import asyncio
from collections import Counter

import pytest

from apps.proxy.upstream import ConnectFailed, ConnectionLost, FirstByteTimeout, IdleTimeout, Origin, UpstreamError
from tests.wire.faultproxy import End, Fault, FaultProxy

from .provider import all_of

HEADERS = [(b"authorization", b"Bearer sk-1"), (b"content-type", b"application/json")]
BODY = b'{"model": "m", "stream": true}'
ANSWER = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\ndata:1\r\n6\r\ndata:2\r\n0\r\n\r\n"


@pytest.fixture
async def faulty(serve):
    """A proxy in front of a provider that counts the whole requests it got."""

    async def play(peer):
        while True:
            request = await peer.request()
            provider.served[request.body] += 1
            peer.write(ANSWER)

    provider = await serve(play)
    provider.served = Counter()
    async with FaultProxy("127.0.0.1", provider.origin.port) as proxy:
        proxy.provider = provider
        yield proxy


async def call(pool, proxy, body=BODY) -> bytes:
    exchange = await pool.send(Origin("http", "127.0.0.1", proxy.port), b"POST", b"/v1", HEADERS, body)
    try:
        return await all_of(exchange)
    finally:
        exchange.close()


async def test_without_a_fault_the_call_is_served_once(pool, faulty):
    assert await call(pool, faulty) == b"data:1data:2"
    assert faulty.provider.served == {BODY: 1}


@pytest.mark.parametrize("end", [End.RESET, End.CLOSE])
async def test_a_request_cut_at_any_byte_is_lost_and_sent_once(pool, faulty, end):
    at = 0
    while at == faulty.accepted:  # one new connection for each byte of the request
        faulty.to_server = Fault(at=at, end=end)
        try:
            assert await call(pool, faulty) == b"data:1data:2"
            break
        except ConnectionLost:
            at += 1
    assert at > 150  # one more than the request is long
    assert faulty.accepted == at + 1
    assert faulty.provider.served.total() <= 2  # the one cut after its last byte, and the one that was not cut


@pytest.mark.parametrize("end", [End.RESET, End.CLOSE, End.HALF_CLOSE])
async def test_an_answer_cut_at_any_byte_is_never_taken_for_whole(pool, faulty, end):
    for at in range(len(ANSWER)):
        faulty.to_client = Fault(at=at, end=end)
        with pytest.raises(ConnectionLost):
            await call(pool, faulty)
    assert faulty.provider.served == {BODY: len(ANSWER)}  # and not one of them was sent again


@pytest.mark.parametrize("piece", [1, 2, 7])
async def test_bytes_one_by_one_make_the_same_call(pool, faulty, piece):
    faulty.to_client = faulty.to_server = Fault(piece=piece, pause_s=0.0001)
    assert await call(pool, faulty) == b"data:1data:2"
    assert faulty.provider.served == {BODY: 1}


async def test_garbage_at_any_byte_of_an_answer_is_an_error_or_changes_nothing(pool, faulty):
    for at in range(1, len(ANSWER)):
        faulty.to_client = Fault(at=at, insert=b"\x00\xff")
        try:
            answer = await call(pool, faulty)
        except UpstreamError:
            continue
        assert answer == b"data:1data:2", at
    faulty.to_client = Fault()
    faulty.reset_all()
    await asyncio.sleep(0.01)
    assert await call(pool, faulty) == b"data:1data:2"


@pytest.mark.parametrize(("at", "error"), [(0, FirstByteTimeout), (10, FirstByteTimeout), (60, IdleTimeout)])
async def test_a_stall_is_given_up(new_pool, faulty, at, error):
    pool = new_pool(first_byte_timeout=0.2, idle_timeout=0.2)
    faulty.to_client = Fault(at=at, end=End.STALL)
    with pytest.raises(error):
        await call(pool, faulty)
    assert faulty.provider.served == {BODY: 1}


async def test_a_provider_that_refuses_connections_and_comes_back(pool, faulty):
    faulty.is_refusing = True
    for _ in range(3):
        with pytest.raises((ConnectFailed, ConnectionLost)):
            await call(pool, faulty)
    faulty.is_refusing = False
    assert await call(pool, faulty) == b"data:1data:2"
    assert faulty.provider.served == {BODY: 1}


async def test_kept_connections_that_are_all_cut_at_once(pool, faulty):
    """As when the provider is deployed anew: every call finds a new connection, none is served twice."""
    await asyncio.gather(*(call(pool, faulty, b"%d" % i) for i in range(20)))
    for round_ in range(1, 4):
        faulty.reset_all()
        bodies = [b"%d-%d" % (round_, i) for i in range(20)]
        answers = await asyncio.gather(*(call(pool, faulty, body) for body in bodies))
        assert answers == [b"data:1data:2"] * 20
        assert all(faulty.provider.served[body] == 1 for body in bodies)
