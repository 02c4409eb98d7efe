"""The durable queue between proxy and PostgreSQL: what `write` promised survives `kill -9` and power loss.

One spool a process, in a directory of its own (segment.py has the layout). The event loop collects what
is written during one of its turns and hands it to a thread as one group; the thread does one synchronous
write for the group and wakes the loop once. While a group is on its way the next gathers,
and under load it gathers a little longer: two threads that take turns cost more than the record itself.

What can fail, and what is done about it:

* a write or a sync fails: whether the frames are on the disk is then unknown, and a second sync that
  succeeds would prove nothing. The segment is given up and the group is written again to the next one.
  The shipper drops what is there twice.
* the disk is full: a segment is always kept in reserve. Once another cannot be made, intents are refused
  (the proxy answers 503 before the provider is called) while the outcomes of running calls go to the
  reserve. It mends itself when there is space.

Knows no Django: the hot path imports it.
"""

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import NamedTuple, Self
from uuid import UUID
from zlib import crc32

from apps.kit.failpoints import reach
from apps.kit.ids import uuid7
from apps.usage.segment import FRAME, HEADER_BYTES, LOCK, MOST_PAYLOAD, SegmentWriter, sync_directory

logger = logging.getLogger(__name__)

SEGMENT_BYTES = 16 * 1024 * 1024
RETRY_S = 1.0
MOST_ATTEMPTS = 3
MANY = 8  # calls under way: from here on a group gathers for
GATHER_S = 0.002

Waiter = asyncio.Future[None]


class SpoolUnavailable(Exception):
    """Nothing can be recorded now: no call may be let in."""


@dataclass(frozen=True, slots=True)
class SpoolStats:
    """What a spool has done since it was opened, and where it stands."""

    records: int  # durable
    groups: int  # each with one write and one sync
    waiting: int  # records that were written and are in no group yet
    failures: int  # segments given up
    segment: int
    offset: int
    is_full: bool  # intents are refused


class _Group(NamedTuple):
    parts: list[bytes]  # frames, joined; more than one part only where they outgrow a segment
    records: int
    waiters: list[Waiter]
    kinds: Sequence[str]  # of records in it, "intent" and "record", for failpoints


