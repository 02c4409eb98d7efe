"""How slow a client may be: silent, dripping, stalled, or not reading."""

import asyncio
import socket
import time

import pytest

from .guarded import OK, Quick, Recorder, is_closed, served, statuses, talk

HEAD = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
WHOLE = HEAD + b"\r\nbody"


async def timed(answer) -> tuple[bytes, float]:
    started = time.monotonic()
    return await answer, time.monotonic() - started


async def test_a_silent_connection_is_closed_without_a_word():
    async with served(app := Recorder()) as port:
        answer, seconds = await timed(talk(port))
    assert answer == b""
    assert Quick.head_timeout <= seconds < Quick.head_timeout + 1
    assert app.seen == []


@pytest.mark.parametrize("begun", [b"P", b"POST / HTTP/1.1\r\n", HEAD, HEAD + b"X: "], ids=repr)
async def test_headers_must_be_complete_in_time(begun):
    async with served(app := Recorder()) as port:
        answer, seconds = await timed(talk(port, begun))
    assert statuses(answer) == [408]
    assert is_closed(answer)
    assert Quick.head_timeout <= seconds < Quick.head_timeout + 1
    assert app.seen == []


async def test_dripping_bytes_wins_no_time_for_the_headers():
    async with served(Recorder()) as port:
        answer, seconds = await timed(talk(port, HEAD + b"X: ", *[b"y"] * 500, pause_s=0.01))
        assert (statuses(answer), seconds < 3) == ([408], True)
        answer, seconds = await timed(talk(port, *[b"\r\n"] * 500, pause_s=0.01))
        assert seconds < 3  # blank lines before a request begin nothing
        assert statuses(answer) in ([], [408])


async def test_headers_of_a_later_request_have_the_same_time():
    async with served(app := Recorder()) as port:
        answer, seconds = await timed(talk(port, WHOLE, HEAD, pause_s=0.1))
    assert statuses(answer) == [200, 408]
    assert 0.1 + Quick.head_timeout <= seconds < 1.5
    assert len(app.seen) == 1


async def test_an_idle_connection_is_kept_and_then_closed():
    async with served(Recorder(), timeout_keep_alive=0.5) as port:
        answer, seconds = await timed(talk(port, WHOLE, b"", WHOLE, pause_s=0.2))
    assert statuses(answer) == [200, 200]
    assert is_closed(answer)
    assert 0.9 <= seconds < 2


async def test_a_stalled_body_is_refused_and_the_application_is_told():
    async with served(app := Recorder()) as port:
        answer, seconds = await timed(talk(port, HEAD + b"\r\nbo"))
    assert statuses(answer) == [408]
    assert is_closed(answer)
    assert Quick.body_timeout <= seconds < Quick.body_timeout + 1
    assert (app.seen[0].body, app.seen[0].is_disconnected) == (b"bo", True)


async def test_a_slow_body_that_keeps_coming_is_waited_for():
    wire = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n"
    async with served(app := Recorder()) as port:
        answer = await talk(port, wire, *[b"x"] * 6, pause_s=0.1)
    assert statuses(answer) == [200]
    assert app.seen[0].body == b"xxxxxx"


async def test_a_slow_application_is_not_the_clients_fault():
    async def slow(scope, receive, send):
        await asyncio.sleep(0.5)  # longer than any patience with the client
        body = b""
        while (message := await receive())["more_body"]:
            body += message["body"]
            await asyncio.sleep(0.3)
        assert len(body + message["body"]) == 200_000
        for message in OK:
            await send(message)

    wire = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 200000\r\n"
    async with served(slow) as port:
        assert statuses(await talk(port, wire + b"\r\n" + b"x" * 200_000)) == [200]
        assert statuses(await talk(port, wire + b"Expect: 100-continue\r\n\r\n")) == [100, 408]


class Firehose:
    """An application that sends without end, and notes how far it got and that it was told of the end."""

    def __init__(self):
        self.sent = 0
        self.told = asyncio.Event()

    async def __call__(self, scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        gone = asyncio.create_task(self._wait_for_end(receive))
        while not self.told.is_set():
            await send({"type": "http.response.body", "body": b"x" * 4096, "more_body": True})
            self.sent += 4096
            await asyncio.sleep(0)
        await gone

    async def _wait_for_end(self, receive):
        assert (await receive())["type"] == "http.disconnect"
        self.told.set()


def not_reading(port: int) -> socket.socket:
    """A client that asks, and takes nothing of the answer but what its kernel does."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    return client


async def test_a_client_that_does_not_read_holds_the_application_up_and_is_cut_in_the_end():
    app = Firehose()
    async with served(app) as port:
        with not_reading(port):
            started = time.monotonic()
            await asyncio.wait_for(app.told.wait(), 5)
            assert time.monotonic() - started >= Quick.write_timeout
            assert app.sent < 8_000_000  # what the kernel's buffers held, and one of ours


async def test_a_client_that_reads_slowly_is_not_cut():
    app = Firehose()
    async with served(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        started, taken = time.monotonic(), 0
        while time.monotonic() - started < 3 * Quick.write_timeout:
            taken += len(await reader.read(1_000_000))
            await asyncio.sleep(0.01)
        assert not app.told.is_set()
        writer.close()
    assert app.sent >= taken > 0


async def test_a_client_that_is_still_reading_is_not_idle():
    """The application is done, the last of its answer is still on the way: keep-alive's patience does not count yet."""
    body = b"x" * 3_000_000

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3000000")]})
        await send({"type": "http.response.body", "body": body})

    class Patient(Quick):
        write_timeout = 10.0

    async with served(app, Patient, timeout_keep_alive=0.05) as port:
        with not_reading(port) as client:
            await asyncio.sleep(0.2)
            client.setblocking(False)
            answer = b""
            while part := await asyncio.get_running_loop().sock_recv(client, 1_000_000):
                answer += part
    assert answer.endswith(b"\r\n\r\n" + body)


async def test_many_slow_clients_do_not_hold_up_a_good_one():
    """Slowloris in short: silent ones, ones that drip a header, ones that stall in a body."""
    async with served(Recorder()) as port:
        alone = [await timed(talk(port, WHOLE.replace(b"Host", b"Connection: close\r\nHost"))) for _ in range(50)]
        slow = [
            asyncio.create_task(timed(talk(port, *parts, pause_s=0.05)))
            for parts in [()] * 100 + [[HEAD + b"X: ", *[b"y"] * 100]] * 100 + [[HEAD + b"\r\nb"]] * 100
        ]
        await asyncio.sleep(0.1)
        beside = [await timed(talk(port, WHOLE.replace(b"Host", b"Connection: close\r\nHost"))) for _ in range(50)]
        ends = await asyncio.gather(*slow)
    assert all(statuses(answer) == [200] for answer, _ in alone + beside)
    told = [statuses(answer) for answer, _ in ends]
    assert (told[:100], told[100:200], told[200:]) == ([[]] * 100, [[408]] * 100, [[408]] * 100)
    assert max(seconds for _, seconds in ends) < 3
    worst = sorted(seconds for _, seconds in beside)[-3]
    assert worst < 0.5
