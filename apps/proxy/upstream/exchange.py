"""An answer while it is being read by whoever asked."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import ConnectionLost

if TYPE_CHECKING:
    from .connection import Connection


class Exchange:
    """One request's answer. Given out when its headers have come; its body is read as it comes.

    The connection is back in the pool as soon as the last byte has come in, read or not. Whoever
    stops before the end must `close`; closing is harmless at any time.

    pass_on: takes a part of the body as it comes in, while a reader waits that has read all before it; False:
    the part is for the reader. It spares a turn of the loop for each part of a stream.
    """

    __slots__ = (
        "_chunks",
        "_connection",
        "_error",
        "_loop",
        "_size",
        "_waiter",
        "headers",
        "is_complete",
        "pass_on",
        "status",
    )

    def __init__(self, connection: "Connection", loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._connection: Connection | None = connection  # None: it has nothing more for us
        self._waiter: asyncio.Future[None] | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._error: Exception | None = None
        self.pass_on: Callable[[bytes], bool] | None = None
        self.status = 0  # 0: the headers have not come
        self.headers: list[tuple[bytes, bytes]] = []  # names in lower case, values as sent
        self.is_complete = False  # the last byte has come; what isn't read yet comes from the next `read`

    def __repr__(self) -> str:
        state = "complete" if self.is_complete else repr(self._error) if self._error else "open"
        return f"<Exchange {self.status} {state}, {self._size} bytes to read>"

    # Reading, by the caller

    async def read(self) -> bytes:
        """What came of the body since the last call, waiting for some; b"" at its end.

        Raises ConnectionLost, IdleTimeout or BadResponse, after everything that came before.
        """
        while not self._chunks:
            if self.is_complete:
                return b""
            await self._news()
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._size = 0
        if self._connection is not None:
            self._connection.resume_reading()
        return data

    def close(self) -> None:
        """Give up the rest. A connection in the middle of an answer is cut, so that the provider notices."""
        self.pass_on = None  # and with it whoever reads, who holds this
        if self._connection is not None:
            self._connection.abort(ConnectionLost("closed by us"))
        self._chunks.clear()
        self._size = 0

    async def wait_for_head(self) -> None:
        """Return when `status` and `headers` are there. Raises what came instead."""
        while not self.status:
            await self._news()

    def _news(self) -> "asyncio.Future[None]":
        """Done when something has come. One reader waits at a time; a cancelled one's is done, too."""
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        return self._waiter

    # Writing, by the connection

    def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The headers have come."""
        self.status = status
        self.headers = headers
        self._wake()

    def push(self, chunk: bytes) -> int:
        """A part of the body has come. Returns how much is waiting to be read."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            if self.pass_on is not None and self.pass_on(chunk):
                return 0
            waiter.set_result(None)
        self._chunks.append(chunk)
        self._size += len(chunk)
        return self._size

    def finish(self, error: Exception | None = None) -> None:
        """Nothing more will come: all is there, or `error` is why not."""
        self._connection = None
        if error is None:
            self.is_complete = True
        else:
            self._error = error
        self._wake()

    def _wake(self) -> None:
        """Tell the reader."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
