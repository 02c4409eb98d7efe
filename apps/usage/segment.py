"""The files of a spool: what their bytes mean. No threads, no clock, no Django.

    <root>/<spool id>/lock           held by the process that writes, for as long as it lives
    <root>/<spool id>/00000001.seg   header, frames, zeros up to the reserved size

A frame is its payload's length and CRC-32 (both 32 bits, little-endian), then the payload. A length
of zero is where writing has come to. A frame that is cut or whose checksum is wrong was being written
when the power went: no one was told that it is durable.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

MAGIC = b"tgspool1"
HEADER = struct.Struct("<8s16sI4x")  # magic, spool id, segment number
HEADER_BYTES = HEADER.size
FRAME = struct.Struct("<II")  # length, CRC-32
FRAME_BYTES = FRAME.size
MOST_PAYLOAD = 1024 * 1024
LOCK = "lock"


class BadSegment(Exception):
    """The file is not a segment of this spool."""


class Frame(NamedTuple):
    """A payload, and the bytes of the segment that it fills: from `start` up to, not including, `end`."""

    start: int
    end: int
    payload: bytes


def segment_path(directory: Path, number: int) -> Path:
    return directory / f"{number:08d}.seg"


def segment_numbers(directory: Path) -> list[int]:
    """The segments that are there, in order."""
    return sorted(int(path.stem) for path in directory.glob("*.seg"))


def pack_header(spool_id: UUID, number: int) -> bytes:
    return HEADER.pack(MAGIC, spool_id.bytes, number)


def check_header(data: bytes, spool_id: UUID, number: int) -> None:
    """Raises BadSegment unless `data` begins a segment of that spool with that number."""
    if len(data) < HEADER_BYTES or data[:HEADER_BYTES] != pack_header(spool_id, number):
        raise BadSegment(f"segment {number} of spool {spool_id} has another header")


def pack(payload: bytes) -> bytes:
    """The frame of `payload`."""
    return FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def frames(data: bytes | memoryview, position: int, base: int = 0) -> Iterator[Frame]:
    """The whole frames in `data` from `position` on; starts and ends are counted from `base`.

    Ends without a word where writing ended, or was cut.
    """
    view = memoryview(data)
    while True:
        found = _frame_at(view, position)
        if found is None:
            return
        end = position + FRAME_BYTES + len(found)
        yield Frame(base + position, base + end, found)
        position = end


def _frame_at(view: memoryview, position: int) -> bytes | None:
    if position + FRAME_BYTES > len(view):
        return None
    length, checksum = FRAME.unpack_from(view, position)
    begin = position + FRAME_BYTES
    if not 0 < length <= MOST_PAYLOAD or begin + length > len(view):
        return None
    payload = bytes(view[begin : begin + length])
    return payload if zlib.crc32(payload) == checksum else None
