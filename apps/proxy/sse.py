"""Server-sent events out of bytes that come cut anywhere.

Follows the WHATWG's rules for event streams: lines end in LF, CRLF or CR, an event ends at an empty
line, and an event that the end of the stream cuts short was never sent. Memory is bounded: an event
above KEEP_BYTES loses its middle, which we never need, since what we read stands at either end of it.
"""

import re
from typing import NamedTuple

KEEP_BYTES = 1024 * 1024  # of one event
HEAD_BYTES = 16 * 1024  # of an event that is too long: its name, its type, the first fields
TAIL_BYTES = 256 * 1024  # and its last fields, usage among them

BOM = b"\xef\xbb\xbf"
BOUNDARIES = (b"\n\n", b"\r\n\r\n")

# Two line ends in a row. A CR at the very end is not counted yet: an LF that belongs to it may follow.
_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?=[^\n]))")


class Event(NamedTuple):
    """The name and the data of one event, without field names and line ends."""

    name: bytes  # b"" when the stream doesn't tell one
    data: bytes


class Part(NamedTuple):
    """An event as it stands in the stream, its empty line included."""

    raw: bytes
    end: int  # where it ends in the chunk that was fed last
    is_whole: bool  # False: its middle was dropped


def parse(raw: bytes) -> Event:
    """Read one event. Comments, ids and retry times are nothing to us."""
    if raw.startswith(b"data: "):  # one line of data is what nearly every event is
        line = raw[6:].rstrip(b"\r\n")
        if b"\n" not in line and b"\r" not in line:
            return Event(b"", line)
    name, data = b"", []
    for line in raw.removeprefix(BOM).splitlines():
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return Event(name, b"\n".join(data))


class Splitter:
    """Cuts a stream into its events."""

    __slots__ = ("_buffer", "_seen", "is_whole")

    def __init__(self) -> None:
        self._buffer = bytearray()  # the event that has begun
        self._seen = 0  # how far in it there is certainly no boundary
        self.is_whole = True  # False: the middle of that event was dropped

    def __repr__(self) -> str:
        return f"<Splitter with {len(self._buffer)} bytes of an event>"

    def __bool__(self) -> bool:
        """Whether an event has begun that has not ended."""
        return bool(self._buffer)

    @property
    def rest(self) -> bytes:
        """What there is of the event that has not ended."""
        return bytes(self._buffer)

    def feed(self, chunk: bytes) -> list[Part]:
        """The events that end in `chunk`, in order."""
        buffer, before = self._buffer, len(self._buffer)
        buffer += chunk
        parts, start = [], 0
        for match in _BLANK_LINE.finditer(buffer, self._seen):
            end = match.end()
            parts.append(Part(bytes(buffer[start:end]), end - before, self.is_whole))
            self.is_whole, start = True, end
        del buffer[:start]
        if len(buffer) > KEEP_BYTES:
            del buffer[HEAD_BYTES:-TAIL_BYTES]
            self.is_whole = False
        self._seen = max(0, len(buffer) - 3)
        return parts
