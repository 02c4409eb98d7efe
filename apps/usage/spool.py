"""The durable queue between the proxy and PostgreSQL: a process appends to its own files, `ship` reads them.

One thread writes. Whatever was handed to it while the last group was on its way to the disk goes out
as the next: one write, one fdatasync, one wake-up of the event loop for all of them. Segments have
their space reserved beforehand, so that the outcome of a call that was let in always has room.
Knows no Django: the hot path imports it.
"""

import asyncio
import errno
import fcntl
import logging
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple, Self
from uuid import UUID

from apps.kit.failpoints import reach
from apps.kit.ids import uuid7
from apps.usage.segment import HEADER_BYTES, LOCK, pack, pack_header, segment_path

logger = logging.getLogger(__name__)

SEGMENT_BYTES = 16 * 1024 * 1024
RESERVE_BYTES = 2 * 1024 * 1024  # of a segment's end, kept for outcomes while no next one can be made
RETRY_S = 1.0


class SpoolUnavailable(Exception):
    """Nothing can be recorded now: no call may be let in."""


class _Entry(NamedTuple):
    frames: bytes
    is_outcome: bool
    waiter: "asyncio.Future[None]"


@dataclass(frozen=True, slots=True)
class SpoolStats:
    """What a spool has done since it was opened, and where it stands."""

    segment: int
    offset: int
    groups: int
    frames: int
    failures: int
    is_full: bool


