"""Reading a copy of compressed answers. What the client gets stays compressed.

A little can become a lot: what comes out is bounded, by size and by its ratio to what went in.
"""

import zlib
from collections.abc import Callable

import brotli
import zstandard

MOST_RATIO = 100
SLACK_BYTES = 1024 * 1024  # that may come out whatever the ratio

Decode = Callable[[bytes], bytes]


class CannotDecode(Exception):
    """Not in that encoding, cut, or larger than can be meant."""


def decoder(encoding: bytes) -> Decode | None:
    """A function from the next bytes to the text in them; None: nothing to decode. Raises CannotDecode."""
    if encoding in (b"", b"identity"):
        return None
    if encoding in (b"gzip", b"x-gzip"):
        return Bounded(zlib.decompressobj(wbits=31).decompress)
    if encoding == b"deflate":
        return Bounded(_deflate())
    if encoding == b"br":
        return Bounded(brotli.Decompressor().process)
    if encoding == b"zstd":
        return Bounded(zstandard.ZstdDecompressor().decompressobj().decompress)
    raise CannotDecode(f"the encoding {encoding!r}")


class Bounded:
    """Stops before more comes out than can be meant."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._taken = self._given = 0

    def __call__(self, data: bytes) -> bytes:
        """The next of the text. Raises CannotDecode."""
        try:
            text = self._decode(data)
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise CannotDecode(str(error)) from error
        self._taken += len(data)
        self._given += len(text)
        if self._given > MOST_RATIO * self._taken + SLACK_BYTES:
            raise CannotDecode("it becomes too large")
        return text


def _deflate() -> Decode:
    """Deflate means zlib's format, but some send it bare: the first bytes tell."""
    made: list[Decode] = []

    def decode(data: bytes) -> bytes:
        if not made:
            is_zlib = len(data) > 1 and data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0
            made.append(zlib.decompressobj(wbits=15 if is_zlib else -15).decompress)
        return made[0](data)

    return decode


def decoded(body: bytes, encoding: bytes) -> bytes:
    """A whole body as text; nothing of one that cannot be decoded."""
    try:
        decode = decoder(encoding)
        return decode(body) if decode else body
    except CannotDecode:
        return b""
