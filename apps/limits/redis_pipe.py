"""One connection to Redis for a whole process: what an event-loop tick asks goes out in one write.

Replies come in the order of the commands, so each waits in a queue for its own. A caller that gives up
leaves its place in the queue, and nobody gets another's reply. A Redis that doesn't answer in time, or
that answers it cannot write, is taken for gone: what waits fails, and until a write has been tried on a new
connection calls fail at once. Knows no Django.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import cast

import hiredis

from apps.limits.redis_address import RedisAddress

logger = logging.getLogger(__name__)

SWEEP_S = 0.025
SWEEPS = 9  # a reply that takes longer is not waited for: 225 to 250 ms
CONNECT_S = 1.0
RETRY_S = 0.5  # between attempts to connect

# The last thing said on a new connection: one that cannot be written to is of no use.
PROBE = ("SET", "tollgate:probe", "1", "PX", 60_000)
AWAY = ("LOADING", "MASTERDOWN", "READONLY", "MISCONF", "OOM", "NOREPLICAS", "CLUSTERDOWN", "NOAUTH", "BUSY ")

Argument = bytes | str | int
Reply = object


class RedisUnavailable(Exception):
    """Redis does not answer. Nothing is known of what became of the command."""


class RedisAway(RedisUnavailable):
    """Redis is known not to answer. The command was not sent."""


class RedisRefused(Exception):
    """Redis answered with an error."""


class State(Enum):
    """Of a pipe. Only an OPEN one takes commands."""

    STOPPED = auto()
    AWAY = auto()
    OPEN = auto()


@dataclass(slots=True)
class PipeStats:
    """What a pipe has done since it was made."""

    commands: int = 0
    writes: int = 0  # to the socket: an event-loop tick's commands go out in one
    connects: int = 0
    losses: int = 0


class RedisPipe:
    """Commands to one Redis. `start` connects and keeps connected; `call` may be used at any time.

    greeting: commands said first on every new connection, such as those that load scripts.
    on_open: called whenever commands are taken, for the first time or again.
    """

    def __init__(
        self, url: str, greeting: Iterable[Sequence[Argument]] = (), on_open: Callable[[], None] = lambda: None
    ) -> None:
        # The process's
        self._address = RedisAddress(url)
        self._greeting = [*self._address.greeting, *greeting, PROBE]
        self._on_open = on_open
        self._keeper: asyncio.Task[None] | None = None
        self._is_known_away = False
        self._stats = PipeStats()

        # The connection's
        self._connection: _Connection | None = None

    def __repr__(self) -> str:
        return f"<RedisPipe to {self._address} {self.state.name}, {self.waiting} waiting>"

    @property
    def state(self) -> State:
        if self._keeper is None:
            return State.STOPPED
        return State.AWAY if self._connection is None or self._connection.lost.done() else State.OPEN

    @property
    def waiting(self) -> int:
        """Commands whose replies are to come."""
        return 0 if self._connection is None else len(self._connection.waiting)

    def stats(self) -> PipeStats:
        return replace(self._stats)

    # Life

    def start(self) -> None:
        """Connect, and connect again whenever the connection is lost, until `stop`."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep_connected())

    async def stop(self) -> None:
        """End the connection, once what was asked is answered or overdue."""
        if self._keeper is None:
            return
        self._keeper.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeper
        self._keeper = None
        if self._connection is not None:
            while self._connection.waiting:  # an answer may make somebody ask again
                await asyncio.gather(*self._connection.waiting, return_exceptions=True)
            self._connection.close("the pipe is stopped")
            await self._connection.gone

    async def _keep_connected(self) -> None:
        while True:
            try:
                self._connection = await self._connect()
            except (OSError, TimeoutError, RedisUnavailable, RedisRefused) as error:
                self._note_away(str(error) or type(error).__name__)
                await asyncio.sleep(RETRY_S)
                continue
            self._note_back()
            self._on_open()
            reason = await asyncio.shield(self._connection.lost)
            self._stats.losses += 1
            self._note_away(reason)

    async def _connect(self) -> "_Connection":
        """Half open: nobody else is let on the connection before its greeting is answered."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_S):
            _, connection = await self._address.connect(lambda: _Connection(loop, self._stats))
            try:
                for command in self._greeting:
                    await connection.send(hiredis.pack_command(tuple(command)))  # type: ignore[arg-type]
            except BaseException:
                connection.close("the greeting went unanswered")
                raise
        return connection

    def _note_away(self, reason: str) -> None:
        if not self._is_known_away:
            logger.warning("Redis is away: %s", reason)
            self._is_known_away = True

    def _note_back(self) -> None:
        if self._is_known_away:
            logger.warning("Redis answers again")
            self._is_known_away = False

    # Calling

    def call(self, *command: Argument) -> "asyncio.Future[Reply]":
        """Send a command; the future has the reply, or RedisRefused, or RedisUnavailable within the deadline.

        Raises RedisAway at once where Redis is known to be away.
        """
        return self.call_packed(hiredis.pack_command(command))  # type: ignore[arg-type]

    def call_packed(self, command: bytes) -> "asyncio.Future[Reply]":
        """As `call`, with a command in the form that goes over the wire."""
        connection = self._connection
        if connection is None or connection.lost.done():
            raise RedisAway("Redis is away")
        return connection.send(command)


class _Connection(asyncio.Protocol):
    """From its making to its loss, never made anew. `lost` has the reason, once there is one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stats: PipeStats) -> None:
        self.lost: asyncio.Future[str] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()  # the socket, a little later
        self.waiting: deque[asyncio.Future[Reply]] = deque()
        self._loop = loop
        self._stats = stats
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._outgoing: list[bytes] = []

        # Deadlines. How many commands had been sent at each of the last sweeps: all of the oldest are overdue.
        # Sweeps are counted, not time, so that a loop which was held up doesn't take Redis for slow.
        self._sent = 0
        self._answered = 0
        self._sent_by_sweep: deque[int] = deque(maxlen=SWEEPS)
        self._sweeper: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not one by class
        self._stats.connects += 1

    # Sending

    def send(self, command: bytes) -> "asyncio.Future[Reply]":
        future: asyncio.Future[Reply] = self._loop.create_future()
        self.waiting.append(future)
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(command)
        self._sent += 1
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(SWEEP_S, self._sweep)
        return future

    def _flush(self) -> None:
        if self._transport is not None and not self.lost.done():
            self._transport.write(b"".join(self._outgoing))
            self._stats.writes += 1
            self._stats.commands += len(self._outgoing)
        self._outgoing.clear()

    # Receiving

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        waiting = self.waiting
        try:
            while (reply := self._reader.gets()) is not False:
                if not waiting:
                    self.close("a reply that nobody asked for")
                    return
                self._answered += 1
                self._answer(waiting.popleft(), reply)
        except hiredis.ProtocolError as error:
            self.close(str(error))

    def _answer(self, future: "asyncio.Future[Reply]", reply: Reply) -> None:
        if not isinstance(reply, hiredis.ReplyError):
            if not future.done():  # else its caller gave up; the reply is still its own
                future.set_result(reply)
            return
        message = str(reply)
        if any(code in message for code in AWAY):
            _fail(future, RedisUnavailable(message))
            self.close(message)
        else:
            _fail(future, RedisRefused(message))

    # Losing

    def _sweep(self) -> None:
        self._sweeper = None
        if not self.waiting:
            self._sent_by_sweep.clear()
            return
        if len(self._sent_by_sweep) == SWEEPS and self._answered < self._sent_by_sweep[0]:
            self.close("Redis does not answer")
            return
        self._sent_by_sweep.append(self._sent)
        self._sweeper = self._loop.call_later(SWEEP_S, self._sweep)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set_result(None)
        self.close("the connection was lost" if exc is None else f"the connection was lost: {exc}")

    def close(self, reason: str) -> None:
        """End it, and tell all who wait. Later calls do nothing."""
        if self.lost.done():
            return
        self.lost.set_result(reason)
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._transport is not None:
            self._transport.abort()
        while self.waiting:
            _fail(self.waiting.popleft(), RedisUnavailable(reason))


def _fail(future: "asyncio.Future[Reply]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # marked as seen: who doesn't look has chosen not to
