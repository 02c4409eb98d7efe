"""Reading a copy of compressed answers. What the client gets stays compressed.

A little can become a lot: what comes out is bounded, by its size and by its ratio to what went in, and
never made in larger pieces than PIECE_BYTES (of zstd, whose library has no such bound: than 128 KB for
every few bytes that are put in, so it is given few).
"""

import zlib
from collections.abc import Callable, Iterator

import brotli  # type: ignore[import-untyped]
import zstandard

MOST_RATIO = 100
SLACK_BYTES = 1024 * 1024  # that may come out whatever the ratio
PIECE_BYTES = 256 * 1024
ZSTD_INPUT_BYTES = 64
ZSTD_WINDOW_BYTES = 8 * 1024 * 1024  # what RFC 9659 lets servers use

Decode = Callable[[bytes], bytes]


class CannotDecode(Exception):
    """Not in that encoding, cut, or larger than can be meant."""


def decoder(encoding: bytes) -> Decode | None:
    """A function from the next bytes to the text in them; None: nothing to decode. Raises CannotDecode."""
    if encoding in (b"", b"identity"):
        return None
    pieces = _CODINGS.get(encoding)
    if pieces is None:
        raise CannotDecode(f"the encoding {encoding!r}")
    return Bounded(pieces())


def decoded(body: bytes, encoding: bytes) -> bytes:
    """A whole body as text; nothing of one that cannot be decoded."""
    try:
        decode = decoder(encoding)
        return decode(body) if decode else body
    except CannotDecode:
        return b""


Pieces = Callable[[bytes], Iterator[bytes]]


class Bounded:
    """Stops before more comes out than can be meant."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._taken = self._given = 0

    def __call__(self, data: bytes) -> bytes:
        """The next of the text. Raises CannotDecode."""
        self._taken += len(data)
        text = []
        try:
            for piece in self._pieces(data):
                self._given += len(piece)
                if self._given > MOST_RATIO * self._taken + SLACK_BYTES:
                    raise CannotDecode("it becomes too large")
                text.append(piece)
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise CannotDecode(str(error)) from error
        return b"".join(text)


def _gzip() -> Pieces:
    """A gzip body may be several, one after the other."""
    inflate = zlib.decompressobj(wbits=31)

    def pieces(data: bytes) -> Iterator[bytes]:
        nonlocal inflate
        piece = b""
        while data or len(piece) == PIECE_BYTES:  # a full piece: there may be more without further input
            if inflate.eof:
                inflate = zlib.decompressobj(wbits=31)
            piece = inflate.decompress(data, PIECE_BYTES)
            data = inflate.unconsumed_tail or inflate.unused_data
            yield piece

    return pieces


def _deflate() -> Pieces:
    """Deflate means zlib's format, but some send it bare: the first two bytes tell."""
    inflate = None
    begun = b""

    def pieces(data: bytes) -> Iterator[bytes]:
        nonlocal inflate, begun
        if inflate is None:
            data = begun = begun + data
            if len(data) < 2:
                return
            is_zlib = data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
            inflate = zlib.decompressobj(wbits=15 if is_zlib else -15)
        piece = b""
        while data or len(piece) == PIECE_BYTES:
            piece = inflate.decompress(data, PIECE_BYTES)
            data = inflate.unconsumed_tail
            yield piece

    return pieces


def _brotli() -> Pieces:
    inflate = brotli.Decompressor()

    def pieces(data: bytes) -> Iterator[bytes]:
        yield inflate.process(data, output_buffer_limit=PIECE_BYTES)
        while not inflate.can_accept_more_data():
            yield inflate.process(b"", output_buffer_limit=PIECE_BYTES)

    return pieces


def _zstd() -> Pieces:
    maker = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
    inflate = maker.decompressobj(read_across_frames=True)

    def pieces(data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), ZSTD_INPUT_BYTES):
            yield inflate.decompress(data[start : start + ZSTD_INPUT_BYTES])

    return pieces


_CODINGS: dict[bytes, Callable[[], Pieces]] = {
    b"gzip": _gzip,
    b"x-gzip": _gzip,
    b"deflate": _deflate,
    b"br": _brotli,
    b"zstd": _zstd,
}
