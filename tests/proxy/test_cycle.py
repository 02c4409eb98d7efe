"""How an answer is written: framing by us, whatever the application says of it."""

import asyncio
import json

import httptools
import pytest

from apps.proxy.asgi import is_gone
from apps.proxy.upstream import Origin, Pool

from .forwarder import Forwarder
from .guarded import served, statuses, talk
from .upstream.provider import Provider


def answering(status: int, headers: list[tuple[bytes, bytes]], *parts: bytes):
    """An application that answers so, the last part with the end."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for part in parts[:-1]:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": parts[-1] if parts else b""})

    return app


def request(method: bytes = b"GET", *headers: bytes) -> bytes:
    return b"\r\n".join((method + b" / HTTP/1.1", b"Host: h", *headers, b"", b""))


LENGTH_5 = (b"content-length", b"5")
ANSWERS = [  # what the application says, what the client gets to GET, and to HEAD
    pytest.param(
        answering(200, [(b"a", b"1"), (b"a", b"2"), LENGTH_5], b"hello"),
        b"HTTP/1.1 200 OK\r\na: 1\r\na: 2\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\na: 1\r\na: 2\r\ncontent-length: 5\r\n\r\n",
        id="length",
    ),
    pytest.param(
        answering(200, [LENGTH_5], b"he", b"", b"llo", b""),
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
        id="length-in-parts",
    ),
    pytest.param(
        answering(200, [], b"he", b"", b"llo"),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        id="chunked",
    ),
    pytest.param(
        answering(200, [(b"transfer-encoding", b"chunked"), LENGTH_5, LENGTH_5], b"hello"),
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
        id="framing-said-three-times",
    ),
    pytest.param(answering(204, []), b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n", id="204"),
    pytest.param(
        answering(304, [LENGTH_5]),
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
        id="304-with-the-length-it-would-have",
    ),
    pytest.param(
        answering(529, [(b"content-length", b"0")]),
        b"HTTP/1.1 529 \r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 529 \r\ncontent-length: 0\r\n\r\n",
        id="status-without-a-name",
    ),
]


@pytest.mark.parametrize(("app", "to_get", "to_head"), ANSWERS)
async def test_answers(app, to_get, to_head):
    async with served(app) as port:
        wire = request() + request(b"HEAD") + request(b"GET", b"Connection: close")
        answer = await talk(port, wire)
    closing = to_get.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
    assert answer == to_get + to_head + closing


async def test_the_application_can_end_the_connection():
    async with served(answering(200, [(b"connection", b"close"), LENGTH_5], b"hello")) as port:
        answer = await talk(port, request() * 2)
    assert answer == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"


@pytest.mark.parametrize("evil", [b"a\r\nset-cookie: x", b"a\nb", b"a\rb", b"\r\n\r\n<html>"], ids=repr)
async def test_no_header_ends_its_line(evil):
    for header in ((b"a", evil), (b"b" + evil, b"c")):
        async with served(answering(200, [header, LENGTH_5], b"hello")) as port:
            answer = await talk(port, request())
        assert answer.endswith(b"connection: close\r\n\r\nInternal Server Error")
        assert b"\r\ncontent-length: 21\r\n" in answer
        assert b"set-cookie" not in answer
        assert b"<html>" not in answer


@pytest.mark.parametrize("parts", [(b"hell",), (b"hello!",), (b"he", b"llo!")], ids=repr)
async def test_a_body_of_another_length_than_said_is_cut(parts):
    async with served(answering(200, [LENGTH_5], *parts)) as port:
        answer = await talk(port, request() * 2)
    assert statuses(answer) == [200]  # the second request is not answered over a connection out of step
    assert len(answer.partition(b"\r\n\r\n")[2]) <= 5


async def test_an_application_that_fails_ends_the_connection():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hel", "more_body": True})
        raise ValueError

    async with served(app) as port:
        answer = await talk(port, request() * 2)
    assert statuses(answer) == [200]
    assert not answer.endswith(b"0\r\n\r\n")  # the client can tell that it isn't whole


async def test_an_answer_out_of_order_is_a_fault_of_the_application():
    async def app(scope, receive, send):
        await send({"type": "http.response.body", "body": b"hello"})

    async with served(app) as port:
        assert statuses(await talk(port, request())) == [500]


async def test_what_is_sent_to_a_client_that_is_gone_goes_nowhere():
    gone = asyncio.Event()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        assert is_gone(send)
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
        gone.set()

    async with served(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request())
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await asyncio.wait_for(gone.wait(), 1)


async def test_each_part_from_the_provider_is_one_part_for_the_client():
    """The provider sends the next only when the client has the last: nothing is held back on the way."""
    parts = [json.dumps({"n": n, "text": "é" * n}).encode() for n in range(50)]
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def play(peer):
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for part in parts:
            peer.write(b"%x\r\n%b\r\n" % (len(part), part))
            assert await asyncio.wait_for(received.get(), 1) == part
        peer.write(b"0\r\n\r\n")

    class Client:
        """Reads chunk by chunk."""

        def on_body(self, body: bytes) -> None:
            received.put_nowait(body)

    async with Provider(play) as provider, served(Forwarder(provider.origin)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(b"POST", b"Connection: close"))
        parser = httptools.HttpResponseParser(Client())
        while data := await reader.read(65536):
            parser.feed_data(data)
        writer.close()


async def test_ten_thousand_calls_through_server_and_client_get_their_own_answers():
    """The nonce echo over both halves: pipelined, kept alive, in parts."""

    async def echo(peer):
        while True:
            request = await peer.request()
            body = request.line.split()[1]
            peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    async with Provider(echo) as provider, served(Forwarder(provider.origin)) as port:
        pool = Pool()
        origin = Origin("http", "127.0.0.1", port)

        async def caller(me: int) -> None:
            for number in range(312):
                target = b"/%d/%d" % (me, number)
                exchange = await pool.send(origin, b"POST", target, [], b"x" * (number % 7))
                assert await exchange.read() == target
                exchange.close()

        await asyncio.gather(*(caller(me) for me in range(32)))
        pool.close()
