"""The bodies' shipper: takes what the spools of this host's proxies hold to PostgreSQL, and the files away.

Beside the one of usage, in a thread of its own: neither waits for the other. What is shipped is deleted, since
nothing is to outlive its retention in a file: no position is kept, and what is shipped twice lands once.
"""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from uuid import UUID

import msgspec
from django.db import Error, close_old_connections, connection
from django.utils import timezone

from apps.bodies.frame import BodiesFrame, DroppedFrame, decode
from apps.bodies.landing import land
from apps.kit.failpoints import reach
from apps.usage.segment import HEADER_BYTES, Frame, is_begun, scan, segment_numbers, segment_path
from apps.usage.tail import is_abandoned, spool_id_of

logger = logging.getLogger(__name__)

BATCH_BYTES = 4 * 1024 * 1024
BATCH_FRAMES = 500
LONGEST_PAUSE_S = 5.0

Frames = list[BodiesFrame | DroppedFrame]


class BodyShipper:
    """Ships the spools below `root`. One thread uses it; `stop` may be called from another."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._offsets: dict[tuple[UUID, int], int] = {}  # up to where a segment is shipped
        self._stopping = Event()
        self._is_cut_off = False

    def __repr__(self) -> str:
        return f"<BodyShipper of {self.root}>"

    def run(self, *, poll_s: float) -> None:
        """Ship what comes, looking every `poll_s`, until `stop`."""
        pause_s = poll_s
        while not self._stopping.wait(pause_s):
            try:
                close_old_connections()
                self.ship()
            except (Error, OSError) as error:
                connection.close()
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                if not self._is_cut_off:
                    logger.warning("bodies stay in their spools: %s", str(error).partition("\n")[0])
                self._is_cut_off = True
            else:
                pause_s, self._is_cut_off = poll_s, False
        connection.close()

    def stop(self) -> None:
        """Have `run` return soon."""
        self._stopping.set()

    def ship(self) -> int:
        """Ship all that is in the spools now. Returns how many calls' bodies are stored by that."""
        stored = 0
        for directory in sorted(self.root.iterdir()) if self.root.is_dir() else ():
            if (spool_id := spool_id_of(directory)) is not None:
                stored += self._ship_spool(directory, spool_id)
            elif directory.name.startswith(".") and directory.is_dir() and is_abandoned(directory):
                shutil.rmtree(directory)  # its process died before the spool had its name, and so anything in it
        return stored

    def _ship_spool(self, directory: Path, spool_id: UUID) -> int:
        was_abandoned = is_abandoned(directory)  # asked before reading: then what is read is all there is
        stored = 0
        numbers = segment_numbers(directory)
        for number in numbers:
            is_finished = was_abandoned or any(is_begun(directory, later) for later in numbers if later > number)
            stored += self._ship_segment(directory, spool_id, number, is_finished=is_finished)
            if self._stopping.is_set():
                return stored
            if is_finished:
                reach("bodies_before_delete")
                segment_path(directory, number).unlink(missing_ok=True)
                self._offsets.pop((spool_id, number), None)
        if was_abandoned:
            shutil.rmtree(directory, ignore_errors=True)
        return stored

    def _ship_segment(self, directory: Path, spool_id: UUID, number: int, *, is_finished: bool) -> int:
        place = (spool_id, number)
        stored = 0
        pieces = scan(directory, number, self._offsets.get(place, HEADER_BYTES), is_finished=is_finished)
        for batch, end in _batches(pieces, f"{directory.name}/{number}"):
            stored += land(batch, at=timezone.now())
            self._offsets[place] = end
            if self._stopping.is_set():
                break
        return stored


def _batches(pieces: Iterator[object], place: str) -> Iterator[tuple[Frames, int]]:
    """What can be read, some at a time, and where in the segment the next begins."""
    batch: Frames = []
    size = end = 0
    for piece in pieces:
        end = piece.end  # type: ignore[attr-defined]
        if not isinstance(piece, Frame):
            logger.warning("bodies in %s were cut off at %d, and are lost", place, piece.start)  # type: ignore[attr-defined]
            continue
        try:
            batch.append(decode(piece.payload))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            logger.exception("bodies in %s at %d cannot be read", place, piece.start)
            continue
        size += len(piece.payload)
        if size >= BATCH_BYTES or len(batch) >= BATCH_FRAMES:
            yield batch, end
            batch, size = [], 0
    if batch:
        yield batch, end
