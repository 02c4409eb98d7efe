"""Request bodies: JSON that everybody reads in the same way, edited byte by byte.

Parsers differ in which of two equal keys they take. A body in which a key that we go by stands twice
would be held for one amount and billed for another, so it is refused.
"""

import re

import msgspec

from .base import BadBody

MAX_KEYS = 1000  # at the top level, where they have to be looked at one by one

_KEY = re.compile(rb'[ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*')
_STRING_OR_BRACE = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}]')
_END_OF_VALUE = re.compile(rb"[ \t\r\n]*[,}]")
# A letter or an underscore of a key of ours, written as an escape. No serializer does that.
_ESCAPED_LETTER = re.compile(rb"\\u00(?:[46][1-9a-fA-F]|[57][0-9aA]|5[fF])")

_decode_top_level = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_string = msgspec.json.Decoder(str).decode


class Span:
    """Where the value of a top-level key stands."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end


class Uniqueness:
    """Finds keys that stand twice at the top level of a body. Made once for a protocol's keys."""

    def __init__(self, *keys: str) -> None:
        self._quoted = tuple(f'"{key}"'.encode() for key in keys)
        self._as_key = re.compile(b"(" + b"|".join(self._quoted) + b")[ \\t\\r\\n]*:")

    def check(self, body: bytes) -> None:
        """Raise BadBody if a key is given twice. `body` is well-formed JSON: an object."""
        for quoted in self._quoted:
            if body.count(quoted) > 1:
                break
        else:
            if b"\\u00" not in body or _ESCAPED_LETTER.search(body) is None:
                return
            spans(body)
            return
        # As a value ("role": "user") or below the top level they may stand as often as they like.
        found = self._as_key.findall(body)
        if len(found) != len(set(found)) or (b"\\u00" in body and _ESCAPED_LETTER.search(body)):
            spans(body)


def spans(body: bytes) -> dict[str, Span]:
    """Where each top-level value of a well-formed JSON object stands. Raises BadBody when a key stands twice.

    msgspec knows how long each value is, but keeps only the last of equal keys. Walking along the bytes
    with what it found, key by key, ends somewhere else than the body does when there were two.
    """
    values = _decode_top_level(body)
    if len(values) > MAX_KEYS:
        raise BadBody(f"The body has more than {MAX_KEYS} keys.")
    found: dict[str, Span] = {}
    position = body.index(b"{") + 1
    for expected, value in values.items():
        match = _KEY.match(body, position)
        key = _decode_string(match[1]) if match else ""
        if match is None or key != expected:
            raise BadBody(f"The body has the key {key!r} twice.", key)
        raw = bytes(value)
        span = Span(match.end(), match.end() + len(raw))
        end = _END_OF_VALUE.match(body, span.end)
        if end is None or not body.startswith(raw, span.start):
            raise BadBody(f"The body has the key {key!r} twice.", key)
        found[key] = span
        position = end.end()
    if body[position - 1 : position] == b",":
        raise BadBody("The body has a key twice.")
    return found


def replaced(body: bytes, span: Span, value: bytes) -> bytes:
    """`body` with other bytes in the place of one value."""
    return body[: span.start] + value + body[span.end :]


def with_first(body: bytes, member: bytes) -> bytes:
    """`body`, a JSON object that isn't empty, with one more member in front."""
    start = body.index(b"{") + 1
    return body[:start] + member + b"," + body[start:]


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
    except (msgspec.DecodeError, UnicodeEncodeError):
        return len(joined)


def why(error: msgspec.DecodeError) -> BadBody:
    """What to tell the client of a body that doesn't decode."""
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return BadBody(f"The body is not valid JSON: {text}.")
    message, _, where = text.partition(" - at `$")
    param = where.rstrip("`").lstrip(".") or None
    about = f"Invalid value for {param}" if param else "The body is not what it should be"
    return BadBody(f"{about}: {message}.", param)
