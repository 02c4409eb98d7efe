"""One connection to a provider: requests out, answers in, one at a time."""

import asyncio
from collections.abc import AsyncIterator
from enum import Enum, auto
from typing import TYPE_CHECKING

from .errors import BadResponse, ConnectionLost, FirstByteTimeout, IdleTimeout, InvalidRequest
from .exchange import Exchange
from .parser import COMPLETE, ResponseParser

if TYPE_CHECKING:
    from .bulkhead import Bulkhead

HIGH_WATER = 16 * 1024  # bytes that may wait for a reader before we stop taking more from the provider
JOIN_BELOW = 64 * 1024  # a body up to here goes out in one piece with its head
CONTINUE_WITHIN = 1.0  # seconds that a body waits for 100 Continue: not every server sends it (RFC 9110, 10.1.1)


class State(Enum):
    """What the connection is doing."""

    IDLE = auto()
    WAITING = auto()  # for the first byte of an answer
    RECEIVING = auto()
    CLOSED = auto()


IDLE, WAITING, RECEIVING, CLOSED = State  # as in parser.py


class Connection(asyncio.BufferedProtocol):
    """The provider's side of one call after another.

    Bytes are read into one buffer that all connections of a pool share: each takes what is its own
    out at once, and a reader that lags costs HIGH_WATER and one buffer, not what the kernel holds.
    """

    def __init__(self, bulkhead: "Bulkhead", buffer: memoryview, loop: asyncio.AbstractEventLoop) -> None:
        # Process
        self.bulkhead = bulkhead
        self.buffer = buffer
        self.loop = loop

        # Connection
        self.transport: asyncio.Transport = None  # type: ignore[assignment]  # given by connection_made
        self.parser = ResponseParser()
        self.state: State = IDLE
        self.uses = 0
        self.silent = 0  # sweeps of the pool since something last moved
        self._is_write_paused = False
        self._is_read_paused = False

        # Request
        self.exchange: Exchange | None = None
        self.sent_at = 0.0
        self._sender: asyncio.Task[None] | None = None  # of a body that comes in parts
        self._go_on: asyncio.Future[None] | None = None  # what the sender waits for

    def __repr__(self) -> str:
        return f"<Connection {self.state.name}, {self.uses} uses, {self.bulkhead.origin}>"

    # The life of the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(ConnectionLost(f"the connection to the provider was lost: {exc or 'closed'}"))

    def abort(self, error: Exception) -> None:
        """Cut the connection now; `error` is what the reader, if there is one, gets to see."""
        if self.transport is not None:
            self.transport.abort()
        self._end(error)

    def close(self) -> None:
        """End an idle connection in good order."""
        self.transport.close()
        self._end(ConnectionLost("closed by us"))

    def _end(self, error: Exception) -> None:
        if self.state is CLOSED:
            return
        self.state = CLOSED
        self._stop_sending()
        exchange, self.exchange = self.exchange, None
        self.bulkhead.remove(self)
        self.parser.release()
        if exchange is not None:
            exchange.finish(error)

    # Sending the request

    def send(self, head: bytes, body: bytes, *, is_head: bool) -> Exchange:
        """Begin a call whose body is there. The connection must be idle."""
        exchange = self._begin(is_head=is_head)
        if len(body) < JOIN_BELOW:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))
        return exchange

    def stream(
        self,
        head: bytes,
        body: AsyncIterator[bytes],
        length: int | None,
        *,
        expects_continue: bool,
        is_head: bool,
    ) -> Exchange:
        """Begin a call whose body comes in parts, `length` bytes in all (None: chunked)."""
        exchange = self._begin(is_head=is_head)
        self.transport.write(head)
        self._sender = self.loop.create_task(self._send_body(body, length, expects_continue))
        return exchange

    def _begin(self, *, is_head: bool) -> Exchange:
        self.state = WAITING
        self.uses += 1
        self.silent = 0
        self.sent_at = self.loop.time()
        self.parser.expect(is_head=is_head)
        self.exchange = exchange = Exchange(self, self.loop)
        return exchange

    async def _send_body(self, body: AsyncIterator[bytes], length: int | None, expects_continue: bool) -> None:
        try:
            if expects_continue:
                await self._pause(CONTINUE_WITHIN)
            left = length
            async for part in body:
                if left is not None and (left := left - len(part)) < 0:
                    raise InvalidRequest("the body is longer than its content-length")
                if part:
                    self.transport.write(part if left is not None else b"%x\r\n%b\r\n" % (len(part), part))
                self.silent = 0
                if self._is_write_paused:
                    await self._pause()
            if left:
                raise InvalidRequest("the body is shorter than its content-length")
            if left is None:
                self.transport.write(b"0\r\n\r\n")
        except asyncio.CancelledError:
            self.abort(ConnectionLost("the sending of the request was cancelled"))
            raise
        except Exception as error:  # of the caller's iterator, too: whatever it is, the request cannot be finished
            self._sender = None
            self.abort(error)
        else:
            self.silent = 0
            self._sender = None

    async def _pause(self, seconds: float | None = None) -> None:
        """Wait for `_resume`, at most so long."""
        self._go_on = self.loop.create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._go_on
        except TimeoutError:
            pass
        finally:
            self._go_on = None

    def _resume(self) -> None:
        if self._go_on is not None and not self._go_on.done():
            self._go_on.set_result(None)

    def _stop_sending(self) -> None:
        if self._sender is not None:
            self._sender.cancel()
            self._sender = None

    def pause_writing(self) -> None:
        self._is_write_paused = True

    def resume_writing(self) -> None:
        self._is_write_paused = False
        self.silent = 0
        self._resume()

    # Receiving the answer

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        exchange = self.exchange
        if exchange is None:  # nobody asked: what comes now could be taken for the next answer
            self.abort(BadResponse("bytes without a request"))
            return
        self.silent = 0
        parser = self.parser
        try:
            parser.feed(self.buffer[:nbytes])
        except BadResponse as error:
            self._take(parser, exchange)
            self.abort(error)
            return
        waiting = self._take(parser, exchange)
        if parser.stage is COMPLETE:
            self._complete(exchange)
        elif waiting > HIGH_WATER and not self._is_read_paused:
            self._is_read_paused = True
            self.transport.pause_reading()

    def eof_received(self) -> None:
        if self.exchange is None:
            self._end(ConnectionLost("closed by the provider"))
            return
        try:
            self.parser.feed_eof()
        except ConnectionLost as error:
            self.abort(error)
        else:
            self._complete(self.exchange)

    def _take(self, parser: ResponseParser, exchange: Exchange) -> int:
        if parser.status and not exchange.status:
            self.state = RECEIVING
            exchange.start(parser.status, parser.headers)
        elif parser.interim == 100:
            self._resume()
        if not (chunks := parser.chunks):
            return 0
        waiting = exchange.push(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        chunks.clear()
        return waiting

    def _complete(self, exchange: Exchange) -> None:
        """All of the answer is there. Only when the request went out whole can there be another."""
        self.exchange = None
        exchange.finish()
        if self._sender is None and self.parser.is_reusable and not self.transport.is_closing():
            self.state = IDLE
            self.silent = 0
            self.resume_reading()
            self.bulkhead.release(self)
        else:
            self.abort(ConnectionLost("the connection cannot be used again"))

    def resume_reading(self) -> None:
        """The reader has caught up."""
        if self._is_read_paused:
            self._is_read_paused = False
            self.silent = 0
            self.transport.resume_reading()

    # Time

    def age(self, first_byte: int, idle: int, unused: int) -> None:
        """Another sweep of the pool has passed; give up after so many in which nothing moved."""
        if self._is_read_paused or (self._sender is not None and not self._is_write_paused):
            return  # it is our reader, or the body's source, who is slow
        self.silent += 1
        if self.state is IDLE:
            if self.silent > unused:
                self.close()
        elif self.state is RECEIVING or self._is_write_paused:
            if self.silent > idle:
                self.abort(IdleTimeout("the provider stood still in the middle of the call"))
        elif self.silent > first_byte:
            self.abort(FirstByteTimeout("the provider has not begun to answer in time"))
