"""A provider of the tests: plays what a test says, byte by byte, over a real socket."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

from apps.proxy.upstream import Exchange, Origin


@dataclass(frozen=True)
class Request:
    """What came, read by a few lines of our own rather than by what is under test."""

    line: bytes
    headers: dict[bytes, bytes]
    body: bytes
    wire: bytes  # all of it, as it came


class Peer:
    """The provider's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> Request:
        """A request up to the end of its headers. Raises IncompleteReadError when the client has closed."""
        wire = await self.reader.readuntil(b"\r\n\r\n")
        line, *lines = wire[:-4].split(b"\r\n")
        headers = dict(header.split(b": ", 1) for header in lines)
        assert len(headers) == len(lines), f"a header was sent twice: {wire!r}"
        return Request(line, headers, b"", wire)

    async def request(self) -> Request:
        """A whole request."""
        head = await self.head()
        if b"transfer-encoding" in head.headers:
            assert b"content-length" not in head.headers
            body, wire = await self._chunks()
        else:
            body = wire = await self.reader.readexactly(int(head.headers.get(b"content-length", 0)))
        return Request(head.line, head.headers, body, head.wire + wire)

    async def _chunks(self) -> tuple[bytes, bytes]:
        body = wire = b""
        while True:
            line = await self.reader.readuntil(b"\r\n")
            chunk = await self.reader.readexactly(int(line, 16) + 2)
            assert chunk.endswith(b"\r\n")
            wire += line + chunk
            body += chunk[:-2]
            if len(chunk) == 2:
                return body, wire

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def flush(self) -> None:
        """Return when what was written is on its way, and the client has had time to see it alone."""
        await self.writer.drain()
        await asyncio.sleep(0.005)

    async def gone(self) -> None:
        """Wait until the client has ended the connection, in whatever way."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """End with RST instead of FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Handler = Callable[[Peer], Awaitable[None]]


class Provider:
    """Listens on loopback or on a Unix socket; each connection is given to `handler`, and closed after it."""

    def __init__(self, handler: Handler, *, unix: str = "", tls: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._unix = unix
        self._tls = tls
        self._tasks: set[asyncio.Task] = set()
        self._faults: list[BaseException] = []
        self.connections = 0
        self.origin: Origin

    async def __aenter__(self) -> Self:
        if self._unix:
            self._server = await asyncio.start_unix_server(self._run, self._unix)
            self.origin = Origin.parse(f"unix:{self._unix}")
        else:
            self._server = await asyncio.start_server(self._run, "127.0.0.1", 0, ssl=self._tls)
            port = self._server.sockets[0].getsockname()[1]
            self.origin = Origin("https" if self._tls else "http", "localhost" if self._tls else "127.0.0.1", port)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._faults:
            raise self._faults[0]

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._handler(Peer(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except RuntimeError as error:  # how uvloop says that the connection is closed
            if "handler is closed" not in str(error):
                self._faults.append(error)
        except BaseException as fault:
            self._faults.append(fault)
        finally:
            writer.close()
            self._tasks.discard(task)


def script(*answers: bytes) -> Handler:
    """A handler that gives these answers, one to each request, and closes."""

    async def play(peer: Peer) -> None:
        for answer in answers:
            await peer.request()
            peer.write(answer)
        await peer.writer.drain()

    return play


def always(answer: bytes) -> Handler:
    """A handler that gives the same answer to every request."""

    async def play(peer: Peer) -> None:
        while True:
            await peer.request()
            peer.write(answer)

    return play


async def all_of(exchange: Exchange) -> bytes:
    """The rest of an answer's body."""
    parts = []
    while part := await exchange.read():
        parts.append(part)
    return b"".join(parts)


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
