"""Forms with files (multipart/form-data, RFC 7578), read while they pass by.

Only the fields that we go by are kept; of files the bytes are counted. Strict, since what we read has to be
what every provider reads: a field twice, a name in two spellings or with escapes, a part that is encoded, or
a line end that is none is refused.
"""

import re
from enum import Enum, auto
from typing import NamedTuple

from .errors import BadBody

MOST_PARTS = 200
MOST_HEADERS = 4 * 1024  # bytes above one part
MOST_VALUES = 1024 * 1024  # bytes of all fields together
FIRST_BYTES = 64  # of the first file, that are kept: they tell what it is

_BOUNDARY = re.compile(
    rb'multipart/form-data *; *boundary=(?:"([^"\\\x00-\x1f\x7f-\xff]{1,70})"|([^\s";,\\\x00-\x1f\x7f-\xff]{1,70}))'
    rb"(?: *; *charset=[A-Za-z0-9_-]+)? *",
    re.IGNORECASE,
)
_DISPOSITION = re.compile(
    rb'form-data *; *name="([^"\\\x00-\x1f]{1,200})"'
    rb"((?: *; *filename=\"(?:[^\"\\\x00-\x1f]|\\[^\"\x00-\x1f])*\"| *; *filename\*=[^\s;\"\x00-\x1f]+)*) *",
    re.IGNORECASE,
)
_AS_IT_IS = frozenset((b"binary", b"8bit", b"7bit"))  # transfer encodings that encode nothing


class Field(NamedTuple):
    """The value of a field, and where its bytes stand in the whole form."""

    value: str
    start: int
    end: int


class State(Enum):
    """What comes next."""

    START = auto()
    AFTER_BOUNDARY = auto()
    HEADERS = auto()
    VALUE = auto()
    FILE = auto()
    ENDED = auto()


