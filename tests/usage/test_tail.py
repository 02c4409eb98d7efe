"""Reading spools: what is a call, what waits, and what is made of bytes that nobody should have to see."""

import fcntl
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from apps.kit.ids import uuid7
from apps.usage.record import encode
from apps.usage.segment import FRAME, FRAME_BYTES, HEADER_BYTES, SegmentWriter, framed, segment_path
from apps.usage.tail import Call, Haul, Position, Tail, is_abandoned
from tests.usage.conftest import an_intent, an_outcome

START = Position(1, HEADER_BYTES)
CUSTOMER = SimpleNamespace(id=uuid7(), organization_id=uuid7())


def calls(number: int) -> list[tuple[bytes, bytes]]:
    """So many calls: intent and outcome of each."""
    intents = [an_intent(CUSTOMER) for _ in range(number)]
    return [(encode(intent), encode(an_outcome(intent))) for intent in intents]


def ids(found: Sequence[Call]) -> list[bytes]:
    return [encode(call.intent) for call in found]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / uuid7().hex
    directory.mkdir()
    (directory / "lock").touch()
    return directory


@pytest.fixture
def alive(directory: Path) -> Iterator[None]:
    """The spool's process lives."""
    with (directory / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write(directory: Path, number: int, *payloads: bytes) -> None:
    """A segment with these frames."""
    segment = SegmentWriter(directory, Tail(directory, START, keep_from=1).id, number, 64 * 1024)
    segment.append(b"".join(framed(payload) for payload in payloads))
    segment.close()


def append(directory: Path, number: int, *payloads: bytes) -> None:
    path = segment_path(directory, number)
    data = path.read_bytes()
    end = len(data.rstrip(b"\0"))
    more = b"".join(framed(payload) for payload in payloads)
    path.write_bytes(data[:end] + more + data[end + len(more) :])


def tail_of(directory: Path) -> Tail:
    return Tail(directory, START, keep_from=1)


def read_all(tail: Tail, most: int = 1000) -> list[Haul]:
    hauls = [tail.read(most)]
    while hauls[-1].is_more:
        hauls.append(tail.read(most))
    return hauls


# Calls


def test_calls_come_in_the_order_of_their_outcomes(directory, alive):
    (first, first_end), (second, second_end) = calls(2)
    write(directory, 1, first, second, second_end, first_end)
    haul = tail_of(directory).read(1000)
    assert ids(haul.calls) == [second, first]
    assert [encode(call.outcome) for call in haul.calls] == [second_end, first_end]


def test_intent_of_a_living_process_waits_for_its_outcome(directory, alive):
    [(intent, outcome)] = calls(1)
    write(directory, 1, intent)
    tail = tail_of(directory)
    assert not tail.read(1000)
    append(directory, 1, outcome)
    assert ids(tail.read(1000).calls) == [intent]


def test_intent_of_a_dead_process_is_a_call_without_outcome(directory):
    (done, done_end), (open_, _) = calls(2)
    write(directory, 1, done, open_, done_end)
    haul = tail_of(directory).read(1000)
    assert ids(haul.calls) == [done, open_]
    assert [call.outcome is None for call in haul.calls] == [False, True]
    assert haul.is_last


def test_spool_of_a_dead_process_that_held_nothing_ends(directory):
    haul = tail_of(directory).read(1000)
    assert (haul.calls, haul.letters, haul.is_last) == ([], [], True)


def test_who_asks_whether_the_process_lives_is_not_taken_for_it(directory):
    with (directory / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # as another shipper does
        assert is_abandoned(directory)


def test_spool_without_a_lock_was_copied_here_and_is_read(directory):
    (directory / "lock").unlink()
    assert is_abandoned(directory)


# Positions


def test_haul_has_no_more_calls_than_asked_for(directory, alive):
    written = calls(5)
    write(directory, 1, *(payload for call in written for payload in call))
    hauls = read_all(tail_of(directory), most=2)
    assert [len(haul.calls) for haul in hauls] == [2, 2, 1]
    assert [haul.start for haul in hauls[1:]] == [haul.end for haul in hauls[:-1]]


def test_haul_ends_with_its_segment(directory, alive):
    first, second = calls(2)
    write(directory, 1, *first)
    write(directory, 2, *second)
    hauls = read_all(tail_of(directory))
    assert [(haul.start.segment, haul.end.segment, len(haul.calls)) for haul in hauls] == [(1, 1, 1), (2, 2, 1)]


def test_reserve_segment_is_not_turned_to_before_it_has_a_frame(directory, alive):
    first, second = calls(2)
    write(directory, 1, *first)
    write(directory, 2)
    tail = tail_of(directory)
    tail.read(1000)
    append(directory, 1, *second)
    assert ids(tail.read(1000).calls) == [second[0]]


def test_segment_with_a_waiting_intent_is_kept(directory, alive):
    (open_, _), *done = calls(3)
    write(directory, 1, open_)
    for number, call in enumerate(done, start=2):
        write(directory, number, *call)
    haul = read_all(tail_of(directory))[-1]
    assert (haul.end.segment, haul.keep_from) == (3, 1)


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_a_new_tail_goes_on_where_the_last_one_ended(directory, most):
    written = calls(12)
    intents, outcomes = [call[0] for call in written], [call[1] for call in written]
    write(directory, 1, *intents[:8], *outcomes[:3])
    write(directory, 2, *outcomes[3:6], *intents[8:])
    write(directory, 3, *outcomes[6:])
    found: list[bytes] = []
    haul = Haul(START, START, 1)
    while not haul.is_last:
        haul = Tail(directory, haul.end, keep_from=haul.keep_from).read(most)
        assert not haul.letters
        found += ids(haul.calls)
    assert found == intents


# What a bad disk leaves


def test_frames_written_again_after_a_failed_sync_are_one_call(directory, alive):
    first, second, third = calls(3)
    write(directory, 1, *first, *second)
    write(directory, 2, *second, *third)  # the group of the second was written again
    hauls = read_all(tail_of(directory))
    assert [call for haul in hauls for call in ids(haul.calls)] == [first[0], second[0], third[0]]
    assert not any(haul.letters for haul in hauls)


def test_frames_written_again_are_known_to_a_new_tail(directory, alive):
    first, second = calls(2)
    write(directory, 1, *first)
    write(directory, 2, *first, *second)
    [haul] = read_all(Tail(directory, Position(2, HEADER_BYTES), keep_from=2))
    assert ids(haul.calls) == [second[0]]


def cut_after(directory: Path, number: int, size: int) -> None:
    """Zeros from there on, as a machine leaves them that lost its power."""
    path = segment_path(directory, number)
    data = path.read_bytes()
    path.write_bytes(data[:size] + bytes(len(data) - size))


def test_frame_cut_at_any_byte_takes_nothing_with_it(directory):
    first, second = calls(2)
    write(directory, 1, *first, *second)
    whole = segment_path(directory, 1).read_bytes()
    end = HEADER_BYTES + sum(len(framed(payload)) for payload in (*first, second[0]))
    for kept in range(len(framed(second[1]))):
        segment_path(directory, 1).write_bytes(whole)
        cut_after(directory, 1, end + kept)
        haul = tail_of(directory).read(1000)
        assert ids(haul.calls) == [first[0], second[0]]
        assert haul.calls[1].outcome is None
        assert [letter.at for letter in haul.letters] == ([Position(1, end)] if kept else [])


def test_frame_that_is_on_its_way_is_left_alone(directory, alive):
    first, second = calls(2)
    write(directory, 1, *first, *second)
    whole = segment_path(directory, 1).read_bytes()
    cut_after(directory, 1, len(whole.rstrip(b"\0")) - 5)
    tail = tail_of(directory)
    haul = tail.read(1000)
    assert (ids(haul.calls), haul.letters) == ([first[0]], [])
    segment_path(directory, 1).write_bytes(whole)
    assert ids(tail.read(1000).calls) == [second[0]]


def test_frame_with_a_wrong_checksum_is_a_letter_and_the_next_are_read(directory):
    first, bad, last = calls(3)
    write(directory, 1, *first, *bad, *last)
    path = segment_path(directory, 1)
    data = bytearray(path.read_bytes())
    start = HEADER_BYTES + sum(len(framed(payload)) for payload in (*first, bad[0]))
    data[start + FRAME_BYTES + 3] ^= 1
    path.write_bytes(data)
    haul = tail_of(directory).read(1000)
    assert ids(haul.calls) == [first[0], last[0], bad[0]]
    assert haul.calls[2].outcome is None
    [letter] = haul.letters
    assert (letter.at, letter.reason) == (Position(1, start), "its checksum is wrong")
    assert letter.frame == bytes(data[start : start + FRAME_BYTES + len(bad[1])])


def test_given_up_segment_with_half_a_group_goes_on_in_the_next(directory, alive):
    first, second = calls(2)
    write(directory, 1, *first, *second)
    cut_after(directory, 1, len(segment_path(directory, 1).read_bytes().rstrip(b"\0")) - 5)
    write(directory, 2, *second)
    hauls = read_all(tail_of(directory))
    assert [call for haul in hauls for call in ids(haul.calls)] == [first[0], second[0]]
    assert [letter.reason[:7] for haul in hauls for letter in haul.letters] == ["cut off"]


def test_length_of_nonsense_ends_the_segment_with_a_letter(directory):
    [call] = calls(1)
    write(directory, 1, *call)
    path = segment_path(directory, 1)
    data = path.read_bytes()
    end = len(data.rstrip(b"\0"))
    path.write_bytes(data[:end] + FRAME.pack(2**32 - 1, 7) + b"x" * 20)
    haul = tail_of(directory).read(1000)
    assert ids(haul.calls) == [call[0]]
    assert [letter.frame[FRAME_BYTES:] for letter in haul.letters] == [b"x" * 20]


def test_missing_segments_are_named(directory, alive):
    first, last = calls(2)
    write(directory, 1, *first)
    write(directory, 4, *last)
    hauls = read_all(tail_of(directory))
    assert [call for haul in hauls for call in ids(haul.calls)] == [first[0], last[0]]
    assert [letter.reason for haul in hauls for letter in haul.letters] == ["Segments 2 to 3 are not there."]


def test_segment_of_another_spool_is_named(directory, alive):
    first, last = calls(2)
    write(directory, 1, *first)
    other = SegmentWriter(directory, uuid7(), 2, 64 * 1024)
    other.append(b"".join(framed(payload) for payload in last))
    other.close()
    hauls = read_all(tail_of(directory))
    assert [letter.reason for haul in hauls for letter in haul.letters] == ["The segment has another header."]


def test_payload_that_is_no_record_is_a_letter(directory, alive):
    [call] = calls(1)
    write(directory, 1, b"\xc1", call[0], encode(["i", 7]), call[1])
    haul = tail_of(directory).read(1000)
    assert ids(haul.calls) == [call[0]]
    assert [letter.frame for letter in haul.letters] == [b"\xc1", encode(["i", 7])]


def test_text_that_is_not_utf8_is_a_letter(directory, alive):
    bad = calls(1)[0][0].replace(b"gpt-4o-mini", b"gpt-4o-\xff\xffni")
    write(directory, 1, bad)
    [letter] = tail_of(directory).read(1000).letters
    assert letter.reason.startswith("It cannot be read")


def test_outcome_without_intent_is_a_letter(directory, alive):
    [(_, outcome)] = calls(1)
    write(directory, 1, outcome)
    [letter] = tail_of(directory).read(1000).letters
    assert letter.reason == "The intent of this outcome is not there."
