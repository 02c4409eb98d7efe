"""The proxy's client for providers: HTTP/1.1 over kept connections, bounded for each origin.

    pool = Pool()
    exchange = await pool.send(origin, b"POST", b"/v1/chat/completions", headers, body)
    try:
        while chunk := await exchange.read():
            ...
    finally:
        exchange.close()

No redirect is followed, no header made up but Host and the framing, nothing sent twice unless the
provider cannot have begun with it.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import cached_property

from apps.kit.failpoints import reach

from .bulkhead import Bulkhead, OriginStats
from .connection import Connection
from .errors import ConnectionLost
from .exchange import Exchange
from .origin import Origin
from .request import encode_head
from .tls import ClientContext, client_context

READ_AT_ONCE = 32 * 1024  # bytes taken from a socket in one go


class Pool:
    """Connections to providers, for one event loop.

    max_connections, max_waiting: for each origin. A call that finds no room waits `wait_timeout`
    seconds at most, then it is OriginBusy: a provider that hangs takes no other's room.
    Time-outs are in seconds, and come up to a sixteenth late: they are looked after by one timer
    for all connections.
    """

    race_within = 1.0  # seconds: a kept connection that the provider had closed shows it within a round trip

    def __init__(
        self,
        *,
        connect_timeout: float = 10.0,
        first_byte_timeout: float = 600.0,
        idle_timeout: float = 300.0,
        keep_unused: float = 50.0,
        max_connections: int = 2_000,
        max_waiting: int = 1_000,
        wait_timeout: float = 5.0,
        tls: ClientContext | None = None,
    ) -> None:
        self.connect_timeout = connect_timeout
        self.max_connections = max_connections
        self.max_waiting = max_waiting
        self.wait_timeout = wait_timeout
        self._given_tls = tls

        # Time is counted in sweeps, so that a loop that was held up doesn't find everything overdue.
        self._sweep_s = min(1.0, min(first_byte_timeout, idle_timeout, keep_unused) / 16)
        self._patience = tuple(
            max(1, round(timeout / self._sweep_s)) for timeout in (first_byte_timeout, idle_timeout, keep_unused)
        )
        self._sweeper: asyncio.TimerHandle | None = None

        self.buffer = memoryview(bytearray(READ_AT_ONCE))
        self._bulkheads: dict[Origin, Bulkhead] = {}
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Pool of {list(self._bulkheads.values())}>"

    @cached_property
    def tls(self) -> ClientContext:
        """Made when first needed: reading the certificates takes a while."""
        return self._given_tls or client_context()

    def stats(self) -> dict[str, OriginStats]:
        """How each origin's connections are used now."""
        return {str(origin): bulkhead.stats() for origin, bulkhead in self._bulkheads.items()}

    async def send(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        body: bytes | AsyncIterator[bytes] = b"",
    ) -> Exchange:
        """Make a call and wait for the headers of its answer.

        target: path and query, as they go over the wire.
        headers: names in lower case. Host is the origin's unless given; framing and hop-by-hop headers
        are ours. With a body in parts a Content-Length, if given, is kept to; else it goes out chunked.
        A body in bytes is sent a second time when a kept connection turns out to have been closed.
        Raises an UpstreamError, or whatever the body's iterator raised. Cancelled: the call is cut off.
        """
        bulkhead = self._bulkheads.get(origin) or self._add_bulkhead(origin)
        if not isinstance(body, bytes):
            return await self._stream(bulkhead, method, target, headers, body)
        head, _, expects = encode_head(method, target, bulkhead.host, headers, len(body))
        if expects:
            return await self._stream(bulkhead, method, target, headers, _once(body), len(body))
        is_head = method == b"HEAD"
        connection = bulkhead.take_idle() or await bulkhead.open()
        exchange = connection.send(head, body, is_head=is_head)
        try:
            reach("after_request_sent")
            await exchange.wait_for_head()
        except ConnectionLost:
            if not self._was_stale(connection):
                raise
        except BaseException:
            exchange.close()
            raise
        else:
            return exchange
        bulkhead.retried += 1
        return await self._finish_start((await bulkhead.open()).send(head, body, is_head=is_head))

    async def _stream(
        self,
        bulkhead: Bulkhead,
        method: bytes,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        body: AsyncIterator[bytes],
        length: int | None = None,
    ) -> Exchange:
        """As `send`. Cannot be repeated, so only a connection is used that is surely open."""
        head, length, expects = encode_head(method, target, bulkhead.host, headers, length)
        connection = bulkhead.take_idle(only_warm=True) or await bulkhead.open()
        return await self._finish_start(
            connection.stream(head, body, length, expects_continue=expects, is_head=method == b"HEAD")
        )

    async def _finish_start(self, exchange: Exchange) -> Exchange:
        try:
            await exchange.wait_for_head()
        except BaseException:
            exchange.close()
            raise
        return exchange

    def _was_stale(self, connection: Connection) -> bool:
        """Whether the provider had closed the kept connection before it saw the request.

        One that answers nothing and closes later than that may have begun to work, and to charge.
        """
        return (
            connection.uses > 1
            and not connection.parser.has_begun
            and asyncio.get_running_loop().time() - connection.sent_at < self.race_within
        )

    def _add_bulkhead(self, origin: Origin) -> Bulkhead:
        if self._is_closed:
            raise ConnectionLost("the pool is closed")
        loop = asyncio.get_running_loop()
        bulkhead = self._bulkheads[origin] = Bulkhead(origin, self, loop)
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._sweep_s, self._sweep, loop)
        return bulkhead

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        for bulkhead in list(self._bulkheads.values()):
            bulkhead.age(*self._patience)
        self._sweeper = loop.call_later(self._sweep_s, self._sweep, loop)

    def close(self) -> None:
        """Cut all connections. Calls that are under way see ConnectionLost."""
        self._is_closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for bulkhead in self._bulkheads.values():
            bulkhead.close()
        self._bulkheads.clear()


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
