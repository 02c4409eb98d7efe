"""Putting the alias in the place of a model's name in an answer that passes by, all other bytes as they are.

Looks at the brackets and strings of the JSON only: the name is changed where the protocol has it, not where an
answer happens to hold the same key, such as in what the model itself wrote.
"""

import re

import msgspec

from apps.proxy.decoding import CannotDecode, Decode, decoder
from apps.proxy.headers import DECODABLE, ResponseHead
from apps.proxy.meter import Meter
from apps.proxy.protocols.base import Ask, Operation, Wire
from apps.proxy.sse import BOUNDARIES
from apps.proxy.upstream import BadResponse

MOST_HELD = 1024  # bytes of a string that has begun: no model's name is as long

# A whole string; one that the text ends in the middle of; what opens and closes; an empty line.
_TOKEN = re.compile(rb'("(?:[^"\\\n]|\\.)*")|("(?:[^"\\\n]|\\.)*\\?\Z)|([{\[])|([}\]])|(\r?\n\r?\n)')
STRING, BEGUN, OPENS, CLOSES, EMPTY_LINE = range(1, 6)
_END_OF_STRING = re.compile(rb'(?:[^"\\]|\\.)*"', re.DOTALL)
_ARRAY = b"["
_SPACE = b" \t\r\n"

_encode = msgspec.json.Encoder().encode


class Renamer:
    """Of one answer. Every chunk is fed, and flushed after the last.

    key: the name of the field. places: the objects it stands in, as the keys on the way to them.
    is_events: an empty line ends what came before, whatever was open.
    """

    def __init__(self, key: str, places: frozenset[tuple[bytes, ...]], alias: str, *, is_events: bool) -> None:
        self._key = _encode(key)
        self._places = places
        self._alias = _encode(alias)
        self._is_events = is_events
        self._held = b""
        self._path: list[bytes] = []  # the objects and arrays that are open, by the key each stands under
        self._last = b""  # the string that came last: a key, where a bracket or a value follows
        self._ended_in = b""  # the last byte that is no space of what went out
        self._is_in_string = False  # one too long to be held

    def __repr__(self) -> str:
        return f"<Renamer at {self._path!r}, {len(self._held)} bytes held>"

    def feed(self, chunk: bytes) -> bytes:
        """What may go out now. At most a string that has begun is held back."""
        text, self._held = self._held + chunk, b""
        start = 0
        if self._is_in_string:
            end = _END_OF_STRING.match(text)
            if end is None:
                return self._hold(text, _before_escape(text))
            self._is_in_string, start = False, end.end()
        elif self._is_events and not self._path and self._key not in text and text.endswith(BOUNDARIES):
            return text  # whole events without the name
        return self._scan(text, start)

    def flush(self) -> bytes:
        """What is left at the end of an answer."""
        held, self._held = self._held, b""
        return held

    def _scan(self, text: bytes, start: int) -> bytes:
        shown: list[bytes] = []
        done, end = 0, len(text)  # what of `text` is in `shown`, and what of it may be
        for match in _TOKEN.finditer(text, start):
            kind = match.lastindex
            if kind == STRING:
                if self._last == self._key and self._is_place() and self._is_value(text, match.start()):
                    shown += (text[done : match.start()], self._alias)
                    done = match.end()
                self._last = match[0]
                continue
            if kind == BEGUN:
                end = self._end_before(text, match.start())
                break
            if kind == OPENS:
                self._path.append(_ARRAY if match[0] == _ARRAY else self._last)
            elif kind == CLOSES:
                del self._path[-1:]
            elif self._is_events:
                self._path.clear()
            self._last = b"" if kind != EMPTY_LINE or self._is_events else self._last
        if self._is_events and self._path and end == len(text):
            end = max(done, len(text.rstrip(b"\r\n")))  # what may be half of an empty line
        shown.append(self._hold(text, end)[done:])
        return b"".join(shown)

    def _is_place(self) -> bool:
        return tuple(key for key in self._path if key != _ARRAY) in self._places

    def _is_value(self, text: bytes, at: int) -> bool:
        """Whether the string at `at` follows a colon: it is the value of the key before it."""
        return (text[:at].rstrip(_SPACE)[-1:] or self._ended_in) == b":"

    def _end_before(self, text: bytes, begun: int) -> int:
        """Where to stop before a string that begins at `begun`: not at all where it is too long to be a name."""
        if len(text) - begun <= MOST_HELD:
            return begun
        self._is_in_string, self._last = True, b""
        return _before_escape(text)

    def _hold(self, text: bytes, end: int) -> bytes:
        """Keep what is after `end` for later; returns what is before it."""
        self._held = text[end:]
        self._ended_in = text[:end].rstrip(_SPACE)[-1:] or self._ended_in
        return text[:end]


def _before_escape(text: bytes) -> int:
    """The end of `text`, or of all but a backslash whose character has not come."""
    return len(text) - (len(text) - len(text.rstrip(b"\\"))) % 2


class RenamingMeter(Meter):
    """Reads the provider's name for the model, and shows the client the alias.

    What is compressed although it was asked not to be is shown in plain; in an encoding that we don't know, as it is.
    """

    def __init__(self, wire: Wire, operation: Operation, ask: Ask, answer: ResponseHead, alias: str) -> None:
        self._renamer: Renamer | None = None
        self._inflate: Decode | None = None
        if is_readable(answer):
            self._inflate = decoder(answer.content_encoding)
            answer = answer._replace(content_encoding=b"")
        super().__init__(wire, operation, ask, answer)
        is_text = self.is_stream or answer.content_type.startswith(b"application/json")
        if is_text and answer.content_encoding in (b"", b"identity"):
            self._renamer = Renamer(wire.model_key, wire.model_places, alias, is_events=self.is_stream)

    def passes(self, chunk: bytes) -> bool:
        return False  # there may be a name in it

    def feed(self, chunk: bytes) -> bytes:
        """As `Meter.feed`. Raises BadResponse for what cannot be decoded."""
        text = self._inflated(chunk)
        part = super().feed(text) if text or not chunk else b""
        if self._renamer is None:
            return part
        if part:
            part = self._renamer.feed(part)
        return part if chunk else part + self._renamer.flush()

    def _inflated(self, chunk: bytes) -> bytes:
        if self._inflate is None or not chunk:
            return chunk
        try:
            return self._inflate(chunk)
        except CannotDecode as error:
            raise BadResponse(str(error)) from error


def is_readable(answer: ResponseHead) -> bool:
    """Whether the answer can be decoded."""
    return answer.content_encoding in DECODABLE or not answer.content_encoding


def in_plain(answer: ResponseHead) -> ResponseHead:
    """The head of an answer as the client gets it: it may become shorter or longer on its way."""
    lost = (b"content-length", b"content-encoding") if is_readable(answer) else (b"content-length",)
    return answer._replace(forward=[header for header in answer.forward if header[0] not in lost])
