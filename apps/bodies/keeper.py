"""Bodies on their way from a call to the disk: a queue that is bounded by bytes, and a thread that empties it.

The thread redacts, compresses and encrypts; only then is anything written. What comes faster than it can be
written is dropped and counted: a call, and its record, wait for nothing here. The spool is one of its own, so
that no record waits for a disk that is busy with bodies. Nothing is promised of a body until it is shipped.

Knows no Django: the hot path imports it.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Protocol

from apps.bodies.frame import DroppedFrame, encode
from apps.bodies.kept import Kept
from apps.bodies.making import frame_of
from apps.bodies.redaction import TooSlow
from apps.kit.failpoints import reach
from apps.kit.ids import uuid7, uuid7_bytes
from apps.usage.segment import MOST_PAYLOAD, SegmentWriter, framed, segment_numbers
from apps.usage.spool import make_directory

logger = logging.getLogger(__name__)

SEGMENT_BYTES = 8 * 1024 * 1024
GROUP_BYTES = 1024 * 1024
GATHER_S = 0.25
RETRY_S = 1.0
SPARE_BYTES = 256 * 1024 * 1024  # of the disk: left for records of usage
MOST_KEYS = 10_000
EPOCH_DAY = date(1970, 1, 1).toordinal()

Whose = tuple[bytes, bytes]  # organization, customer


class FreshKey(Protocol):
    """A data key and how it is stored; `apps.keys.sealing.FreshKey` in production."""

    @property
    def id(self) -> bytes: ...
    @property
    def key(self) -> bytes: ...
    @property
    def wrapped_key(self) -> bytes: ...
    @property
    def kek_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class KeeperStats:
    """What a keeper has done since it was made, and where it stands."""

    kept: int  # written to the spool
    dropped: int
    waiting_bytes: int


class Keeper:
    """One process's. `keep` is called on the event loop; the thread begins with the first body.

    make_key: a new data key of an organization. most_bytes: of memory. most_spooled: bytes of the disk.
    """

    def __init__(
        self,
        root: Path,
        make_key: Callable[[bytes], FreshKey],
        *,
        most_bytes: int = 32 * 1024 * 1024,
        most_spooled: int = 1024 * 1024 * 1024,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._spool = BodySpool(root, most_spooled, segment_bytes)
        self._make_key = make_key
        self._most_bytes = most_bytes

        # The loop's
        self._thread: Thread | None = None
        self._taken_bytes = 0
        self._is_closed = False

        # Both sides'
        self._queue: SimpleQueue[Kept | None] = SimpleQueue()
        self._dropped: dict[Whose, int] = {}
        self._dropping = Lock()
        self._all_dropped = 0

        # The thread's
        self._done_bytes = 0
        self._kept = 0
        self._keys: dict[Whose, FreshKey] = {}
        self._keys_day = date.min

    def __repr__(self) -> str:
        return f"<Keeper {self.stats()}>"

    # On the event loop...

    def keep(self, kept: Kept) -> None:
        """Have it written, sometime. Returns at once, and raises nothing."""
        size = kept.bytes
        if self._is_closed or self._taken_bytes - self._done_bytes + size > self._most_bytes:
            self._drop(kept)
            return
        self._taken_bytes += size
        self._queue.put(kept)
        if self._thread is None:
            self._thread = Thread(target=self._run, name="bodies", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Write what is waiting, and let the shipper finish the spool. Blocks."""
        self._is_closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def stats(self) -> KeeperStats:
        """Counted since it was made."""
        return KeeperStats(self._kept, self._all_dropped, self._taken_bytes - self._done_bytes)

    def _drop(self, kept: Kept) -> None:
        with self._dropping:
            whose = kept.organization_id, kept.customer_id
            self._dropped[whose] = self._dropped.get(whose, 0) + 1
            self._all_dropped += 1

    # In the thread...

    def _run(self) -> None:
        while self._write_group():
            pass
        self._spool.close()

    def _write_group(self) -> bool:
        """Wait for bodies and write those that come within a moment together. False: there will be no more."""
        group: list[Kept] = []
        frames: list[bytes] = []
        size, is_last, until = 0, False, 0.0
        while not is_last and size < GROUP_BYTES:
            try:
                kept = self._queue.get(timeout=max(0.0, until - time.monotonic()) if group else None)
            except Empty:
                break
            if kept is None:
                is_last = True
            else:
                until = until or time.monotonic() + GATHER_S
                group.append(kept)
                if frame := self._frame_of(kept):
                    frames.append(frame)
                    size += len(frame)
        self._write(group, frames)
        return not is_last

    def _write(self, group: list[Kept], frames: list[bytes]) -> None:
        reach("before_bodies_write")
        told = self._dropped_frames()
        if frames or told:
            if self._spool.write([*frames, *told]):
                self._kept += len(frames)
            else:
                for kept in group:
                    self._drop(kept)
        reach("after_bodies_write")
        self._done_bytes += sum(kept.bytes for kept in group)

    def _frame_of(self, kept: Kept) -> bytes | None:
        try:
            key = self._key_for(kept)
            payload = encode(frame_of(kept, key.key, key_id=key.id, wrapped_key=key.wrapped_key, kek_id=key.kek_id))
        except TooSlow:
            logger.warning("the bodies of %s are dropped: to redact them takes too long", kept.id.hex())
        except Exception as error:  # of this one; and its text may tell what is in it
            logger.error("the bodies of %s are dropped: %s", kept.id.hex(), type(error).__name__)
        else:
            if len(payload) <= MOST_PAYLOAD:
                return framed(payload)
        self._drop(kept)
        return None

    def _key_for(self, kept: Kept) -> FreshKey:
        """The data key of the customer and the day."""
        today = datetime.now(UTC).date()
        if today != self._keys_day or len(self._keys) >= MOST_KEYS:
            self._keys, self._keys_day = {}, today
        whose = kept.organization_id, kept.customer_id
        key = self._keys.get(whose)
        if key is None:
            key = self._keys[whose] = self._make_key(kept.organization_id)
        return key

    def _dropped_frames(self) -> list[bytes]:
        with self._dropping:
            dropped, self._dropped = self._dropped, {}
        now = time.time_ns() // 1000
        return [
            framed(encode(DroppedFrame(uuid7_bytes(), now, organization, customer, bodies)))
            for (organization, customer), bodies in dropped.items()
        ]


