"""The connections to one origin: how many there may be, and who gets the next."""

import asyncio
import contextlib
import socket
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from apps.kit.failpoints import reach

from .connection import CLOSED, IDLE, Connection
from .errors import ConnectFailed, ConnectionLost, OriginBusy
from .origin import Origin

if TYPE_CHECKING:
    from .pool import Pool


@dataclass(frozen=True, slots=True)
class OriginStats:
    """How an origin's connections are used. The last three count from the start."""

    idle: int
    busy: int
    connecting: int
    waiting: int
    opened: int
    retried: int
    refused: int


class Bulkhead:
    """One origin's share of the pool: a provider that hangs fills this, and nothing else."""

    def __init__(self, origin: Origin, pool: "Pool", loop: asyncio.AbstractEventLoop) -> None:
        self.origin = origin
        self.host = origin.authority.encode("ascii")
        self._pool = pool
        self._loop = loop
        self._idle: list[Connection] = []  # the last one used is the first to be used again
        self._busy: set[Connection] = set()
        self._connecting = 0
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._is_closed = False
        self.opened = self.retried = self.refused = 0

    def __repr__(self) -> str:
        return f"<Bulkhead {self.origin}: {self.stats()}>"

    def stats(self) -> OriginStats:
        """The state now."""
        return OriginStats(
            len(self._idle),
            len(self._busy),
            self._connecting,
            len(self._waiters),
            self.opened,
            self.retried,
            self.refused,
        )

    @property
    def is_empty(self) -> bool:
        return not (self._idle or self._busy or self._connecting or self._waiters)

    # Taking

    def take_idle(self, *, only_warm: bool = False) -> Connection | None:
        """A connection that has carried an answer. `only_warm`: just now, so that it is surely still open."""
        idle = self._idle
        while idle:
            if only_warm and idle[-1].silent > 1:
                return None
            connection = idle.pop()
            if not connection.transport.is_closing():
                self._busy.add(connection)
                return connection
            connection.abort(ConnectionLost("closing"))
        return None

    async def open(self) -> Connection:
        """A connection for the caller: a new one, or one that came free while there was no room.

        Raises ConnectFailed and OriginBusy.
        """
        if not self._has_room() and self._idle:
            self._idle[0].close()  # the caller has just declined the idle ones
        if self._has_room():
            self._connecting += 1
        elif (connection := await self._wait_for_room()) is not None:
            return connection if connection.state is IDLE else await self.open()
        try:
            return await self._connect()
        finally:
            self._connecting -= 1
            self._hand_on_room()

    def _has_room(self) -> bool:
        return len(self._busy) + len(self._idle) + self._connecting < self._pool.max_connections

    async def _connect(self) -> Connection:
        """A new connection, among the busy ones. The caller has counted it in `_connecting`."""
        origin, pool = self.origin, self._pool
        connection = Connection(self, pool.buffer, self._loop)
        try:
            async with asyncio.timeout(pool.connect_timeout):
                if origin.socket:
                    await self._loop.create_unix_connection(lambda: connection, origin.socket)
                elif origin.scheme == "https":
                    await self._loop.create_connection(
                        lambda: connection, origin.host, origin.port, ssl=pool.tls, ssl_shutdown_timeout=2.0
                    )
                else:
                    await self._loop.create_connection(lambda: connection, origin.host, origin.port)
        except TimeoutError:
            raise ConnectFailed(f"no connection to {origin} within {pool.connect_timeout:g} s") from None
        except (OSError, UnicodeError) as error:  # ssl.SSLError is an OSError
            raise ConnectFailed(f"no connection to {origin}: {error}") from error
        if connection.state is CLOSED:
            raise ConnectFailed(f"{origin} closed the connection at once")
        if self._is_closed:
            connection.abort(_pool_closed())
            raise _pool_closed()
        if not origin.socket:
            _keep_alive(connection.transport)
        self.opened += 1
        reach("after_connect")
        self._busy.add(connection)
        return connection

    # Waiting

    async def _wait_for_room(self) -> Connection | None:
        """A connection that came free, or None: there is room for a new one, counted in `_connecting`."""
        if len(self._waiters) >= self._pool.max_waiting:
            self.refused += 1
            raise OriginBusy(f"too many calls are waiting for {self.origin}")
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(self._pool.wait_timeout):
                return await waiter
        except TimeoutError:
            self._decline(waiter)
            self.refused += 1
            raise OriginBusy(f"all connections to {self.origin} are taken") from None
        except asyncio.CancelledError:
            self._decline(waiter)
            raise

    def _decline(self, waiter: "asyncio.Future[Connection | None]") -> None:
        """Leave the queue, or pass on what was given at the very moment of leaving."""
        if waiter.cancelled() or not waiter.done():
            with contextlib.suppress(ValueError):  # somebody giving may have passed it over already
                self._waiters.remove(waiter)
        elif waiter.exception() is not None:
            return
        elif (connection := waiter.result()) is None:
            self._connecting -= 1
            self._hand_on_room()
        elif connection.state is IDLE:
            self.release(connection)

    def _hand_on_room(self) -> None:
        while self._waiters and self._has_room():
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._connecting += 1
                waiter.set_result(None)

    # Giving back, by the connections

    def release(self, connection: Connection) -> None:
        """The connection has carried an answer and can carry another."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)  # it stays busy
                return
        self._busy.discard(connection)
        self._idle.append(connection)
        if (ssl_object := connection.transport.get_extra_info("ssl_object")) is not None and connection.uses == 1:
            self._pool.tls.remember(self.origin.host, ssl_object)

    def remove(self, connection: Connection) -> None:
        """The connection has ended."""
        if connection in self._busy:
            self._busy.remove(connection)
        elif connection in self._idle:
            self._idle.remove(connection)
        self._hand_on_room()

    # Time

    def age(self, first_byte: int, idle: int, unused: int) -> None:
        """Another sweep of the pool has passed."""
        for connection in (*self._busy, *self._idle):
            connection.age(first_byte, idle, unused)

    def close(self) -> None:
        """Cut everything, for good."""
        self._is_closed = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(_pool_closed())
        self._waiters.clear()
        for connection in (*self._busy, *self._idle):
            connection.abort(_pool_closed())


def _pool_closed() -> ConnectionLost:
    return ConnectionLost("the pool was closed")


def _keep_alive(transport: asyncio.Transport) -> None:
    """Have the kernel ask now and then: a NAT forgets what is silent, and a model may think for minutes."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):  # Linux
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 45)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
