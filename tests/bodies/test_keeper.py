"""The queue and the thread: in memory, on a disk, with a disk that fails."""

import os
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from apps.bodies import keeper as keeping
from apps.bodies.frame import BodiesFrame, CannotOpenBody, DroppedFrame, decode, unseal
from apps.bodies.keeper import Keeper
from apps.usage.segment import HEADER_BYTES, Frame, scan, segment_numbers
from tests.bodies.making import ANSWER, REQUEST, a_policy, kept


class Key(NamedTuple):
    id: bytes
    key: bytes
    wrapped_key: bytes = b"wrapped"
    kek_id: str = "tests"


class Keys:
    def __init__(self) -> None:
        self.made: list[Key] = []

    def __call__(self, organization_id: bytes) -> Key:
        self.made.append(Key(os.urandom(16), os.urandom(32)))
        return self.made[-1]


def frames_in(root: Path) -> list[BodiesFrame | DroppedFrame]:
    found = []
    for directory in root.iterdir():
        for number in segment_numbers(directory):
            for piece in scan(directory, number, HEADER_BYTES, is_finished=True):
                assert isinstance(piece, Frame)
                found.append(decode(piece.payload))
    return found


def opened(frame: BodiesFrame, key: bytes, **whose: bytes):
    ids = {"organization_id": frame.organization_id, "customer_id": frame.customer_id, "request_id": frame.id}
    return unseal(frame.sealed, key, **ids | whose)


def test_what_is_kept_is_on_the_disk_and_only_sealed(tmp_path: Path):
    keys, one = Keys(), kept("a-very-secret-sentence", "another-one", answer_type=b"text/plain")
    keeper = Keeper(tmp_path, keys)
    keeper.keep(one)
    keeper.close()
    (frame,) = frames_in(tmp_path)
    texts = opened(frame, keys.made[0].key)
    assert (texts.request, texts.response) == ("a-very-secret-sentence", "another-one")
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"secret-sentence" not in path.read_bytes()
    assert keeper.stats().kept == 1


def test_what_is_sealed_for_one_request_opens_for_no_other(tmp_path: Path):
    keys = Keys()
    keeper = Keeper(tmp_path, keys)
    keeper.keep(kept())
    keeper.close()
    (frame,) = frames_in(tmp_path)
    for whose in ("organization_id", "customer_id", "request_id"):
        with pytest.raises(CannotOpenBody):
            opened(frame, keys.made[0].key, **{whose: os.urandom(16)})


def test_a_customer_has_one_data_key_a_day(tmp_path: Path):
    keys = Keys()
    keeper = Keeper(tmp_path, keys)
    first, second, other = kept(), kept(), kept()
    second.organization_id, second.customer_id = first.organization_id, first.customer_id
    for one in (first, second, other):
        keeper.keep(one)
    keeper.close()
    assert len(keys.made) == 2
    assert Counter(frame.key_id for frame in frames_in(tmp_path)) == {keys.made[0].id: 2, keys.made[1].id: 1}


def test_without_bodies_there_is_no_thread_and_no_file(tmp_path: Path):
    keeper = Keeper(tmp_path / "bodies", Keys())
    keeper.close()
    assert not (tmp_path / "bodies").exists()


def test_what_is_too_much_for_the_memory_is_dropped_and_told(tmp_path: Path):
    one, more = kept("x" * 1000, ""), kept("y" * 1000, "")
    more.organization_id, more.customer_id = one.organization_id, one.customer_id
    keeper = Keeper(tmp_path, Keys(), most_bytes=1500)
    keeper._thread = object()  # type: ignore[assignment]  # it doesn't begin yet
    keeper.keep(one)
    keeper.keep(more)
    assert keeper.stats().dropped == 1
    assert keeper.stats().waiting_bytes == 1000
    keeper._queue.put(None)
    keeper._run()
    frames = frames_in(tmp_path)
    (told,) = [frame for frame in frames if isinstance(frame, DroppedFrame)]
    assert (told.customer_id, told.bodies) == (one.customer_id, 1)
    assert [frame.id for frame in frames if isinstance(frame, BodiesFrame)] == [one.id]
    assert keeper.stats().waiting_bytes == 0


def test_segments_follow_each_other_and_no_more_than_allowed(tmp_path: Path):
    keeper = Keeper(tmp_path, Keys(), most_spooled=2 * 256 * 1024, segment_bytes=256 * 1024)
    noise = [os.urandom(60_000).hex()[:64_000] for _ in range(20)]
    for one in noise:
        keeper.keep(kept(one, ""))
        while keeper.stats().waiting_bytes:
            time.sleep(0.01)
    keeper.close()
    stats = keeper.stats()
    assert len(list(tmp_path.rglob("*.seg"))) == 2
    assert stats.kept + stats.dropped == 20
    assert stats.dropped > 0
    assert len([frame for frame in frames_in(tmp_path) if isinstance(frame, BodiesFrame)]) == stats.kept


def test_a_disk_that_is_nearly_full_is_left_to_records_of_usage(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(keeping, "SPARE_BYTES", 1 << 60)
    keeper = Keeper(tmp_path, Keys())
    keeper.keep(kept())
    keeper.close()
    assert (keeper.stats().kept, keeper.stats().dropped) == (0, 1)
    assert list(tmp_path.rglob("*.seg")) == []


def test_what_cannot_be_made_is_dropped_and_the_log_tells_nothing_of_it(tmp_path: Path, caplog):
    one = kept("a-very-secret-sentence", ANSWER)
    one.request.decode = lambda raw: 1 / 0  # type: ignore[assignment,return-value]
    keeper = Keeper(tmp_path, Keys())
    keeper.keep(one)
    keeper.keep(kept(REQUEST, ANSWER))
    keeper.close()
    assert (keeper.stats().kept, keeper.stats().dropped) == (1, 1)
    assert "ZeroDivisionError" in caplog.text
    assert "secret-sentence" not in caplog.text


def test_a_body_that_takes_too_long_is_dropped(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("apps.bodies.redaction.MOST_S", -1.0)
    keeper = Keeper(tmp_path, Keys())
    keeper.keep(kept(policy=a_policy(ready_made=("cards",))))
    keeper.close()
    assert (keeper.stats().kept, keeper.stats().dropped) == (0, 1)