class BodySpool:
    """The files. Made when there is something to write; never so many that records of usage lack the space."""

    def __init__(self, root: Path, most_bytes: int, segment_bytes: int) -> None:
        self._root = root
        self._most_segments = max(1, most_bytes // segment_bytes)
        self._segment_bytes = segment_bytes
        self._id = uuid7()
        self._directory: Path | None = None
        self._lock: int | None = None
        self._segment: SegmentWriter | None = None
        self._last_number = 0
        self._retry_at = 0.0
        self._is_in_trouble = False

    def __repr__(self) -> str:
        return f"<BodySpool {self._id} segment {self._last_number}>"

    def write(self, frames: list[bytes]) -> bool:
        """Write the frames. False: there is no space, or the disk fails; some may be written."""
        if time.monotonic() < self._retry_at:
            return False
        try:
            for part in self._parts(frames):
                self._room_for(part).append(part)
        except OSError as error:
            self._retry_at = time.monotonic() + RETRY_S
            self._give_up()
            if not self._is_in_trouble:
                logger.error("bodies are dropped until there is space for them: %s", error)
            self._is_in_trouble = True
            return False
        self._is_in_trouble = False
        return True

    def close(self) -> None:
        if self._segment is not None:
            self._segment.finish()
            self._segment = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _parts(self, frames: list[bytes]) -> list[bytes]:
        """The frames joined, a few at a time: a segment must have room for each part."""
        parts: list[bytes] = []
        part: list[bytes] = []
        size = 0
        for frame in frames:
            if part and size + len(frame) > GROUP_BYTES:
                parts.append(b"".join(part))
                part, size = [], 0
            part.append(frame)
            size += len(frame)
        return [*parts, b"".join(part)]

    def _room_for(self, part: bytes) -> SegmentWriter:
        if self._segment is not None and self._segment.has_room(len(part)):
            return self._segment
        if self._directory is None:
            self._directory, self._lock = make_directory(self._root, self._id)
        if len(segment_numbers(self._directory)) >= self._most_segments:
            raise OSError("as many wait to be shipped as TOLLGATE_BODY_SPOOL_BYTES allows")
        if shutil.disk_usage(self._directory).free < SPARE_BYTES:
            raise OSError("the disk is nearly full")
        if self._segment is not None:
            self._segment.finish()
            self._segment = None
        self._last_number += 1
        self._segment = SegmentWriter(self._directory, self._id, self._last_number, self._segment_bytes)
        return self._segment

    def _give_up(self) -> None:
        """After a failed write nobody knows what is on the disk: go on in another segment."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None
