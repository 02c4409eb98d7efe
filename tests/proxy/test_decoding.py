"""Compressed answers are read however they are cut; a bomb is not let off."""

import gzip
import time
import tracemalloc
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from apps.proxy.decoding import MOST_RATIO, SLACK_BYTES, CannotDecode, decoded, decoder

TEXT = "".join(f'data: {{"delta": "wörd {number}"}}\n\n' for number in range(2000)).encode()


def bare_deflate(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text) + packer.flush()


PACKED = [
    pytest.param(b"gzip", gzip.compress(TEXT), id="gzip"),
    pytest.param(b"x-gzip", gzip.compress(TEXT), id="x-gzip"),
    pytest.param(b"gzip", gzip.compress(TEXT[:5000]) + gzip.compress(TEXT[5000:]), id="gzip-in-two-members"),
    pytest.param(b"deflate", zlib.compress(TEXT), id="deflate"),
    pytest.param(b"deflate", bare_deflate(TEXT), id="deflate-without-its-header"),
    pytest.param(b"br", brotli.compress(TEXT), id="br"),
    pytest.param(b"zstd", zstandard.compress(TEXT), id="zstd"),
    pytest.param(b"zstd", zstandard.compress(TEXT[:5000]) + zstandard.compress(TEXT[5000:]), id="zstd-in-two-frames"),
]


@pytest.mark.parametrize(("encoding", "packed"), PACKED)
@pytest.mark.parametrize("size", [1, 2, 3, 100, 10_000_000])
def test_text_comes_out_however_it_is_cut(encoding, packed, size):
    decode = decoder(encoding)
    assert b"".join(decode(packed[at : at + size]) for at in range(0, len(packed), size)) == TEXT


def _flushed(encoding: bytes, parts: list[bytes]) -> list[bytes]:
    """As servers compress streams: each part can be read when it comes."""
    if encoding == b"gzip":
        packer = zlib.compressobj(wbits=31)
        return [packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in parts]
    if encoding == b"br":
        packer = brotli.Compressor()
        return [packer.process(part) + packer.flush() for part in parts]
    packer = zstandard.ZstdCompressor().compressobj()
    return [packer.compress(part) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for part in parts]


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"zstd"])
@given(parts=st.lists(st.binary(min_size=1, max_size=2000), min_size=1, max_size=10))
def test_each_part_of_a_stream_is_read_when_it_comes(encoding, parts):
    decode = decoder(encoding)
    assert [decode(packed) for packed in _flushed(encoding, parts)] == parts


@pytest.mark.parametrize("encoding", [b"", b"identity"])
def test_plain_text_needs_no_decoder(encoding):
    assert decoder(encoding) is None
    assert decoded(TEXT, encoding) == TEXT


@pytest.mark.parametrize("encoding", [b"compress", b"gzip, br", b"nonsense", b"dcb"])
def test_other_encodings_cannot_be_read(encoding):
    with pytest.raises(CannotDecode, match="the encoding"):
        decoder(encoding)
    assert decoded(b"anything", encoding) == b""


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"zstd"])
def test_what_is_not_in_its_encoding_cannot_be_read(encoding):
    words = b"\x8b\x00{}plain words, not compressed at all" * 20
    with pytest.raises(CannotDecode):
        decoder(encoding)(words)
    assert decoded(words, encoding) == b""


@pytest.mark.parametrize(("encoding", "packed"), PACKED)
def test_a_whole_body_is_decoded_at_once(encoding, packed):
    assert decoded(packed, encoding) == TEXT


ZEROS = bytes(100 * 1024 * 1024)
BOMBS = {
    b"gzip": gzip.compress(ZEROS),
    b"deflate": zlib.compress(ZEROS),
    b"br": brotli.compress(ZEROS, quality=5),
    b"zstd": zstandard.compress(ZEROS),
}


@pytest.mark.parametrize("encoding", BOMBS)
def test_a_bomb_is_refused_in_little_time_and_memory(encoding):
    bomb = BOMBS[encoding]
    assert len(bomb) < len(ZEROS) / 1000
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(CannotDecode, match="too large"):
        decoder(encoding)(bomb)
    spent = time.process_time() - began
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 24 * 1024 * 1024
    assert spent < 0.5


def test_a_little_text_may_be_as_compressed_as_it_likes():
    assert decoded(gzip.compress(bytes(SLACK_BYTES)), b"gzip") == bytes(SLACK_BYTES)
    packed = gzip.compress(bytes(SLACK_BYTES * 2))
    assert len(packed) * MOST_RATIO < SLACK_BYTES
    assert decoded(packed, b"gzip") == b""