class Form:
    """`feed` it every chunk, in order, then `end` it. Both raise BadBody.

    wanted: the fields whose values are kept. After `close` none of them may come any more.
    most_files: there is a bound on how many the provider takes.
    """

    def __init__(self, content_type: bytes, wanted: frozenset[str], most_files: int = 1) -> None:
        match = _BOUNDARY.fullmatch(content_type.strip())
        if match is None:
            raise BadBody("This takes a form: send it as multipart/form-data, with a plain boundary.", status=415)
        self._first = b"--" + (match[1] or match[2])
        self._delimiter = b"\r\n" + self._first
        self._wanted = wanted
        self._most_files = most_files

        self._state = State.START
        self._buffer = bytearray()  # what of the form isn't understood yet
        self._position = 0  # in the form, of the buffer's first byte
        self._name = ""  # of the part that is being read
        self._parts = 0
        self._closed = False  # to fields that we go by

        self.fields: dict[str, Field] = {}
        self.value_bytes = 0  # of all fields, kept or not
        self.files = 0  # that have begun
        self.first_bytes = b""  # of the first file

    def __repr__(self) -> str:
        return f"<Form {self._state.name} after {self._parts} parts, {self.files} files>"

    @property
    def has_begun_file(self) -> bool:
        """Whether enough of the first file has come to tell what it is."""
        return len(self.first_bytes) == FIRST_BYTES

    @property
    def is_ended(self) -> bool:
        return self._state is State.ENDED

    def get(self, name: str) -> str | None:
        """The value of a field; None: it was not there."""
        field = self.fields.get(name)
        return None if field is None else field.value

    def close(self) -> None:
        """What is known by now was gone by: a field that would change it is refused."""
        self._closed = True

    def feed(self, chunk: bytes) -> None:
        self._buffer += chunk
        while self._step():
            pass

    def end(self) -> None:
        if self._state is not State.ENDED:
            raise BadBody("The form is not complete: its last boundary is missing.")

    # A step at a time: True while there may be more to do

    def _step(self) -> bool:
        match self._state:
            case State.START:
                return self._begin()
            case State.AFTER_BOUNDARY:
                return self._decide()
            case State.HEADERS:
                return self._read_headers()
            case State.VALUE:
                return self._read_value()
            case State.FILE:
                return self._pass_file()
        if self._buffer.strip(b"\r\n"):
            raise BadBody("Something follows the end of the form.")
        return False

    def _begin(self) -> bool:
        if len(self._buffer) < len(self._first):
            if not self._first.startswith(self._buffer):
                raise BadBody("The form does not begin with its boundary.")
            return False
        if not self._buffer.startswith(self._first):
            raise BadBody("The form does not begin with its boundary.")
        self._drop(len(self._first))
        self._state = State.AFTER_BOUNDARY
        return True

    def _decide(self) -> bool:
        """Behind a boundary: another part, or the end."""
        if len(self._buffer) < 2:
            return False
        if self._buffer.startswith(b"--"):
            self._state = State.ENDED
        elif self._buffer.startswith(b"\r\n"):
            self._parts += 1
            if self._parts > MOST_PARTS:
                raise BadBody(f"The form has more than {MOST_PARTS} parts.", status=413)
            self._state = State.HEADERS
        else:
            raise BadBody("A boundary of the form does not end its line.")
        self._drop(2)
        return True

    def _read_headers(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or end > MOST_HEADERS:
            if len(self._buffer) > MOST_HEADERS:
                raise BadBody("The headers of a part of the form are too long, or do not end.")
            return False
        name, is_file = _name_of(bytes(self._buffer[:end]))
        self._drop(end + 4)
        self._name = name
        if name in self._wanted and (is_file or name in self.fields or self._closed):
            raise BadBody(_why_not(name, is_file=is_file, is_closed=self._closed), name)
        if name.lower() in self._wanted and name not in self._wanted:
            raise BadBody(f"The form has a field {name!r}: write it in lower case.", name)
        self.files += is_file
        if self.files > self._most_files:
            raise BadBody(f"The form has more files than the {self._most_files} that are taken.", name)
        self._state = State.FILE if is_file else State.VALUE
        return True

    def _read_value(self) -> bool:
        end = self._buffer.find(self._delimiter)
        size = len(self._buffer) if end < 0 else end
        if self.value_bytes + size > MOST_VALUES:
            raise BadBody("The fields of the form are too long.", self._name, status=413)
        if end < 0:
            return False
        self.value_bytes += end
        if self._name in self._wanted:
            self._keep(bytes(self._buffer[:end]))
        self._drop(end + len(self._delimiter))
        self._state = State.AFTER_BOUNDARY
        return True

    def _keep(self, raw: bytes) -> None:
        try:
            value = raw.decode()
        except UnicodeDecodeError:
            raise BadBody(f"The field {self._name!r} is not UTF-8.", self._name) from None
        self.fields[self._name] = Field(value, self._position, self._position + len(raw))

    def _pass_file(self) -> bool:
        end = self._buffer.find(self._delimiter)
        # Without a boundary: all but what may be the beginning of one.
        size = end if end >= 0 else max(0, len(self._buffer) - len(self._delimiter) + 1)
        if self.files == 1 and len(self.first_bytes) < FIRST_BYTES:
            self.first_bytes += bytes(self._buffer[: min(size, FIRST_BYTES - len(self.first_bytes))])
        if end < 0:
            self._drop(size)
            return False
        self._drop(end + len(self._delimiter))
        self._state = State.AFTER_BOUNDARY
        return True

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self._position += size


def _name_of(block: bytes) -> tuple[str, bool]:
    """The name of the part with these headers, and whether it is a file."""
    found: re.Match[bytes] | None = None
    for line in block.split(b"\r\n"):
        header, colon, value = line.partition(b":")
        if not colon or b"\r" in line or b"\n" in line or b"\0" in line or not header.strip() == header:
            raise BadBody("A part of the form has a header that is none.")
        header, value = header.lower(), value.strip()
        if header == b"content-disposition":
            match = _DISPOSITION.fullmatch(value)
            if match is None or found is not None:
                raise BadBody("A part of the form does not say plainly what it is (Content-Disposition).")
            found = match
        elif header == b"content-transfer-encoding" and value.lower() not in _AS_IT_IS:
            raise BadBody("A part of the form is encoded: send it as it is.")
        elif header == b"content-type" and b"charset" in value.lower() and b"utf-8" not in value.lower():
            raise BadBody("A part of the form is not UTF-8.")
    if found is None:
        raise BadBody("A part of the form does not say what it is (Content-Disposition).")
    try:
        return found[1].decode(), bool(found[2])
    except UnicodeDecodeError:
        raise BadBody("The name of a part of the form is not UTF-8.") from None


def _why_not(name: str, *, is_file: bool, is_closed: bool) -> str:
    if is_file:
        return f"The field {name!r} is sent as a file."
    if is_closed:
        return f"The field {name!r} comes after a file: send fields first."
    return f"The form has the field {name!r} twice: providers differ in which they take."
