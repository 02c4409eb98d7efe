"""A client that keeps a record: what it asked for, what it was told, and whether it saw the end.

Raw HTTP/1.1 over asyncio, so that neither an SDK's retries nor a library's pool hide what happens.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httptools

GIVE_UP_S = 60.0


@dataclass(frozen=True)
class Ask:
    """A call to make."""

    nonce: str
    target: str
    headers: dict[str, str]
    body: bytes
    end: bytes = b""  # what ends the stream, before the connection says so; empty: a plain answer
    is_streamed: bool = False
    method: str = "POST"

    @property
    def raw(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", "host: tollgate"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [f"content-length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode() + self.body


@dataclass
class Seen:
    """What a client saw of a call. `saw_end`: nothing was missing that it could have waited for."""

    ask: Ask
    status: int = 0  # 0: no answer began
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    saw_end: bool = False
    error: str = ""
    began: float = 0.0  # on the monotonic clock
    ended: float = 0.0

    @property
    def nonce(self) -> str:
        return self.ask.nonce

    @property
    def is_served(self) -> bool:
        return self.status == 200 and self.saw_end

    @property
    def latency_s(self) -> float:
        return self.ended - self.began


class Connection(asyncio.Protocol):
    """One connection, one call after the other."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._seen: Seen | None = None
        self._done: asyncio.Future[None] | None = None
        self.is_open = False

    # What is asked of it

    async def call(self, ask: Ask) -> Seen:
        """Make a call. Whatever happens is in what is returned."""
        assert self._transport is not None
        self._seen = seen = Seen(ask, began=time.monotonic())
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(ask.raw)
        try:
            async with asyncio.timeout(GIVE_UP_S):
                await self._done
        except TimeoutError:
            seen.error = "no end came"
            self.close()
        seen.ended = time.monotonic()
        self._seen = None
        return seen

    def close(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    # What the transport says

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._seen is None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._seen.error = f"not HTTP: {error}"
            self.close()
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._seen is not None and not self._seen.saw_end:
            self._seen.error = self._seen.error or (repr(exc) if exc else "closed")
        self._finish()

    # What the parser says

    def on_status_complete(self) -> None: ...

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._seen is not None:
            self._seen.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._seen is not None and self._parser is not None:
            self._seen.status = self._parser.get_status_code()
            self.is_open = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        seen = self._seen
        if seen is None:
            return
        seen.body += body
        if seen.ask.end and seen.ask.end in seen.body[-400:]:
            seen.saw_end = True

    def on_message_complete(self) -> None:
        if self._seen is not None:
            self._seen.saw_end = True
        self._finish()

    def _finish(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)


async def connect(port: int) -> Connection:
    """A new connection. Raises OSError."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


async def call(port: int, ask: Ask) -> Seen:
    """Make one call on a connection of its own."""
    connection = await connect(port)
    seen = await connection.call(ask)
    connection.close()
    return seen


class Load:
    """Many clients at once, each on a connection that it keeps; calls are taken as they are free.

    asks: may go on for ever; `stop` ends it after the calls that are under way.
    """

    def __init__(
        self, port: int, asks: Iterable[Ask], *, at_once: int, on_seen: Callable[[Seen], None] | None = None
    ) -> None:
        self._port = port
        self._asks: Iterator[Ask] = iter(asks)
        self._at_once = at_once
        self._on_seen = on_seen
        self._is_stopped = False
        self.seen: list[Seen] = []

    async def run(self) -> list[Seen]:
        """Make all calls."""
        await asyncio.gather(*(self._client() for _ in range(self._at_once)))
        return self.seen

    def stop(self) -> None:
        self._is_stopped = True

    @contextlib.asynccontextmanager
    async def running(self):
        """Have it run meanwhile, and stop it in the end."""
        task = asyncio.create_task(self.run())
        try:
            yield self
        finally:
            self.stop()
            await task

    async def _client(self) -> None:
        connection: Connection | None = None
        while not self._is_stopped and (ask := next(self._asks, None)) is not None:
            try:
                if connection is None or not connection.is_open:
                    connection = await connect(self._port)
                seen = await connection.call(ask)
            except OSError as error:
                seen = Seen(ask, error=repr(error), began=time.monotonic(), ended=time.monotonic())
                await asyncio.sleep(0.02)
            self.seen.append(seen)
            if self._on_seen is not None:
                self._on_seen(seen)
        if connection is not None:
            connection.close()
