"""The shipper: a process that takes what this host's spools hold to PostgreSQL, for as long as it runs.

It reads the spools of live processes as they grow and adopts those of dead ones. Several shippers at once
are harmless, and gain nothing. While PostgreSQL is away the spools grow, and nothing is lost.
"""

import gc
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from uuid import UUID

from django.db import DataError, Error, IntegrityError, close_old_connections, connection
from django.utils import timezone

from apps.kit.failpoints import reach
from apps.usage.landing import Lander, Overtaken
from apps.usage.models import Spool
from apps.usage.retention import forget_shipped
from apps.usage.tail import Position, Tail, spool_id_of

logger = logging.getLogger(__name__)

BATCH_ROWS = 20_000
LONGEST_PAUSE_S = 5.0
FORGET_EVERY_S = 60.0


class Shipper:
    """Ships the spools below `root`. One thread uses it; `stop` may be called by a signal's handler."""

    def __init__(self, root: Path, *, batch_rows: int = BATCH_ROWS) -> None:
        self.root = root
        self._batch_rows = batch_rows
        self._lander = Lander()
        self._tails: dict[UUID, Tail] = {}
        self._closed: set[UUID] = set()  # nothing will come of these any more
        self._stuck: set[Path] = set()
        self._stopping = Event()
        self._is_cut_off = False
        self._forget_at = 0.0

    def run(self, *, poll_s: float) -> None:
        """Ship what comes, looking every `poll_s`, until `stop`; the transaction under way is finished."""
        pause_s = poll_s
        while not self._stopping.wait(pause_s):
            try:
                close_old_connections()
                self.ship()
                self._forget_sometimes()
            except Error as error:
                self._cut_off(error)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            else:
                self._carry_on()
                pause_s = poll_s

    def stop(self) -> None:
        """Have `run` return soon."""
        self._stopping.set()

    def ship(self) -> int:
        """Ship all that is in the spools now. Returns how many requests are new to PostgreSQL.

        Raises what Django raises while PostgreSQL is away: nothing is lost by that, and nothing done twice.
        """
        rows = 0
        waiting = list(self._spools())
        while waiting and not self._stopping.is_set():
            more = []
            for directory in waiting:
                with _nothing_collected():
                    new, is_more = self._ship_haul(directory)
                rows += new
                if is_more:
                    more.append(directory)
            waiting = more
        return rows

    def _spools(self) -> Iterator[Path]:
        """The directories of spools, without those that are closed."""
        if not self.root.is_dir():
            return
        for directory in sorted(self.root.iterdir()):
            spool_id = spool_id_of(directory)
            if spool_id is not None and spool_id not in self._closed:
                yield directory

    def _ship_haul(self, directory: Path) -> tuple[int, bool]:
        """Ship some of a spool: how many rows are new, and whether there is more to ship at once."""
        spool_id = UUID(hex=directory.name)
        try:
            tail = self._tails.pop(spool_id, None) or self._open(directory, spool_id)
            haul = tail.read(self._batch_rows)
            rows = self._lander.land(spool_id, tail.shipped, haul, at=timezone.now()) if haul else 0
        except Overtaken:
            return 0, False
        except (OSError, DataError, IntegrityError) as error:  # of this one: the others are to be shipped
            self._tell_stuck(directory, error)
            return 0, False
        if haul:
            reach("ship_after_commit")
            tail.shipped = haul.end
        if haul.is_last:
            self._closed.add(spool_id)
        else:
            self._tails[spool_id] = tail  # only now: one that read what was not shipped is of no use
        return rows, haul.is_more

    def _open(self, directory: Path, spool_id: UUID) -> Tail:
        spool, _ = Spool.objects.get_or_create(id=spool_id)
        if spool.closed_at:
            self._closed.add(spool_id)
            raise Overtaken
        return Tail(directory, Position(spool.segment, spool.offset), keep_from=spool.keep_from)

    def _forget_sometimes(self) -> None:
        now = time.monotonic()
        if now >= self._forget_at:
            self._forget_at = now + FORGET_EVERY_S
            forget_shipped(self.root, at=timezone.now())
            self._closed.clear()  # a database that was restored may want what it knew as closed

    def _tell_stuck(self, directory: Path, error: Exception) -> None:
        if directory not in self._stuck:
            self._stuck.add(directory)
            logger.error("the spool in %s cannot be shipped: %s", directory, error)

    def _cut_off(self, error: Error) -> None:
        connection.close()
        if not self._is_cut_off:
            self._is_cut_off = True
            logger.warning("PostgreSQL takes no requests, the spools keep them: %s", str(error).partition("\n")[0])

    def _carry_on(self) -> None:
        if self._is_cut_off:
            self._is_cut_off = False
            logger.info("PostgreSQL takes requests again")


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """A haul is in no circles, and collecting looks through all of it each time that some more of it was read."""
    is_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_enabled:
            gc.enable()
