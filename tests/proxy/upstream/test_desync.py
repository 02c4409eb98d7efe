"""Nobody gets another's answer: each request carries a number that its answer must bring back.

The provider plays every trick that HTTP/1.1 allows, and some that it doesn't, in an order that the
seed decides. A call may fail where the provider broke off; it may never see another call's number.
"""

import asyncio
import os
import random
from collections import Counter

import httptools

from apps.proxy.upstream import BadResponse, ConnectionLost, Origin, Pool

from .provider import all_of

CALLS = int(os.environ.get("TOLLGATE_DESYNC_CALLS", "10000"))  # on each event loop
AT_ONCE = 32


class Trickster(asyncio.Protocol):
    """Answers with the request's body, in one way or another."""

    chance: random.Random
    played: Counter

    def connection_made(self, transport):
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_body(self, data):
        self.body += data

    def on_message_complete(self):
        body, self.body = self.body, b""
        trick = self.chance.choice(TRICKS)
        self.played[trick.__name__] += 1
        trick(self, body)

    def write(self, *parts: bytes):
        """Each part arrives apart."""
        for at, part in enumerate(parts):
            if at:
                asyncio.get_running_loop().call_later(0.001 * at, self.transport.write, part)
            else:
                self.transport.write(part)

    # Tricks with one whole answer, after which the connection goes on

    def plain(self, body):
        self.write(with_length(body))

    def chunked(self, body):
        self.write(in_chunks(body))

    def split(self, body):
        wire = self.chance.choice([with_length, in_chunks])(body)
        at = self.chance.randrange(1, len(wire))
        self.write(wire[:at], wire[at:])

    def trailers(self, body):
        self.write(in_chunks(body)[:-2] + b"x-number: 0\r\nset-cookie: wrong\r\n\r\n")

    def interim(self, body):
        self.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nx-number: wrong\r\n\r\n", with_length(body))

    def blank_lines(self, body):
        self.write(b"\r\n\r\n" + with_length(body) + b"\r\n")

    # Tricks after which it must not go on

    def garbage(self, body):
        self.write(with_length(body) + b"\0garbage\r\n")

    def second_answer(self, body):
        self.write(with_length(body) + with_length(b"wrong"))

    def close(self, body):
        self.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + body)
        self.transport.close()

    def close_unsaid(self, body):
        self.write(with_length(body))
        self.transport.close()

    def close_soon(self, body):
        self.write(with_length(body))
        asyncio.get_running_loop().call_later(self.chance.random() * 0.01, self.transport.close)

    # Tricks without a whole answer

    def reset(self, body):
        self.transport.abort()

    def cut(self, body):
        wire = self.chance.choice([with_length, in_chunks])(body)
        self.write(wire[: self.chance.randrange(len(wire))])
        self.transport.close()

    def two_framings(self, body):
        self.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nwrong")


def with_length(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def in_chunks(body: bytes) -> bytes:
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:]) if part)
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


WHOLE = [
    Trickster.plain,
    Trickster.chunked,
    Trickster.split,
    Trickster.trailers,
    Trickster.interim,
    Trickster.blank_lines,
]
LAST = [
    Trickster.garbage,
    Trickster.second_answer,
    Trickster.close,
    Trickster.close_unsaid,
    Trickster.close_soon,
]
BROKEN = [Trickster.reset, Trickster.cut, Trickster.two_framings]
TRICKS = WHOLE * 5 + LAST + BROKEN


async def test_every_answer_belongs_to_its_request(new_pool):
    chance = random.Random(4711)
    Trickster.chance, Trickster.played = random.Random(4712), Counter()
    server = await asyncio.get_running_loop().create_server(Trickster, "127.0.0.1", 0)
    pool: Pool = new_pool()
    origin = Origin("http", *server.sockets[0].getsockname())
    outcomes: Counter = Counter()

    async def caller(me: int) -> None:
        for number in range(CALLS // AT_ONCE):
            body = b"<%d-%d>" % (me, number) * chance.choice([1, 1, 1, 100])
            try:
                exchange = await pool.send(origin, b"POST", b"/", [], body)
                try:
                    if chance.random() < 0.02:
                        outcomes["given up"] += 1
                        continue
                    answer = await all_of(exchange)
                finally:
                    exchange.close()
            except (ConnectionLost, BadResponse) as error:
                outcomes[type(error).__name__] += 1
            else:
                assert answer == body
                outcomes["right"] += 1

    await asyncio.gather(*(caller(me) for me in range(AT_ONCE)))
    server.close()
    broken = sum(Trickster.played[trick.__name__] for trick in BROKEN)
    assert set(Trickster.played) == {trick.__name__ for trick in TRICKS}
    assert outcomes.total() == CALLS // AT_ONCE * AT_ONCE
    # what fails was broken by the provider, or a race with a close that came long after the answer
    assert outcomes["ConnectionLost"] + outcomes["BadResponse"] <= broken
    assert outcomes["right"] > 0.85 * CALLS
