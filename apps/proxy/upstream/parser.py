"""Answers out of bytes, without a socket: llhttp finds the borders, we decide what may pass.

One parser reads the answers of one connection, one after the other: `expect`, then `feed` until
`stage` is COMPLETE. Whatever could be read in two ways is a BadResponse.
"""

from enum import Enum

import httptools

from .errors import BadResponse, ConnectionLost

MAX_HEAD = 64 * 1024  # bytes of status lines and headers, of interim answers too; and of trailers
MAX_HEADERS = 200
NO_BODY = frozenset((204, 304))


class Stage(Enum):
    """How far the answer has come."""

    HEAD = 0
    BODY = 1
    COMPLETE = 2


HEAD, BODY, COMPLETE = Stage  # a look at a member through its class costs 70 ns on Python 3.11


class ResponseParser:
    """The answer that is being read."""

    __slots__ = (
        "_is_head",
        "_llhttp",
        "_overhead",
        "_room",
        "chunks",
        "has_begun",
        "has_excess",
        "headers",
        "interim",
        "is_framed",
        "keep_alive",
        "stage",
        "status",
    )

    def __init__(self) -> None:
        # Connection
        self._llhttp = httptools.HttpResponseParser(self)
        self.has_excess = False  # bytes came after the end of an answer
        self._is_head = False

        # Answer
        self.expect()

    def __repr__(self) -> str:
        return f"<ResponseParser {self.stage.name} {self.status}>"

    def expect(self, *, is_head: bool = False) -> None:
        """Begin with the next answer; `is_head`: to a HEAD request, so that it ends after its headers."""
        if self._is_head:  # llhttp cannot be told, and may be waiting for a body
            self._llhttp = httptools.HttpResponseParser(self)
        self._is_head = is_head
        self._room = MAX_HEAD
        self._overhead = 0
        self.stage: Stage = HEAD
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []  # names in lower case
        self.has_begun = False  # a first byte has come
        self.chunks: list[bytes] = []  # of the body: the reader takes them out
        self.interim = 0  # the last 1xx status
        self.is_framed = True  # False: the body ends with the connection
        self.keep_alive = False

    @property
    def is_reusable(self) -> bool:
        """Whether the connection can carry another answer."""
        return self.keep_alive and not self.has_excess and self.stage is COMPLETE

    def feed(self, data: bytes | memoryview) -> None:
        """Read on. Body bytes that came before a fault are in `chunks` all the same. Raises BadResponse."""
        self.has_begun = True
        try:
            self._llhttp.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise BadResponse("the provider switched protocols unasked") from None
        except httptools.HttpParserError as error:
            if self.stage is not COMPLETE:
                raise BadResponse(str(error.__context__ or error)) from None
            self.has_excess = True
        if self.chunks or self.stage is COMPLETE:
            self._overhead = 0
        else:  # headers, trailers or chunk extensions without end, which llhttp would collect for ever
            self._overhead += len(data)
            if self._overhead > MAX_HEAD:
                raise BadResponse("the head of the answer is too long")

    def feed_eof(self) -> None:
        """The provider closed. Raises ConnectionLost unless that is how this body ends."""
        if self.stage is BODY and not self.is_framed:
            self.stage = COMPLETE
        elif self.stage is not COMPLETE:
            raise ConnectionLost("the provider closed the connection before the end of the answer")

    def release(self) -> None:
        """Let go of llhttp, which holds our methods: without the circle memory is freed at once."""
        del self._llhttp

    # Called by llhttp, in this order

    def on_message_begin(self) -> None:
        if self.stage is not HEAD:
            self.has_excess = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self._room -= len(name) + len(value) + 4
        if self._room < 0 or len(self.headers) == MAX_HEADERS:
            raise BadResponse("the headers of the answer are too long or too many")
        if self.stage is HEAD:  # trailers are counted, and dropped
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self.stage is not HEAD:
            return
        status = self._llhttp.get_status_code()
        if not 100 <= status <= 599:
            raise BadResponse(f"no such status: {status}")
        if status < 200:
            self.interim = status
            return
        has_length = is_chunked = False
        for name, value in self.headers:
            if name == b"transfer-encoding":
                if is_chunked or value.strip().lower() != b"chunked":
                    raise BadResponse("a transfer encoding that was not asked for")
                is_chunked = True
            elif name == b"content-length":
                has_length = True
        self.status = status
        self.is_framed = has_length or is_chunked or self._is_head or status in NO_BODY
        self.stage = BODY
        if self._is_head:
            self.on_message_complete()

    def on_body(self, data: bytes) -> None:
        if self.stage is BODY:
            self.chunks.append(data)
        else:
            self.has_excess = True

    def on_message_complete(self) -> None:
        if self.stage is BODY:
            self.keep_alive = self._llhttp.should_keep_alive()
            self.stage = COMPLETE
        elif self.stage is HEAD:  # an interim answer: the real one follows
            if self.interim == 101:
                raise BadResponse("the provider switched protocols unasked")
            self.headers.clear()
