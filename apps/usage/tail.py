"""Reading a spool from where shipping has come to: frames in, calls out. Files only: no database, no clock.

An intent waits in memory for its outcome. What waits is not lost with us: a new `Tail` reads the
segments before its position again, from the first one that may still matter (`keep_from`).
"""

import fcntl
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import msgspec

from apps.usage.record import Awaited, Intent, Outcome
from apps.usage.segment import (
    HEADER_BYTES,
    LOCK,
    Frame,
    is_begun,
    pack_header,
    read,
    scan,
    segment_numbers,
)

AWAITED = b"awaited:"  # before an id, among those that are done


class Position(NamedTuple):
    """Where a frame begins, or will begin."""

    segment: int
    offset: int


class WrittenIntent(Intent, array_like=True, tag="i", gc=False):
    """As it was written: amounts stay the text that they are in a spool, and in COPY."""

    markup_percent: str  # type: ignore[assignment]


class WrittenOutcome(Outcome, array_like=True, tag="o", gc=False):
    """The same of an outcome."""

    cost: str | int | None = None  # type: ignore[assignment]
    price: str | int | None = None  # type: ignore[assignment]
    provider_cost: str | int | None = None  # type: ignore[assignment]


decode = msgspec.msgpack.Decoder(WrittenIntent | WrittenOutcome | Awaited).decode


class Call(msgspec.Struct, gc=False):  # by the thousand, and in no circles: not worth collecting
    """What is known of a call, and the frame that told it last. Without an outcome: it runs, or its process died."""

    intent: Intent
    segment: int
    offset: int
    outcome: Outcome | None = None


class Waiting(NamedTuple):
    """A call that goes on at the provider: its outcome comes later, with the intent again, in any spool."""

    intent: Intent
    awaited: Awaited


class Letter(NamedTuple):
    """Bytes of a spool from which no request can be made, and why."""

    at: Position
    frame: bytes
    reason: str


@dataclass
class Haul:
    """What was read between two positions of one segment."""

    start: Position
    end: Position
    keep_from: int  # the first segment that what comes after `end` may need
    calls: list[Call] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    is_more: bool = False  # there was more to read than was asked for
    is_last: bool = False  # the spool's process is gone, and this is all it left

    def __bool__(self) -> bool:
        return bool(self.calls or self.letters or self.waiting or self.is_last)


def spool_id_of(directory: Path) -> UUID | None:
    """The id of the spool in this directory, if it is one's."""
    try:
        spool_id = UUID(hex=directory.name)
    except ValueError:
        return None
    return spool_id if directory.name == spool_id.hex and directory.is_dir() else None


