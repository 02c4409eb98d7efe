"""Request bodies: JSON that everybody reads in the same way, edited byte by byte.

Parsers differ in which of two equal keys they take. A body with a key that stands twice could be held
for one amount and billed for another, so it is refused.
"""

import re
from typing import NamedTuple

import msgspec

from .errors import UNREADABLE, BadBody

MOST_COLONS = 100_000  # of a body whose keys are looked at: each key has one, and takes memory
MOST_MODEL = 256  # characters of a model's name

_KEY = re.compile(rb'[ \t\r\n]*("[^"\\]*(?:\\.[^"\\]*)*")[ \t\r\n]*:[ \t\r\n]*')
_END_OF_VALUE = re.compile(rb"[ \t\r\n]*[,}]")
_STRING_OR_BRACE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}]')

_HIDDEN = re.compile(rb"\\u00[4-7]")  # a letter that nobody needs to escape

_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_string = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


class Span(NamedTuple):
    """Where the value of a top-level key stands."""

    start: int
    end: int


def check_unique(body: bytes) -> None:
    """Raise BadBody if a top-level key of `body`, a well-formed JSON object, stands twice."""
    if len(body) > MOST_COLONS and body.count(b":") > MOST_COLONS:
        raise BadBody(f"The body has more than {MOST_COLONS:,} members.", status=413)
    try:
        members = _decode_members(body)
    except UNREADABLE as error:  # a key that isn't UTF-8: those are looked at by nobody before
        raise why(error) from None
    # Most SDKs write JSON without spaces. Then the members, each once, are the body again.
    if _encode(members) != body:
        _walk(body, members)
    # Some providers, those in Go, don't tell "Model" from "model".
    if len({*map(str.lower, members)}) < len(members):
        raise BadBody("The body has two keys that differ only in their case: providers differ in which they take.")


def hides_names(body: bytes) -> bool:
    """Whether a name may stand in it in another form than plain bytes, such as "file\\u005fid"."""
    return b"\\u00" in body and _HIDDEN.search(body) is not None


def spans(body: bytes) -> dict[str, Span]:
    """Where each top-level value of a well-formed JSON object stands. Raises BadBody when a key stands twice."""
    return _walk(body, _decode_members(body))


def _walk(body: bytes, members: dict[str, msgspec.Raw]) -> dict[str, Span]:
    """Go along the bytes with what msgspec found, which knows how long each value is.

    It keeps only the last of equal keys, so that the walk leaves the way where there were two: at another
    value, another key, or with members left over.
    """
    found: dict[str, Span] = {}
    position = body.index(b"{") + 1
    for expected, value in members.items():
        match = _KEY.match(body, position)
        if match is None or _decode_string(match[1]) != expected:
            raise _twice(expected)
        raw = bytes(value)
        start = match.end()
        end = _END_OF_VALUE.match(body, start + len(raw))
        if end is None or not body.startswith(raw, start):
            raise _twice(expected)
        found[expected] = Span(start, start + len(raw))
        position = end.end()
    if members and body[position - 1] == ord(","):
        raise _twice(next(reversed(members)))
    return found


def _twice(key: str) -> BadBody:
    return BadBody(f"The body has a key twice, {key!r} or one beside it: providers differ in which they take.", key)


def replaced(body: bytes, span: Span, value: bytes) -> bytes:
    """`body` with other bytes in the place of one value."""
    return body[: span.start] + value + body[span.end :]


def with_model(body: bytes, model: str) -> bytes:
    """`body`, which names a model, with this name in its place."""
    return replaced(body, spans(body)["model"], _encode(model))


def with_first(body: bytes, member: bytes) -> bytes:
    """`body`, a JSON object that isn't empty, with one more member in front."""
    start = body.index(b"{") + 1
    return body[:start] + member + b"," + body[start:]


def model_name(said: str | None) -> str:
    """The model that a body names; "" for none. Raises BadBody for what can be no model's name."""
    if not said:
        return ""
    if len(said) > MOST_MODEL or not said.isprintable():
        raise BadBody("The name of the model is not one.", "model")
    return said


def last_object(raw: bytes, key: re.Pattern[bytes]) -> bytes | None:
    """The object that follows the last match of `key` (which ends before the brace), if it is all there."""
    start = -1
    for match in key.finditer(raw):
        start = match.end()
    if start < 0:
        return None
    depth = 0
    for token in _STRING_OR_BRACE.finditer(raw, start):
        if token[0] == b"{":
            depth += 1
        elif token[0] == b"}":
            depth -= 1
            if depth == 0:
                return raw[start : token.end()]
    return None


def utf8_length(strings: list[bytes]) -> int:
    """Of JSON strings' insides, together. Halves of a character in two strings count as one."""
    joined = b"".join(strings)
    if b"\\" not in joined:
        return len(joined)
    try:
        return len(_decode_string(b'"' + joined + b'"').encode())
    except (*UNREADABLE, UnicodeEncodeError):
        return len(joined)


def text_of(strings: list[bytes]) -> str:
    """Of JSON strings' insides, together."""
    joined = b"".join(strings)
    try:
        return _decode_string(b'"' + joined + b'"')
    except UNREADABLE:
        return joined.decode("utf-8", "replace")


def why(error: Exception) -> BadBody:
    """What to tell the client of a body that doesn't decode."""
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return BadBody(f"The body is not valid JSON: {text}.")
    message, _, where = text.partition(" - at `$")
    param = where.rstrip("`").lstrip(".") or None
    about = f"Invalid value for {param}" if param else "The body is not what it should be"
    return BadBody(f"{about}: {message}.", param)
