import time
from uuid import RFC_4122, UUID

from apps.kit.ids import as_text, uuid7, uuid7_bytes


def test_an_id_is_a_version_7_uuid():
    made = uuid7()
    assert (made.version, made.variant) == (7, RFC_4122)


def test_an_id_begins_with_the_time_in_milliseconds():
    before = time.time_ns() // 1_000_000
    made = uuid7()
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_ids_sort_by_when_they_were_made(time_machine):
    ids = []
    for minute in range(3):
        time_machine.move_to(f"2026-11-20T12:0{minute}Z")
        ids.append(uuid7())
    assert ids == sorted(ids)


def test_ids_of_one_millisecond_differ(time_machine):
    time_machine.move_to("2026-11-20T12:00Z", tick=False)
    assert len({uuid7() for _ in range(10_000)}) == 10_000


def test_bytes_are_written_as_the_object_would_be():
    raw = uuid7_bytes()
    assert as_text(raw) == str(UUID(bytes=raw))