def is_abandoned(directory: Path) -> bool:
    """Whether the process that wrote this spool is gone. Once true, it stays so."""
    try:
        with (directory / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: who else asks isn't taken for the writer
    except BlockingIOError:
        return False
    except FileNotFoundError:  # a spool that was copied here without it
        return True
    return True


class Tail:
    """The reading end of one spool."""

    def __init__(self, directory: Path, position: Position, *, keep_from: int) -> None:
        self.directory = directory
        self.id = UUID(hex=directory.name)
        self.shipped = position  # as PostgreSQL has it
        self.position = position  # read up to here
        self._open: dict[bytes, Call] = {}  # waiting for an outcome, oldest first
        # Ids whose outcome was read in this segment and in the one before: what a failing disk made the
        # spool write twice is at the end of the one and the beginning of the other.
        self._done: set[bytes] = set()
        self._done_before: set[bytes] = set()
        self._read_again(from_segment=keep_from - 1)

    def __repr__(self) -> str:
        return f"<Tail {self.id} {self.position.segment}:{self.position.offset}, {len(self._open)} open>"

    def read(self, most: int) -> Haul:
        """The next calls, about `most` of them and from one segment only. Empty: nothing new so far.

        The last haul of an abandoned spool has the calls that will never have an outcome.
        """
        was_abandoned = is_abandoned(self.directory)  # asked before reading: then what is read is all there is
        haul = Haul(self.position, self.position, 0)
        while True:
            following = self._following()  # also asked before: one is begun after the last write to this one
            is_finished = following is not None or was_abandoned
            if not self._read_segment(haul, most, is_finished=is_finished):
                haul.is_more = True
                break
            if following is None:
                if was_abandoned:
                    self._end(haul)
                break
            if haul:  # the next segment is the next haul
                haul.is_more = True
                break
            self._turn_to(following, haul)
        haul.end = self.position
        haul.keep_from = self._keep_from()
        return haul

    def _read_again(self, *, from_segment: int) -> None:
        """Learn what was open at the position, and what was done just before it."""
        forgotten = Haul(self.position, self.position, 0)
        for number in segment_numbers(self.directory):
            if not from_segment <= number <= self.position.segment:
                continue
            self._done_before, self._done = self._done, set()
            for piece in scan(self.directory, number, HEADER_BYTES, is_finished=True):
                if (number, piece.start) >= self.position:
                    break
                if isinstance(piece, Frame):
                    self._take(number, piece, forgotten)

    def _read_segment(self, haul: Haul, most: int, *, is_finished: bool) -> bool:
        """Read on in the segment at hand. False when the haul is full before its end."""
        number, end = self.position
        calls = haul.calls
        for piece in scan(self.directory, number, end, is_finished=is_finished):
            if isinstance(piece, Frame):
                self._take(number, piece, haul)
            else:
                haul.letters.append(Letter(Position(number, piece.start), piece.data, piece.reason))
            end = piece.end
            if len(calls) >= most:
                break
        self.position = Position(number, end)
        return len(calls) < most

    def _take(self, segment: int, frame: Frame, haul: Haul) -> None:
        try:
            record = decode(frame.payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            haul.letters.append(_letter(segment, frame, f"It cannot be read: {error}"))
            return
        call_id = record.id
        if type(record) is WrittenIntent:
            if call_id not in self._open and not self._is_done(call_id):
                self._open[call_id] = Call(record, segment, frame.start)
        elif type(record) is Awaited:
            self._await(segment, frame, record, haul)
        elif call := self._open.pop(call_id, None):
            assert type(record) is WrittenOutcome
            call.outcome, call.segment, call.offset = record, segment, frame.start
            self._done.add(call_id)
            haul.calls.append(call)
        elif not self._is_done(call_id):
            haul.letters.append(_letter(segment, frame, "The intent of this outcome is not there."))

    def _await(self, segment: int, frame: Frame, record: Awaited, haul: Haul) -> None:
        """The call is open no more; its intent and outcome are still to come, so it isn't done either."""
        mark = AWAITED + record.id
        if call := self._open.pop(record.id, None):
            self._done.add(mark)
            haul.waiting.append(Waiting(call.intent, record))
        elif not self._is_done(mark):
            haul.letters.append(_letter(segment, frame, "The intent of what is awaited is not there."))

    def _is_done(self, call_id: bytes) -> bool:
        return call_id in self._done or call_id in self._done_before

    def _following(self) -> int | None:
        """The segment to go on in, if the one at hand gets no more frames."""
        later = [number for number in segment_numbers(self.directory) if number > self.position.segment]
        return later[0] if any(is_begun(self.directory, number) for number in later) else None

    def _turn_to(self, number: int, haul: Haul) -> None:
        there = segment_numbers(self.directory)
        first_missing = self.position.segment + (self.position.segment in there)
        if first_missing < number:
            reason = f"Segments {first_missing} to {number - 1} are not there."
            haul.letters.append(Letter(Position(first_missing, 0), b"", reason))
        header = read(self.directory, number, 0, HEADER_BYTES)
        if is_begun(self.directory, number) and header != pack_header(self.id, number):
            haul.letters.append(Letter(Position(number, 0), header, "The segment has another header."))
        self._done_before, self._done = self._done, set()
        self.position = haul.start = Position(number, HEADER_BYTES)

    def _end(self, haul: Haul) -> None:
        haul.calls += self._open.values()
        haul.is_last = True
        self._open.clear()

    def _keep_from(self) -> int:
        oldest = next(iter(self._open.values()), None)
        return oldest.segment if oldest else self.position.segment


def _letter(segment: int, frame: Frame, reason: str) -> Letter:
    return Letter(Position(segment, frame.start), frame.payload, reason)
