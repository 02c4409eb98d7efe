"""One connection to Redis for a whole process: what an event-loop tick asks goes out in one write.

Replies come in the order of the commands, so each waits in a queue for its own. A caller that gives up
leaves its place in the queue, and nobody gets another's reply. A Redis that doesn't answer in time is
taken for gone: what waits fails, and until it answers again calls fail at once. Knows no Django.
"""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis

logger = logging.getLogger(__name__)

DEADLINE_S = 0.25  # a reply that takes longer is not waited for
SWEEP_S = 0.05
RETRY_S = 0.5  # between attempts to connect

Argument = bytes | str | int
Reply = object


class RedisUnavailable(Exception):
    """Redis does not answer. Nothing is known of what became of the command."""


class RedisRefused(Exception):
    """Redis answered with an error."""


class State(Enum):
    """Of the connection. Only an OPEN one takes commands."""

    CLOSED = auto()
    CONNECTING = auto()
    OPEN = auto()


@dataclass(frozen=True, slots=True)
class PipeStats:
    """What a pipe has done since it was made."""

    commands: int
    writes: int
    failures: int
    connects: int
    waiting: int


class _Waiting:
    """A command whose reply is to come."""

    __slots__ = ("future", "sweeps")

    def __init__(self, future: "asyncio.Future[Reply]") -> None:
        self.future = future
        self.sweeps = 0


class RedisPipe(asyncio.Protocol):
    """Commands to one Redis. `start` connects and keeps connected; `call` may be used at any time.

    greeting: commands said first on every new connection, such as those that load scripts.
    """

    def __init__(self, url: str, greeting: Iterable[Sequence[Argument]] = ()) -> None:
        # The process's
        self._address = _Address(url)
        self._greeting = [*self._address.greeting, *greeting]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._is_known_away = False
        self._commands = self._writes = self._failures = self._connects = 0

        # The connection's
        self.state = State.CLOSED
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._waiting: deque[_Waiting] = deque()
        self._outgoing: list[bytes] = []
        self._sweeper: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<RedisPipe to {self._address} {self.state.name}, {len(self._waiting)} waiting>"

    def stats(self) -> PipeStats:
        return PipeStats(self._commands, self._writes, self._failures, self._connects, len(self._waiting))

    # Life

    def start(self) -> None:
        """Connect, and connect again whenever the connection is lost, until `stop`."""
        self._loop = asyncio.get_running_loop()
        self._keeper = self._loop.create_task(self._keep_connected())

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._fail("the pipe is stopped")

    async def _keep_connected(self) -> None:
        while True:
            try:
                await self._connect()
            except (OSError, TimeoutError, RedisUnavailable, RedisRefused, hiredis.HiredisError) as error:
                self._fail(str(error) or type(error).__name__)
                await asyncio.sleep(RETRY_S)
                continue
            if self._is_known_away:
                logger.warning("Redis answers again")
                self._is_known_away = False
            await self._lost.wait()

    async def _connect(self) -> None:
        """Half open: only when Redis answers a PING on the new connection are others let on it."""
        self.state = State.CONNECTING
        self._lost.clear()
        async with asyncio.timeout(2.0):
            await self._address.connect(asyncio.get_running_loop(), self)
            for command in self._greeting:
                await self._send(command)
        self.state = State.OPEN

    # Calling

    def call(self, *command: Argument) -> "asyncio.Future[Reply]":
        """Send a command; the future has the reply, or RedisRefused, or RedisUnavailable within the deadline.

        Raises RedisUnavailable at once where Redis is known to be away.
        """
        if self.state is not State.OPEN:
            raise RedisUnavailable("Redis is away")
        return self._send(command)

    def _send(self, command: Sequence[Argument]) -> "asyncio.Future[Reply]":
        loop = self._loop
        assert loop is not None
        future = loop.create_future()
        self._waiting.append(_Waiting(future))
        if not self._outgoing:
            loop.call_soon(self._flush)
        self._outgoing.append(hiredis.pack_command(tuple(command)))  # type: ignore[arg-type]
        self._commands += 1
        return future

    def _flush(self) -> None:
        if self._transport is not None and self._outgoing:
            self._transport.write(b"".join(self._outgoing))
            self._writes += 1
        self._outgoing.clear()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._reader = hiredis.Reader()
        self._connects += 1
        assert self._loop is not None
        self._sweeper = self._loop.call_later(SWEEP_S, self._sweep, self._transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        waiting = self._waiting
        try:
            while (reply := self._reader.gets()) is not False:
                if not waiting:
                    raise hiredis.ProtocolError("a reply that nobody asked for")
                future = waiting.popleft().future
                if future.done():  # its caller gave up; the reply is still its own
                    continue
                if isinstance(reply, hiredis.ReplyError):
                    future.set_exception(RedisRefused(str(reply)))
                else:
                    future.set_result(reply)
        except hiredis.ProtocolError as error:
            self._fail(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the connection was lost")

    # Failing

    def _sweep(self, transport: asyncio.Transport) -> None:
        """Whoever is at the head of the queue has waited longest: when it is overdue, Redis is gone.

        Time is counted in sweeps, so that a loop which was held up doesn't take Redis for slow.
        """
        if transport is not self._transport:
            return
        if self._waiting:
            oldest = self._waiting[0]
            oldest.sweeps += 1
            if oldest.sweeps * SWEEP_S > DEADLINE_S:
                self._fail("Redis does not answer")
                return
        assert self._loop is not None
        self._sweeper = self._loop.call_later(SWEEP_S, self._sweep, transport)

    def _fail(self, reason: str) -> None:
        """End the connection, and tell all who wait."""
        transport, self._transport = self._transport, None
        self.state = State.CLOSED
        if transport is not None:
            transport.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()
        waiting, self._waiting = self._waiting, deque()
        self._outgoing.clear()
        for command in waiting:
            if not command.future.done():
                command.future.set_exception(RedisUnavailable(reason))
                command.future.exception()  # told; whoever doesn't look has chosen not to
        if not self._is_known_away and self._keeper is not None and not self._keeper.done():
            logger.warning("Redis is away: %s", reason)
            self._is_known_away = True
        self._failures += 1
        self._lost.set()


class _Address:
    """Where Redis is, and what to say on a new connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        self._socket = unquote(parts.path) if parts.scheme == "unix" else ""
        self._host = parts.hostname or "localhost"
        self._port = parts.port or 6379
        self._tls = ssl.create_default_context() if parts.scheme == "rediss" else None
        database = query.get("db", [""])[0] or ("" if self._socket else parts.path.strip("/"))
        self.greeting: list[tuple[Argument, ...]] = []
        if parts.password:
            user = (unquote(parts.username),) if parts.username else ()
            self.greeting.append(("AUTH", *user, unquote(parts.password)))
        if database and database != "0":
            self.greeting.append(("SELECT", database))
        self.greeting.append(("PING",))

    def __repr__(self) -> str:
        return f"unix:{self._socket}" if self._socket else f"{self._host}:{self._port}"

    async def connect(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        if self._socket:
            await loop.create_unix_connection(lambda: protocol, self._socket)
        else:
            await loop.create_connection(lambda: protocol, self._host, self._port, ssl=self._tls)
