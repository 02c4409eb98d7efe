"""The HTTP server's guard: uvicorn's protocol with bounds on what a client may send, and how slowly.

llhttp finds the borders of requests and refuses most of what could be read in two ways. What it lets
through is refused here, with a small JSON answer, and the connection ends. Time is kept by one sweep
for all connections of a server: a timer for each request would cost more than all of this.
"""

import asyncio
from enum import Enum, auto
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from apps.proxy import refusals
from apps.proxy.cycle import Cycle
from apps.proxy.judgement import judge, lowered, named_by, size_of
from apps.proxy.memo import MEMO, Memo
from apps.proxy.refusals import Refusal
from apps.proxy.sweep import NEVER, keep_watch

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application


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
    write_timeout = 60.0  # in which a client took less than half a `write_buffer` of its answer
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
        self._memo = Memo()
        self._running: Cycle | None = None  # the request that is being answered

        self._unsent = 0  # bytes of answers when writing was paused, or when that was last looked at

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
        keep_watch(self.loop, self.server_state, self.sweep_s)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._running is not None and not self._running.response_complete:
            self._running.leave()  # uvicorn tells only the last of a pipeline
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
            self._refuse(cause if isinstance(cause, Refusal) else refusals.malformed())
        if self._bare > self.max_url + self.max_headers_size:  # llhttp would collect them for ever
            self._refuse(refusals.headers_too_large())

    def _let_finish(self) -> None:
        """Answer what is being answered, and end the connection with it."""
        self.stage = DEAF
        self.flow.resume_reading()  # closing with bytes unread is a reset, and the answer would be lost
        self.pipeline.clear()
        running = self._running
        if running is not None and not running.response_complete:
            running.keep_alive = False
            self.patience = NEVER
        else:
            self.transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer the request that is coming in with `refusal`, and end the connection."""
        if self.stage is DEAF or self.transport.is_closing():
            return
        running, is_begun = self._running, self.stage is BODY
        if running is not None and not running.response_complete:
            if not is_begun or running is not self.cycle:  # an earlier one: its answer may not be disturbed
                self._let_finish()
                return
            running.leave()
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
            raise refusals.url_too_long(self.max_url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.stage is not HEAD:
            return  # a trailer comes after the headers were judged, and is none of them
        self.headers.append((lowered(name), value))

    def on_headers_complete(self) -> None:
        headers = self.headers
        if len(headers) > self.max_headers or (
            self._bare > self.max_headers_size and size_of(headers) > self.max_headers_size  # some of it may be body
        ):
            raise refusals.headers_too_large()
        if self.url[:1] != b"/" or b"#" in self.url:
            raise refusals.bad_target()
        if len(self.pipeline) >= self.max_pipelined:
            raise refusals.too_many_pipelined()
        version = self.parser.get_http_version()
        self._known_host, connection, has_body, self.expect_100_continue = judge(
            headers, version, self._known_host, self.max_body
        )
        if connection is not None:
            if named := named_by(connection):
                headers[:] = [header for header in headers if header[0].lower() not in named]
            if has_body and self.parser.should_upgrade():  # llhttp would read the body as another request
                raise refusals.no_upgrade()
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
        scope[MEMO] = self._memo  # type: ignore[literal-required]  # a key of our own
        before = self.cycle
        self.cycle = Cycle(
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
        )
        self.cycle.loop = self.loop
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        assert isinstance(cycle, Cycle)
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        self._bare = 0
        self._body_room -= len(body)
        if self._body_room < 0:
            raise refusals.body_too_large(self.max_body)
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
        elif self.stage is WHOLE and not self.flow.write_paused:
            self.patience = self._idle_patience
        elif self.stage is BODY:  # answered before the client had sent everything
            self._body_room = min(self._body_room, self.max_drained)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.quiet, self.patience = 0, self._sweeps(self.write_timeout)
        self._unsent = self.transport.get_write_buffer_size()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.quiet = 0
        if self._is_answering():
            self.patience = self._body_patience if self.stage is BODY else NEVER
        elif self.stage is WHOLE:
            self.patience = self._idle_patience

    # Time

    def expire(self) -> None:
        """What we waited for has not happened in time."""
        if self.flow.write_paused and self._takes_something():
            self.quiet = 0
        elif self.flow.write_paused or self.transport.is_closing() or self.stage is DEAF:
            self.transport.abort()
        elif self.stage is WHOLE or not (self._bare or self.cycle):  # nothing was begun
            self.transport.close()
            self.quiet, self.patience = 0, self._sweeps(self.write_timeout)  # for the rest of an answer
        elif not self._waits_for_us():
            self._refuse(refusals.too_slow())

    def _takes_something(self) -> bool:
        """Whether the client has taken some of its answer since this was last asked."""
        before, self._unsent = self._unsent, self.transport.get_write_buffer_size()
        return before - self._unsent >= self.write_buffer // 2

    def _waits_for_us(self) -> bool:
        """Whether it is the application that is slow: it has not taken, or not answered, what is there."""
        if self.stage is BODY:
            return self.flow.read_paused or self.cycle.waiting_for_100_continue
        return self._is_answering()

    def _is_answering(self) -> bool:
        return self._running is not None and not self._running.response_complete
