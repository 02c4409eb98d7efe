"""The files of a spool: numbered segments of frames, written by one process and read by the shipper.

    <root>/<spool id>/lock           held (flock) by the process that writes, for as long as it lives
    <root>/<spool id>/00000001.seg   header, frames, zeros up to the reserved size

A frame is its payload's length and CRC-32 (both 32 bits, little-endian), then the payload. A length of
zero is where writing has come to. A segment is begun only when the one before is finished: once
number 2 has a frame, number 1 gets no more.

Knows no Django: the hot path imports it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import NamedTuple
from uuid import UUID
from zlib import crc32

import msgspec

MAGIC = b"tgspool1"
HEADER = Struct("<8s16sI4x")  # magic, spool id, segment number
HEADER_BYTES = HEADER.size
FRAME = Struct("<II")  # length, CRC-32
FRAME_BYTES = FRAME.size
MOST_PAYLOAD = 1024 * 1024  # what is longer is not one of our records
CHUNK = MOST_PAYLOAD + FRAME_BYTES  # holds at least one frame
LOCK = "lock"
DURABLY = getattr(os, "RWF_DSYNC", 0)  # Linux's fdatasync in the same call: of two, each waits for the interpreter


class Frame(msgspec.Struct, gc=False):  # by the thousand: made in a third of a tuple's time
    """A payload, and the bytes of the segment that it fills: from `start` up to, not including, `end`."""

    start: int
    end: int
    payload: bytes


def segment_path(directory: Path, number: int) -> Path:
    """Where segment `number`, from 1, of a spool is."""
    return directory / f"{number:08d}.seg"


def segment_numbers(directory: Path) -> list[int]:
    """The segments that are there, in order."""
    return sorted(int(path.stem) for path in directory.glob("*.seg"))


def pack_header(spool_id: UUID, number: int) -> bytes:
    """What a segment begins with."""
    return HEADER.pack(MAGIC, spool_id.bytes, number)


def framed(payload: bytes) -> bytes:
    """The frame of a payload."""
    return FRAME.pack(len(payload), crc32(payload)) + payload


def frames(data: bytes, base: int = 0) -> Iterator[Frame]:
    """The whole, sound frames at the beginning of `data`; starts and ends are counted from `base`.

    Ends without a word where writing ended, or was cut, or the bytes are not what was written.
    """
    position, limit, unpack = 0, len(data) - FRAME_BYTES, FRAME.unpack_from
    while position <= limit:
        length, checksum = unpack(data, position)
        begin = position + FRAME_BYTES
        end = begin + length
        payload = data[begin:end]
        if not 0 < length <= MOST_PAYLOAD or len(payload) < length or crc32(payload) != checksum:
            return
        yield Frame(base + position, base + end, payload)
        position = end


class Unsound(NamedTuple):
    """Bytes that are no frame as it was written, and what seems to have happened to them."""

    start: int
    end: int
    data: bytes
    reason: str


def scan(directory: Path, number: int, offset: int, *, is_finished: bool) -> Iterator[Frame | Unsound]:
    """What is in a segment from `offset` on. A segment that isn't there holds nothing.

    is_finished: no more is written to it; otherwise bytes that are not sound yet may be on their way,
    and end the reading.
    """
    found = True
    while found:
        found = False
        data = read(directory, number, offset, CHUNK)
        for frame in frames(data, offset):
            yield frame
            offset, found = frame.end, True
        if not found and is_finished and any(data[:FRAME_BYTES]):
            unsound = _unsound(directory, number, offset, data)
            yield unsound
            offset, found = unsound.end, True


def _unsound(directory: Path, number: int, offset: int, data: bytes) -> Unsound:
    """Up to the next sound frame if that is where it is said to be, else up to the segment's end."""
    length = FRAME.unpack(data[:FRAME_BYTES])[0] if len(data) >= FRAME_BYTES else 0
    end = offset + FRAME_BYTES + length
    if 0 < length <= MOST_PAYLOAD and any(frames(read(directory, number, end, CHUNK), end)):
        return Unsound(offset, end, data[: FRAME_BYTES + length], "its checksum is wrong")
    end = segment_path(directory, number).stat().st_size
    return Unsound(offset, end, data.rstrip(b"\0"), "cut off: it was not durable yet, or the disk lost it")


def read(directory: Path, number: int, offset: int, size: int) -> bytes:
    """Bytes of a segment, as many as there are; none of one that isn't there."""
    try:
        with segment_path(directory, number).open("rb", buffering=0) as file:
            return os.pread(file.fileno(), size, offset)
    except FileNotFoundError:
        return b""


def is_begun(directory: Path, number: int) -> bool:
    """Whether a segment has a frame."""
    return any(read(directory, number, HEADER_BYTES, FRAME_BYTES))


class SegmentWriter:
    """A segment that this process writes. Raises OSError as the file system does; then it is given up."""

    def __init__(self, directory: Path, spool_id: UUID, number: int, size: int) -> None:
        self.number = number
        self.size = size
        self.end = HEADER_BYTES
        self.path = segment_path(directory, number)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(self._file, 0, size)  # its space is ours: writing cannot run out of disk
            os.pwrite(self._file, pack_header(spool_id, number), 0)
            os.fsync(self._file)
            sync_directory(directory)
        except BaseException:
            self.discard()
            raise

    def has_room(self, size: int) -> bool:
        """Whether frames of so many bytes fit."""
        return self.end + size <= self.size

    def append(self, data: bytes) -> None:
        """Write frames. They are on the disk when it returns."""
        written = os.pwritev(self._file, (data,), self.end, DURABLY)
        if written != len(data):
            raise OSError(f"only {written} of {len(data)} bytes could be written")
        if not DURABLY:
            os.fdatasync(self._file)
        self.end += written

    def finish(self) -> None:
        """Close it, and give back the space that it didn't need."""
        os.ftruncate(self._file, self.end)
        self.close()

    def discard(self) -> None:
        """Close and remove a segment that holds nothing."""
        self.close()
        self.path.unlink()

    def close(self) -> None:
        """Close it as it is."""
        os.close(self._file)


def sync_directory(directory: Path) -> None:
    """Make the names in the directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
