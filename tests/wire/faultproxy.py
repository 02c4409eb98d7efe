"""A TCP proxy that breaks things on purpose: between us and a provider, Redis, PostgreSQL or a client.

    async with FaultProxy("127.0.0.1", 6379) as proxy:
        ...  # talk to proxy.port
        proxy.to_client = Fault(delay_s=2)
        ...  # from now on, for open connections too
        proxy.to_client = NONE

`to_client` is what happens to bytes on their way from the server, `to_server` to the others. Counts
of bytes (`at`) are of one connection and one direction, from its beginning.
"""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Self

READ_AT_ONCE = 64 * 1024


class End(Enum):
    """What becomes of a direction when `at` bytes have passed."""

    STALL = auto()  # nothing more passes, both sides stay connected
    RESET = auto()  # RST to both sides
    CLOSE = auto()  # FIN to both sides
    HALF_CLOSE = auto()  # FIN in this direction only


@dataclass(frozen=True)
class Fault:
    """What happens to the bytes of one direction. Faults can be combined."""

    delay_s: float = 0.0  # each piece, on its way
    split_at: tuple[int, ...] = ()  # a pause after these bytes, so that they arrive apart
    piece: int = 0  # nothing longer than this at once
    pause_s: float = 0.005  # between the pieces of a split
    collect_s: float = 0.0  # what comes within this time goes on as one piece
    bytes_per_s: float = 0.0  # throttled to this
    insert: bytes = b""  # put in after `at` bytes
    at: int | None = None  # where `insert` and `end` happen; None: never
    end: End | None = None


NONE = Fault()


@dataclass(eq=False)
class Link:
    """One client and its connection to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    tasks: list[asyncio.Task] = field(default_factory=list)

    def reset(self) -> None:
        """RST to both."""
        for writer in (self.client, self.server):
            sock = writer.get_extra_info("socket")
            if sock is not None and sock.fileno() != -1 and sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def close(self) -> None:
        """FIN to both, after what is on its way."""
        self.client.close()
        self.server.close()


class FaultProxy:
    """Listens on a loopback port and passes bytes on to `host` and `port`, or to a Unix socket's path."""

    def __init__(self, host: str, port: int = 0, *, to_client: Fault = NONE, to_server: Fault = NONE) -> None:
        self._target = (host, port)
        self.to_client = to_client
        self.to_server = to_server
        self.is_refusing = False  # new connections are reset at once
        self.accepted = 0
        self.links: set[Link] = set()
        self.port = 0

    def __repr__(self) -> str:
        return f"<FaultProxy {self.port} to {self._target}, {len(self.links)} links, {self.to_client}>"

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._listener.close()
        tasks = [task for link in self.links for task in link.tasks]
        self.reset_all()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def reset_all(self) -> None:
        """Cut every open connection, with RST."""
        for link in list(self.links):
            link.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            if self.is_refusing:
                raise ConnectionRefusedError
            server_reader, server_writer = await self._connect()
        except OSError:
            Link(writer, writer).reset()
            return
        link = Link(writer, server_writer)
        self.links.add(link)
        link.tasks = [
            asyncio.create_task(self._pump("to_server", link, reader, server_writer)),
            asyncio.create_task(self._pump("to_client", link, server_reader, writer)),
        ]
        await asyncio.gather(*link.tasks, return_exceptions=True)
        link.close()
        self.links.discard(link)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._target
        if host.startswith("/"):
            return await asyncio.open_unix_connection(host)
        return await asyncio.open_connection(host, port)

    async def _pump(
        self, direction: str, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        passed = 0
        with contextlib.suppress(ConnectionError):
            while data := await self._next(direction, reader):
                fault: Fault = getattr(self, direction)
                if fault.delay_s:
                    await asyncio.sleep(fault.delay_s)
                for piece in _pieces(data, passed, fault):
                    if fault.at == passed and not await self._end(fault, link, writer):
                        return
                    writer.write(piece)
                    await writer.drain()
                    passed += len(piece)
                    if len(piece) < len(data):
                        await asyncio.sleep(fault.pause_s)
                    if fault.bytes_per_s:
                        await asyncio.sleep(len(piece) / fault.bytes_per_s)
                fault = getattr(self, direction)
                if fault.at == passed and not await self._end(fault, link, writer):
                    return
        if writer.can_write_eof():
            with contextlib.suppress(OSError):
                writer.write_eof()

    async def _next(self, direction: str, reader: asyncio.StreamReader) -> bytes:
        data = await reader.read(READ_AT_ONCE)
        while data and (wait_s := getattr(self, direction).collect_s):
            try:
                more = await asyncio.wait_for(reader.read(READ_AT_ONCE), wait_s)
            except TimeoutError:
                break
            if not more:
                break
            data += more
        return data

    async def _end(self, fault: Fault, link: Link, writer: asyncio.StreamWriter) -> bool:
        """Do what is to be done after `at` bytes. Returns whether the direction goes on."""
        if fault.insert:
            writer.write(fault.insert)
            await writer.drain()
        match fault.end:
            case None:
                return True
            case End.STALL:
                await asyncio.Event().wait()
            case End.RESET:
                link.reset()
            case End.CLOSE:
                link.close()
            case End.HALF_CLOSE:
                writer.write_eof()
        return False


def _pieces(data: bytes, passed: int, fault: Fault) -> list[bytes]:
    """`data`, which comes after `passed` bytes, in the pieces that `fault` makes of it."""
    cuts = {at - passed for at in fault.split_at}
    if fault.piece:
        cuts.update(range(fault.piece, len(data), fault.piece))
    if fault.at is not None:
        cuts.add(fault.at - passed)
    inside = sorted(cut for cut in cuts if 0 < cut < len(data))
    return [data[a:b] for a, b in zip([0, *inside], [*inside, len(data)], strict=True)]
