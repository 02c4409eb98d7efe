"""The HTTP server's guard: uvicorn's protocol with bounds on what a client may send, and how slowly.

llhttp finds the borders of requests and refuses most of what could be read in two ways. What it lets
through is refused here, with a small JSON answer, and the connection ends. Time is kept by one sweep
for all connections of a server: a timer for each request would cost more than all of this.
"""

import asyncio
import json
import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from weakref import WeakSet

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from apps.proxy.cycle import Cycle

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application
    from uvicorn.server import ServerState

HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
# What Connection may say of the connection itself; any other word names a header that ends with it.
CONNECTION_OPTIONS = frozenset((b"close", b"keep-alive", b"upgrade", b"te", b""))
# What is decided by: Connection cannot take it away again.
JUDGED = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection", b"expect"))
PROPERTY_PREFIXES = frozenset((b"helicone-property-", b"tollgate-property-"))
PROPERTY_PREFIX_LENGTH = 18  # of both
PROPERTY_INITIALS = frozenset(b"ht")  # a cheap first look: most headers begin with something else
VERSIONS = frozenset(("1.0", "1.1"))
NEVER = 1 << 60  # sweeps


class Refusal(Exception):
    """A request that goes no further. The client may read why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def answer(self) -> bytes:
        """The whole answer, in a shape that both the OpenAI and the Anthropic SDK understand."""
        error = {"type": "invalid_request_error", "code": self.code, "message": str(self), "param": None}
        body = json.dumps({"type": "error", "error": error}).encode()
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        return STATUS_LINE[self.status] + head % len(body) + body


class Stage(Enum):
    """How far the request that is coming in has come."""

    HEAD = auto()
    BODY = auto()
    WHOLE = auto()  # and the next one has not begun
    DEAF = auto()  # there will be no next one: what still comes is thrown away


HEAD, BODY, WHOLE, DEAF = Stage  # a look at a member through its class costs 70 ns on Python 3.11


class GuardedProtocol(HttpToolsProtocol):
    """A client's connection. The limits are class attributes: a subclass may have others.

    Of uvicorn's own settings `limit_concurrency` is not heeded: calls are limited by customer.
    """

    # Sizes in bytes
    max_url = 8 * 1024
    max_headers_size = 32 * 1024
    max_headers = 100
    max_body = 512 * 1024 * 1024  # of anything; what a wire takes is for the application to say
    max_drained = 64 * 1024 * 1024  # of a body that goes on after its answer
    max_pipelined = 16  # requests that wait for the answers to earlier ones
    write_buffer = 32 * 1024  # of an answer that the client doesn't take; beyond it the application waits

    # Times in seconds, true to within one sweep
    head_timeout = 9.0  # from the connection, or the first byte, to the end of the headers
    body_timeout = 29.0  # without a byte of the body
    write_timeout = 60.0  # in which a client took next to nothing of its answer
    linger = 2.0  # after a refusal, so that it can be read
    sweep_s = 1.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

        # Connection
        self.quiet = 0  # sweeps in which what we wait for has not happened
        self.patience = self._sweeps(self.head_timeout)  # how many of them there may be
        self._head_patience = self.patience
        self._body_patience = self._sweeps(self.body_timeout)
        self._idle_patience = self._sweeps(self.timeout_keep_alive)
        self._known_host: bytes | None = None  # the last one that was found valid
        self._running: RequestResponseCycle | None = None  # the request that is being answered

        # Request
        self.stage: Stage = HEAD
        self._bare = 0  # bytes that have completed nothing yet
        self._body_room = self.max_body

    def __repr__(self) -> str:
        return f"<GuardedProtocol {self.stage.name}, quiet for {self.quiet} of {self.patience}, {self.client}>"

    def _sweeps(self, seconds: float) -> int:
        return max(1, round(seconds / self.sweep_s))

    # The life of the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=self.write_buffer)
        _keep_watch(self.loop, self.server_state, self.sweep_s)

    def connection_lost(self, exc: Exception | None) -> None:
        running = self._running
        if running is not None and not running.response_complete:  # uvicorn tells only the last of a pipeline
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.stage is DEAF:
            return
        if self.stage is BODY:
            self.quiet = 0
        self._bare += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # the request is served; llhttp has lost the thread after it
            self._let_finish()
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, Refusal) else _malformed())
        if self._bare > self.max_url + self.max_headers_size:  # llhttp would collect them for ever
            self._refuse(_headers_too_large())

    def _let_finish(self) -> None:
        """Answer what is being answered, and end the connection with it."""
        self.stage = DEAF
        self.flow.resume_reading()  # closing with bytes unread is a reset, and the answer would be lost
        self.pipeline.clear()
        if self._running is not None:
            self._running.keep_alive = False

    def _refuse(self, refusal: Refusal) -> None:
        """Answer the request that is coming in with `refusal`, and end the connection."""
        if self.stage is DEAF or self.transport.is_closing():
            return
        running, is_begun = self._running, self.stage is BODY
        if running is not None and not running.response_complete:
            if not is_begun or running is not self.cycle:  # an earlier one: its answer may not be disturbed
                self._let_finish()
                return
            running.disconnected = True
            running.message_event.set()
            self.flow.resume_writing()
        self.stage = DEAF
        if is_begun and self.cycle.response_started:
            self.transport.abort()
            return
        self.quiet, self.patience = 0, self._sweeps(self.linger)
        self.transport.write(refusal.answer())
        if self.transport.can_write_eof():
            self.flow.resume_reading()  # as above
            self.transport.write_eof()
        else:
            self.transport.close()

    # Called by llhttp, in this order

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.stage = HEAD
        self.quiet, self.patience = 0, self._head_patience
        self._body_room = self.max_body

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > self.max_url:
            raise Refusal(414, "url_too_long", f"The URL is longer than {self.max_url} bytes.")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.stage is not HEAD:
            return  # a trailer comes after the headers were judged, and is none of them
        lowered = name.lower()
        if lowered[0] in PROPERTY_INITIALS and lowered[:PROPERTY_PREFIX_LENGTH] in PROPERTY_PREFIXES:
            lowered = lowered[:PROPERTY_PREFIX_LENGTH] + name[PROPERTY_PREFIX_LENGTH:]  # the client's own name
        self.headers.append((lowered, value))

    def on_headers_complete(self) -> None:
        if len(self.headers) > self.max_headers or self._bare > self.max_headers_size:
            self._judge_size()
        if self.url[:1] != b"/" or b"#" in self.url:
            raise Refusal(400, "bad_target", "The target of a request must be a path.")
        if (version := self.parser.get_http_version()) not in VERSIONS:
            raise _malformed()
        if len(self.pipeline) >= self.max_pipelined:
            raise Refusal(400, "too_many_pipelined", "Too many requests were sent without waiting for answers.")
        self._judge_headers(version)
        self.stage = BODY
        self.patience = self._body_patience
        self._bare = 0
        self._begin(version)

    def _begin(self, version: str) -> None:
        """Hand the request to the application, after those that came before."""
        scope, url = self.scope, self.url
        if version != "1.1":
            scope["http_version"] = version
        raw_path, _, scope["query_string"] = url.partition(b"?")
        path = raw_path.decode("ascii")
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        before, self.cycle = (
            self.cycle,
            Cycle(
                scope=scope,
                transport=self.transport,
                flow=self.flow,
                logger=self.logger,
                access_logger=self.access_logger,
                access_log=self.access_log,
                default_headers=self.server_state.default_headers,
                message_event=asyncio.Event(),
                expect_100_continue=self.expect_100_continue,
                keep_alive=version == "1.1" and self.parser.should_keep_alive(),
                on_response=self.on_response_complete,
            ),
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _judge_size(self) -> None:
        size = sum(len(name) + len(value) + 4 for name, value in self.headers)  # `_bare` may hold some of the body
        if len(self.headers) > self.max_headers or size > self.max_headers_size:
            raise _headers_too_large()

    def _judge_headers(self, version: str) -> None:
        """One host, one framing, and nothing passed on that is for this connection only."""
        host = connection = None
        has_body = False
        for name, value in self.headers:
            if name not in JUDGED:
                continue
            if name == b"host":
                if host is not None:
                    raise _bad_host()
                host = value
            elif name == b"content-length":
                has_body = True
                if len(value) > 18 or int(value) > self.max_body:
                    raise _body_too_large()
            elif name == b"transfer-encoding":
                has_body = True
                if value.strip().lower() != b"chunked" or version != "1.1":
                    raise Refusal(400, "bad_framing", "The only transfer encoding understood is chunked.")
            elif name == b"connection":
                connection = value if connection is None else connection + b"," + value
            else:
                self.expect_100_continue = value.lower() == b"100-continue"
        if host is None or host != self._known_host:
            self._judge_host(host, version)
        if connection is not None:
            self._drop_named(connection)
            if has_body and self.parser.should_upgrade():  # llhttp would read the body as another request
                raise Refusal(400, "no_upgrade", "This server does not change protocols.")

    def _judge_host(self, host: bytes | None, version: str) -> None:
        if host is None and version == "1.0":
            return
        match = HOST.fullmatch(host or b"")
        if match is None or int(match[1] or 0) > 65_535:
            raise _bad_host()
        self._known_host = match[0]

    def _drop_named(self, connection: bytes) -> None:
        """Leave out the headers that `Connection` names (RFC 9110, 7.6.1)."""
        words = {word.strip() for word in connection.lower().split(b",")}
        if named := words - CONNECTION_OPTIONS - JUDGED:
            self.headers[:] = [header for header in self.headers if header[0].lower() not in named]

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        self._bare = 0
        self._body_room -= len(body)
        if self._body_room < 0:
            raise _body_too_large()
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._bare = 0
        self.quiet = 0
        self.stage = WHOLE
        cycle = self.cycle
        if cycle.response_complete:
            self.patience = self._idle_patience
        else:
            self.patience = NEVER
            cycle.more_body = False
            cycle.message_event.set()

    # Answering

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self.quiet = 0
        if self.transport.is_closing():
            self.patience = self._sweeps(self.write_timeout)
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.stage is WHOLE:
            self.patience = self._idle_patience
        elif self.stage is BODY:  # answered before the client had sent everything
            self._body_room = min(self._body_room, self.max_drained)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.quiet, self.patience = 0, self._sweeps(self.write_timeout)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.quiet = 0
        if self.stage is WHOLE and not self.transport.is_closing():
            is_idle = self._running is None or self._running.response_complete
            self.patience = self._idle_patience if is_idle else NEVER

    # Time

    def expire(self) -> None:
        """What we waited for has not happened in time."""
        if self.flow.write_paused or self.transport.is_closing() or self.stage is DEAF:
            self.transport.abort()
        elif self.stage is WHOLE or not (self._bare or self.cycle):  # nothing was begun
            self.transport.close()
        elif not self._waits_for_us():
            self._refuse(Refusal(408, "request_timeout", "The request did not come in fast enough."))

    def _waits_for_us(self) -> bool:
        """Whether it is the application that is slow: it has not taken, or not answered, what is there."""
        if self.stage is BODY:
            return self.flow.read_paused or self.cycle.waiting_for_100_continue
        return self._running is not None and not self._running.response_complete


_watched: "WeakSet[ServerState]" = WeakSet()


def _keep_watch(loop: asyncio.AbstractEventLoop, server: "ServerState", sweep_s: float) -> None:
    """Sweep over the server's connections from now on until there are none."""
    if server not in _watched:
        _watched.add(server)
        loop.call_later(sweep_s, _sweep, loop, server, sweep_s)


def _sweep(loop: asyncio.AbstractEventLoop, server: "ServerState", sweep_s: float) -> None:
    for connection in list(server.connections):
        if isinstance(connection, GuardedProtocol):
            connection.quiet += 1
            if connection.quiet > connection.patience:
                connection.expire()
    if server.connections:
        loop.call_later(sweep_s, _sweep, loop, server, sweep_s)
    else:
        _watched.discard(server)


def _malformed() -> Refusal:
    return Refusal(400, "malformed_request", "This is not a valid HTTP/1.1 request.")


def _bad_host() -> Refusal:
    return Refusal(400, "bad_host", "A request needs one Host header with a valid host.")


def _headers_too_large() -> Refusal:
    return Refusal(431, "headers_too_large", "The headers are too many or too long.")


def _body_too_large() -> Refusal:
    return Refusal(413, "request_too_large", "The request's body is too large.")
