"""Bodies as they come in, unpacked, never more of them than is taken. Bytes only."""

import zlib
from typing import Protocol

from apps.ingest.errors import TooLarge, Unreadable

MOST_BYTES = 5 * 1024 * 1024  # of a body, and of what it unpacks to
GZIP = 31  # zlib's number for that format


class Readable(Protocol):
    """What a body is read from."""

    def read(self, size: int, /) -> bytes: ...


def whole_body(stream: Readable, encoding: str = "", *, most: int = MOST_BYTES) -> bytes:
    """All of a body, without its Content-Encoding. Raises TooLarge, Unreadable."""
    body = _read(stream, most)
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return unzipped(body, most=most)
    raise Unreadable("Send it as it is, or packed with gzip.")


def unzipped(packed: bytes, *, most: int = MOST_BYTES) -> bytes:
    """What gzip has packed, in one member or several. Raises TooLarge once it is more than `most`, and Unreadable."""
    parts: list[bytes] = []
    left = most
    try:
        while packed:
            unpacker = zlib.decompressobj(GZIP)
            part = unpacker.decompress(packed, left + 1)
            if len(part) > left:
                raise _too_large(most)
            if not unpacker.eof:
                raise Unreadable("Its end is missing.")
            parts.append(part)
            left -= len(part)
            packed = unpacker.unused_data
    except zlib.error:
        raise Unreadable("It is not packed with gzip, as it says.") from None
    return b"".join(parts)


def _read(stream: Readable, most: int) -> bytes:
    parts: list[bytes] = []
    left = most + 1
    while left and (part := stream.read(min(left, 1024 * 1024))):
        parts.append(part)
        left -= len(part)
    if not left:
        raise _too_large(most)
    return b"".join(parts)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"It is longer than {most // (1024 * 1024)} MB. Send it in parts.")