class Spool:
    """One process's spool. Made by `open`; written to from one event loop."""

    def __init__(self, directory: Path, spool_id: UUID, lock: int, *, segment_bytes: int) -> None:
        self.directory = directory
        self.id = spool_id
        self._lock = lock  # file descriptor; the lock goes with the process, however it ends
        self._segment_bytes = segment_bytes

        # What was written and is in no group yet: the loop's, and in the end close()'s
        self._frames: list[bytes] = []  # header, payload, header, payload...
        self._waiters: list[Waiter] = []
        self._kinds: set[str] = set()
        self._taking = Lock()
        self._is_closed = False

        # The loop's
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_busy = False  # a group is on its way, and its end will look for more
        self._under_way = 0  # intents whose outcomes are to come
        self._probe_at = 0.0

        # The thread's
        self._segment: SegmentWriter | None = None
        self._reserve: SegmentWriter | None = None
        self._last_number = 0
        self._retry_at = 0.0
        self._records = self._groups = self._failures = 0

        # Set by the thread, read by the loop: why there is no reserve
        self._trouble: OSError | None = None

        self._make_reserve()
        self._to_write: SimpleQueue[_Group | None] = SimpleQueue()
        self._thread = Thread(target=self._write_groups, name="spool", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<Spool {self.id} {self.stats()}>"

    @classmethod
    def open(cls, root: Path, *, segment_bytes: int = SEGMENT_BYTES) -> Self:
        """A new spool below `root`. Raises OSError when its directory cannot be made.

        A disk too full for segments is no error: intents are refused until there is space.
        """
        spool_id = uuid7()
        directory, lock = make_directory(root, spool_id)
        return cls(directory, spool_id, lock, segment_bytes=segment_bytes)

    # On the event loop...

    def write(self, *payloads: bytes, is_outcome: bool = False) -> Waiter:
        """Append the payloads together. The future is done when they are durable.

        is_outcome: of a call that was let in, for which space is kept.
        Raises SpoolUnavailable, at once or from the future: then nothing may be let in, or shown as done.
        Cancelling the future takes nothing back.
        """
        if self._is_closed:
            raise SpoolUnavailable("the spool is closed")
        if self._trouble is not None and not is_outcome:
            self._probe()
            raise SpoolUnavailable("there is no space for another segment") from self._trouble
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        frames = self._frames
        for payload in payloads:
            size = len(payload)
            if size > MOST_PAYLOAD:
                raise ValueError(f"a record of {size} bytes")
            frames += (FRAME.pack(size, crc32(payload)), payload)
        if is_outcome:
            self._under_way -= 1
        elif len(payloads) == 1:  # with its outcome it is no call under way
            self._under_way += 1
        self._kinds.add("record" if is_outcome else "intent")
        waiter = loop.create_future()
        self._waiters.append(waiter)
        if not self._is_busy:
            self._is_busy = True
            self._gather()
        return waiter

    def close(self) -> None:
        """Make durable what was written, and let the shipper finish this spool. Blocks; once is enough.

        May be called from another thread. What is written after it, or at the same time, is refused.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._hand_over()
        self._to_write.put(None)
        self._thread.join()
        if self._segment is not None:
            self._segment.finish()
        if self._reserve is not None:
            self._reserve.discard()
        os.close(self._lock)

    def stats(self) -> SpoolStats:
        """Counted since it was opened."""
        segment = self._segment
        return SpoolStats(
            records=self._records,
            groups=self._groups,
            waiting=len(self._frames) // 2,
            failures=self._failures,
            segment=segment.number if segment else self._last_number,
            offset=segment.end if segment else 0,
            is_full=self._trouble is not None,
        )

    def _probe(self) -> None:
        """While all intents are refused nothing might reach the thread: have it look for space again."""
        now = time.monotonic()
        if now >= self._probe_at:
            self._probe_at = now + RETRY_S
            self._to_write.put(_Group([], 0, [], ()))

    def _gather(self) -> None:
        """Hand over at the end of this turn of the loop, whose other calls join the group; or of one a little later."""
        loop = self._loop
        assert loop is not None  # set by the first write
        if self._under_way < MANY:
            loop.call_soon(self._hand_over)
        else:  # by way of call_soon: the thread is woken when the loop is about to leave the interpreter to it
            loop.call_later(GATHER_S, loop.call_soon, self._hand_over)

    def _hand_over(self) -> None:
        with self._taking:
            frames, waiters = self._frames, self._waiters
            kinds = sorted(self._kinds)
            self._frames, self._waiters, self._kinds = [], [], set()
        if not waiters:
            return
        data = b"".join(frames)
        room = self._segment_bytes - HEADER_BYTES
        parts = [data] if len(data) <= room else list(_in_parts(frames, room))
        self._to_write.put(_Group(parts, len(frames) // 2, waiters, kinds))

    def _finish(self, waiters: list[Waiter], error: BaseException | None) -> None:
        for waiter in waiters:
            if waiter.done():  # cancelled
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
        if self._waiters:
            self._gather()
        else:
            self._is_busy = False

    # In the thread...

    def _write_groups(self) -> None:
        while (group := self._to_write.get()) is not None:
            error: BaseException | None = None
            try:
                for part in group.parts:
                    self._make_durable(part, group.kinds)
            except BaseException as raised:  # whoever waits must hear of it
                error = raised
            else:
                self._records += group.records
                self._groups += bool(group.parts)
            if group.waiters:
                self._tell(group.waiters, error)
            if self._reserve is None:
                self._make_reserve()

    def _make_durable(self, data: bytes, kinds: Sequence[str]) -> None:
        """Write and sync; where that fails, again in the next segment, never as if nothing had been."""
        for _ in range(MOST_ATTEMPTS):
            segment = self._segment
            if segment is None or not segment.has_room(len(data)):
                segment = self._turn_over()
            try:
                segment.append(data)
                for kind in kinds:
                    reach(f"after_{kind}_write")  # which is
                    reach(f"after_{kind}_fsync")  # the same place: there is nothing in between that we could die in
            except OSError as error:
                self._failures += 1
                logger.error("%s is given up: %s", segment.path, error)
                self._give_up()
            else:
                return
        raise SpoolUnavailable("the disk doesn't take records")

    def _turn_over(self) -> SegmentWriter:
        """Go on in the segment kept in reserve."""
        self._give_up()
        if self._reserve is None:
            self._make_reserve()
        if self._reserve is None:
            raise SpoolUnavailable("there is no space for another segment") from self._trouble
        self._segment, self._reserve = self._reserve, None
        return self._segment

    def _give_up(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _make_reserve(self) -> None:
        """Take the space of the segment after this one, so that what is running can be recorded."""
        now = time.monotonic()
        if self._trouble is not None and now < self._retry_at:
            return
        try:
            self._reserve = SegmentWriter(self.directory, self.id, self._last_number + 1, self._segment_bytes)
        except OSError as error:
            self._retry_at = now + RETRY_S
            if self._trouble is None:
                logger.critical("no space for records, so no call is let in until there is: %s", error)
            self._trouble = error
            return
        self._last_number += 1
        if self._trouble is not None:
            logger.warning("there is space for records again")
            self._trouble = None

    def _tell(self, waiters: list[Waiter], error: BaseException | None) -> None:
        assert self._loop is not None  # set by the first write
        try:
            self._loop.call_soon_threadsafe(self._finish, waiters, error)
        except RuntimeError:
            logger.debug("the loop ended before %d records were told to be durable", len(waiters))


def _in_parts(frames: list[bytes], room: int) -> Iterator[bytes]:
    """The frames joined into as few parts as fit in a segment each."""
    part: list[bytes] = []
    size = 0
    for header, payload in zip(frames[::2], frames[1::2], strict=True):
        length = len(header) + len(payload)
        if size + length > room:
            yield b"".join(part)
            part, size = [], 0
        part += (header, payload)
        size += length
    yield b"".join(part)


def make_directory(root: Path, spool_id: UUID) -> tuple[Path, int]:
    """The spool's directory, locked before it has its name: an unlocked one is taken for a dead process's."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    unborn = root / f".{spool_id.hex}"
    unborn.mkdir(mode=0o700)
    lock = os.open(unborn / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    directory = root / spool_id.hex
    unborn.rename(directory)
    sync_directory(root)
    return directory, lock
