"""One request and its answer, over uvicorn's connection: its class, with the writing made lean.

uvicorn matches every header of an answer against two patterns, for applications that may pass on
anything. Ours are a provider's that llhttp has read, or our own, so one look at the finished head will do.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

BODILESS = frozenset((204, 304))
FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection"))


class Cycle(RequestResponseCycle):
    """A request and its answer. Names of headers must be in lower case, as ASGI has it."""

    loop: AbstractEventLoop  # given by who makes it: asking for the running one is a system call on Python 3.11
    is_bodiless = False
    on_gone: Callable[[], None] | None = None  # called once, if the client goes before the end of its answer
    _head = b""  # of the answer, until it goes out: with the body's first part where that comes in the same turn

    def leave(self) -> None:
        """The client is gone: nothing that is sent reaches anybody."""
        self.disconnected = True
        self.message_event.set()
        if self.on_gone is not None and not self.response_complete:
            on_gone, self.on_gone = self.on_gone, None
            on_gone()

    async def send(self, message: Any) -> None:
        """Write a part of the answer; waits while the client takes nothing."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected or self.transport.is_closing():
            return
        kind = message["type"]
        if kind == "http.response.start" and not self.response_started:
            self._write_head(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and self.response_started and not self.response_complete:
            more_body = message.get("more_body", False)
            self._write_body(message.get("body", b""), more_body=more_body)
            if more_body and self.flow.write_paused:  # before the application fetches what it could only hold
                await self.flow.drain()
        else:
            raise RuntimeError(f"the application sent {kind!r} out of order")

    def takes_more(self) -> bool:
        """Whether a part of an answer that goes on can be written now, without waiting."""
        return bool(
            self.chunked_encoding
            and not (self.flow.write_paused or self._head or self.disconnected or self.response_complete)
            and not self.transport.is_closing()
        )

    def pass_on(self, part: bytes) -> None:
        """Write such a part, where `takes_more`."""
        self.transport.write(b"%x\r\n%b\r\n" % (len(part), part))

    def _write_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.chunked_encoding = None  # a head that failed may have said something else
        lines = [STATUS_LINE[status][:-2]]
        lines += [
            b": ".join(header)
            for header in (*self.default_headers, *headers)
            if header[0] not in FRAMING or self._frame(*header)
        ]
        self.is_bodiless = status in BODILESS or self.scope["method"] == "HEAD"
        if self.chunked_encoding is None and not self.is_bodiless:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked")
        if not self.keep_alive:
            lines.append(b"connection: close")
        lines += (b"", b"")
        head = b"\r\n".join(lines)
        if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1:
            raise RuntimeError("a header of the answer holds a line break")
        self.response_started = True
        self.waiting_for_100_continue = False
        self._head = head
        self.loop.call_soon(self._write_held)

    def _write_held(self) -> None:
        if self._head and not self.transport.is_closing():
            self._write(b"")

    def _write(self, data: bytes) -> None:
        """Write behind the head. A write is a system call: that of a head alone costs as much as all its making."""
        if self._head:
            data, self._head = self._head + data, b""
        self.transport.write(data)

    def _frame(self, name: bytes, value: bytes) -> bool:
        """Take note of what a header says about the framing. Returns whether it goes out as it is."""
        if name == b"content-length" and self.chunked_encoding is None:
            self.chunked_encoding = False
            self.expected_content_length = int(value)
            return True
        if name == b"connection" and b"close" in value.lower():
            self.keep_alive = False
        return False  # we say ourselves how the answer ends

    def _write_body(self, body: bytes, *, more_body: bool) -> None:
        if self.is_bodiless:
            self.expected_content_length = 0
        elif self.chunked_encoding:
            last = b"" if more_body else b"0\r\n\r\n"
            if body:
                self._write(b"%x\r\n%b\r\n%b" % (len(body), body, last))
            elif last:
                self._write(last)
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise self._broken_off("the body is longer than its content-length")
            self._write(body)
        if not more_body:
            self._finish()

    def _finish(self) -> None:
        if self.expected_content_length:
            raise self._broken_off("the body is shorter than its content-length")
        if self._head:
            self._write(b"")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _broken_off(self, reason: str) -> RuntimeError:
        """The client is to see how the answer began: what is raised ends the connection."""
        self._write_held()
        return RuntimeError(reason)