class Spool:
    """One process's spool. Made by `open`, on the event loop that writes to it."""

    def __init__(self, directory: Path, spool_id: UUID, lock: int, *, segment_bytes: int, reserve_bytes: int) -> None:
        self.directory = directory
        self.id = spool_id
        self._lock = lock  # file descriptor; the lock goes with the process, however it ends
        self._segment_bytes = segment_bytes
        self._reserve_bytes = reserve_bytes
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Entry | None] = SimpleQueue()

        # The segment being written; the thread's own
        self._file = -1
        self._number = 0
        self._offset = 0
        self._groups = self._frames = self._failures = 0

        # Set by the thread, read by the loop
        self._is_full = False  # no next segment can be made: outcomes only
        self._refuse_until = 0.0  # monotonic; nothing at all can be written
        self._try_again_at = 0.0

        self._open_segment()
        self._thread = threading.Thread(target=self._write_groups, name="spool", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<Spool {self.id} {self._number}:{self._offset}{' full' if self._is_full else ''}>"

    @classmethod
    def open(
        cls, root: Path, *, segment_bytes: int = SEGMENT_BYTES, reserve_bytes: int = RESERVE_BYTES
    ) -> Self:
        """A new spool below `root`. Raises OSError when there is no room for it."""
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        spool_id = uuid7()
        unborn = root / f".{spool_id.hex}"  # named when it is locked, or it would be taken for a dead one's
        unborn.mkdir(mode=0o700)
        lock = os.open(unborn / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        directory = root / spool_id.hex
        unborn.rename(directory)
        _sync_directory(root)
        return cls(directory, spool_id, lock, segment_bytes=segment_bytes, reserve_bytes=reserve_bytes)

    # On the event loop...

    def write(self, *payloads: bytes, is_outcome: bool = False) -> "asyncio.Future[None]":
        """Append the payloads, all or none of them. The future is done when they are durable.

        is_outcome: of a call that was let in, for which room is kept.
        Raises SpoolUnavailable, at once or from the future: then nothing may be let in, or shown as done.
        """
        if self._refuse_until and time.monotonic() < self._refuse_until:
            raise SpoolUnavailable("the disk doesn't take records")
        if self._is_full and not is_outcome and time.monotonic() < self._try_again_at:
            raise SpoolUnavailable("there is no room for another segment")
        frames = pack(payloads[0]) if len(payloads) == 1 else b"".join(map(pack, payloads))
        waiter = self._loop.create_future()
        self._queue.put(_Entry(frames, is_outcome, waiter))
        return waiter

    def close(self) -> None:
        """Write what is waiting, and let the shipper finish this spool. Blocks; nothing is written after."""
        self._queue.put(None)
        self._thread.join()
        os.close(self._file)
        os.close(self._lock)

    def stats(self) -> SpoolStats:
        return SpoolStats(
            self._number, self._offset, self._groups, self._frames, self._failures, self._is_full
        )

    # In the thread...

    def _write_groups(self) -> None:
        is_open = True
        while is_open:
            group, is_open = self._next_group()
            if group:
                self._write_group(group)

    def _next_group(self) -> tuple[list[_Entry], bool]:
        """All that is waiting, at least one; and whether more may come."""
        group: list[_Entry] = []
        entry = self._queue.get()
        try:
            while entry is not None:
                group.append(entry)
                entry = self._queue.get_nowait()
        except Empty:
            return group, True
        return group, False

    def _write_group(self, group: list[_Entry]) -> None:
        late: list[_Entry] = []  # what there is no room for
        try:
            if not self._make_room(sum(len(entry.frames) for entry in group)):
                late = [entry for entry in group if not entry.is_outcome]
                group = [entry for entry in group if entry.is_outcome]
            if group:
                self._append(group)
        except OSError as error:
            self._failures += 1
            self._refuse_until = time.monotonic() + RETRY_S
            logger.critical("the spool cannot be written: %s", error)
            group, late = [], group + late
        else:
            self._refuse_until = 0.0
        self._groups += 1
        self._frames += len(group)
        self._tell(group, None)
        self._tell(late, SpoolUnavailable("no room, or the disk doesn't take records"))

    def _append(self, group: list[_Entry]) -> None:
        """Make the group durable; where that fails, again in a new segment, never as if nothing had been.

        What of it did reach the old segment is shipped twice, and found to be the same by its id.
        """
        try:
            self._write_durably(group)
        except OSError as error:
            self._failures += 1
            logger.error("segment %d of spool %s is given up: %s", self._number, self.id, error)
            self._offset = self._segment_bytes  # whatever comes next, it doesn't come here
            self._open_segment()
            self._write_durably(group)

    def _write_durably(self, group: list[_Entry]) -> None:
        data = b"".join([entry.frames for entry in group])
        written = 0
        while written < len(data):
            written += os.pwrite(self._file, data[written:] if written else data, self._offset + written)
        kind = "record" if any(entry.is_outcome for entry in group) else "intent"
        reach(f"after_{kind}_write")
        os.fdatasync(self._file)
        reach(f"after_{kind}_fsync")
        self._offset += written

    def _make_room(self, size: int) -> bool:
        """Begin the next segment when this one comes to its reserve. False: there is none, outcomes only.

        Raises OSError where not even the reserve is left.
        """
        left = self._segment_bytes - self._offset
        if size <= left - self._reserve_bytes:
            return True
        try:
            self._open_segment()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or size > left:
                raise
            if not self._is_full:
                logger.critical("no room for another segment of the spool: no call is let in until there is")
            self._is_full = True
            self._try_again_at = time.monotonic() + RETRY_S
            return False
        if self._is_full:
            logger.warning("there is room for the spool again")
        self._is_full = False
        return True

    def _open_segment(self) -> None:
        """Go on in a new segment, with its space reserved and its name in the directory."""
        number = self._number + 1
        path = segment_path(self.directory, number)
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, self._segment_bytes)
            os.pwrite(file, pack_header(self.id, number), 0)
            os.fsync(file)
            _sync_directory(self.directory)
        except BaseException:
            os.close(file)
            path.unlink()
            raise
        if self._file >= 0:
            os.close(self._file)
        self._file, self._number, self._offset = file, number, HEADER_BYTES

    def _tell(self, group: list[_Entry], error: SpoolUnavailable | None) -> None:
        if group:
            try:
                self._loop.call_soon_threadsafe(_resolve, group, error)
            except RuntimeError:  # the loop is closed: nobody waits
                pass


def _resolve(group: list[_Entry], error: SpoolUnavailable | None) -> None:
    for entry in group:
        waiter = entry.waiter
        if waiter.done():  # cancelled
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
