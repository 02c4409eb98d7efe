import asyncio
import fcntl
import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apps.usage.segment import FRAME_BYTES, HEADER_BYTES, frames, pack_header, segment_numbers, segment_path
from apps.usage.spool import MANY, Spool, SpoolUnavailable

SEGMENT = 4096


def payloads_in(directory: Path, number: int = 1) -> list[bytes]:
    data = segment_path(directory, number).read_bytes()[HEADER_BYTES:]
    return [frame.payload for frame in frames(data)]


def all_payloads_in(directory: Path) -> list[bytes]:
    return [payload for number in segment_numbers(directory) for payload in payloads_in(directory, number)]


def is_locked(directory: Path) -> bool:
    with (directory / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """The kernel refuses to make files larger, as it does when the disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def replace_file(spool: Spool, path: str, flags: int) -> None:
    """Have the segment's descriptor lead elsewhere: its system calls then fail as they do on a bad disk."""
    other = os.open(path, flags)
    os.dup2(other, spool._segment._file)
    os.close(other)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool.open(tmp_path, segment_bytes=SEGMENT)
    yield spool
    spool.close()


async def test_what_was_written_is_in_the_file_when_the_future_is_done(spool: Spool):
    await spool.write(b"one")
    await spool.write(b"two", b"three")
    assert payloads_in(spool.directory) == [b"one", b"two", b"three"]


async def test_segment_begins_with_its_header_and_has_its_space(spool: Spool):
    await spool.write(b"one")
    data = segment_path(spool.directory, 1).read_bytes()
    assert data.startswith(pack_header(spool.id, 1))
    assert len(data) == SEGMENT


async def test_what_is_written_in_one_turn_of_the_loop_is_one_group(spool: Spool):
    await asyncio.gather(*(spool.write(b"%d" % number) for number in range(50)))
    assert payloads_in(spool.directory) == [b"%d" % number for number in range(50)]
    assert (spool.stats().records, spool.stats().groups) == (50, 1)


async def test_what_is_written_while_a_group_is_on_its_way_is_the_next_group(spool: Spool):
    first = spool.write(b"first")
    await asyncio.sleep(0)
    rest = [spool.write(b"rest") for _ in range(9)]
    await asyncio.gather(first, *rest)
    assert (spool.stats().records, spool.stats().groups) == (10, 2)


async def test_with_many_calls_under_way_a_group_gathers_over_several_turns_of_the_loop(spool: Spool):
    await asyncio.gather(*(spool.write(b"intent") for _ in range(MANY)))
    written = []
    for _ in range(5):
        written.append(spool.write(b"intent"))
        await asyncio.sleep(0)
    await asyncio.gather(*written)
    assert spool.stats().groups == 2
    await asyncio.gather(*(spool.write(b"outcome", is_outcome=True) for _ in range(MANY + 5)))
    first = spool.write(b"intent")
    await asyncio.sleep(0)
    await asyncio.gather(first, spool.write(b"intent"))
    assert spool.stats().groups == 5


async def test_segments_follow_each_other_in_order(spool: Spool):
    written = [b"%04d" % number * 50 for number in range(100)]
    for payload in written:
        await spool.write(payload)
    assert segment_numbers(spool.directory) == list(range(1, spool.stats().segment + 2))  # and the reserve
    assert all_payloads_in(spool.directory) == written


async def test_group_larger_than_a_segment_is_split_between_frames(spool: Spool):
    written = [b"%04d" % number * 50 for number in range(100)]
    await asyncio.gather(*map(spool.write, written))
    assert all_payloads_in(spool.directory) == written
    assert spool.stats().groups == 1


async def test_record_that_fills_a_segment_to_the_last_byte_fits(spool: Spool):
    await spool.write(b"x" * (SEGMENT - HEADER_BYTES - FRAME_BYTES))
    assert spool.stats().segment == 1
    await spool.write(b"y")
    assert payloads_in(spool.directory, 2) == [b"y"]


async def test_a_cancelled_wait_takes_nothing_back(spool: Spool):
    cancelled, kept = spool.write(b"cancelled"), spool.write(b"kept")
    cancelled.cancel()
    await kept
    assert payloads_in(spool.directory) == [b"cancelled", b"kept"]


async def test_record_of_more_than_a_mebibyte_is_a_bug_of_the_caller(spool: Spool):
    with pytest.raises(ValueError, match="1048577 bytes"):
        spool.write(b"x" * (1024 * 1024 + 1))


# Closing


async def test_closing_writes_what_is_waiting_and_gives_back_space(tmp_path: Path):
    spool = Spool.open(tmp_path, segment_bytes=SEGMENT)
    waiting = spool.write(b"last")
    spool.close()
    await waiting
    assert payloads_in(spool.directory) == [b"last"]
    assert segment_numbers(spool.directory) == [1]
    assert segment_path(spool.directory, 1).stat().st_size == HEADER_BYTES + FRAME_BYTES + 4


async def test_closing_in_another_thread_writes_what_is_waiting(tmp_path: Path):
    spool = Spool.open(tmp_path, segment_bytes=SEGMENT)
    waiting = spool.write(b"last")
    await asyncio.to_thread(spool.close)
    await waiting
    assert payloads_in(spool.directory) == [b"last"]


async def test_closed_spool_takes_nothing(tmp_path: Path):
    spool = Spool.open(tmp_path, segment_bytes=SEGMENT)
    spool.close()
    with pytest.raises(SpoolUnavailable, match="closed"):
        spool.write(b"late", is_outcome=True)
    spool.close()


# Who owns the directory


def test_directory_is_locked_while_the_spool_is_open(tmp_path: Path):
    spool = Spool.open(tmp_path, segment_bytes=SEGMENT)
    assert is_locked(spool.directory)
    spool.close()
    assert not is_locked(spool.directory)


def test_no_directory_is_seen_before_it_is_locked(tmp_path: Path, spool: Spool):
    assert [path.name for path in tmp_path.iterdir()] == [spool.id.hex]


def test_killed_process_leaves_what_was_durable_and_no_lock(tmp_path: Path):
    program = """
        import asyncio, os, signal, sys
        from pathlib import Path
        from apps.usage.spool import Spool

        async def main():
            spool = Spool.open(Path(sys.argv[1]))
            await spool.write(b"durable")
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(program), tmp_path], check=False)
    assert run.returncode == -9
    [directory] = tmp_path.iterdir()
    assert payloads_in(directory) == [b"durable"]
    assert not is_locked(directory)


def test_importing_the_spool_imports_no_django():
    program = "import sys, apps.usage.spool; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# A disk that fails


async def test_failed_write_gives_the_segment_up_and_writes_the_group_to_the_next(spool: Spool):
    await spool.write(b"before")
    replace_file(spool, "/dev/full", os.O_WRONLY)
    await spool.write(b"after")
    assert payloads_in(spool.directory, 2) == [b"after"]
    await spool.write(b"later")
    assert payloads_in(spool.directory, 2) == [b"after", b"later"]


async def test_without_space_intents_are_refused_and_outcomes_written(spool: Spool):
    await spool.write(b"intent")
    await until(lambda: len(segment_numbers(spool.directory)) == 2)  # the one in reserve is there
    with no_file_larger_than(SEGMENT - 1):
        await spool.write(b"o" * 4050, is_outcome=True)  # takes the reserve, and another cannot be made
        await until(lambda: spool.stats().is_full)
        with pytest.raises(SpoolUnavailable, match="no space"):
            spool.write(b"refused")
    assert all_payloads_in(spool.directory) == [b"intent", b"o" * 4050]


async def test_outcome_that_finds_no_space_at_all_says_so(spool: Spool):
    with no_file_larger_than(SEGMENT - 1):
        await spool.write(b"o" * 3900, is_outcome=True)
        with pytest.raises(SpoolUnavailable, match="no space"):
            await spool.write(b"o" * 3900, is_outcome=True)


async def test_space_that_comes_back_is_found_by_itself(spool: Spool):
    with no_file_larger_than(SEGMENT - 1):
        await spool.write(b"o" * 3900, is_outcome=True)
        await until(lambda: spool.stats().is_full)
    await until(lambda: accepts(spool, b"again"))
    await until(lambda: all_payloads_in(spool.directory)[-1] == b"again")
    assert not spool.stats().is_full


async def test_spool_opens_on_a_full_disk_and_begins_when_there_is_space(tmp_path: Path):
    with no_file_larger_than(SEGMENT - 1):
        spool = Spool.open(tmp_path, segment_bytes=SEGMENT)
        assert not accepts(spool, b"refused")
    await until(lambda: accepts(spool, b"first"))
    spool.close()
    assert all_payloads_in(spool.directory) == [b"first"]


def accepts(spool: Spool, payload: bytes) -> bool:
    try:
        spool.write(payload)
    except SpoolUnavailable:
        return False
    return True


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 a thread brings it about
            await asyncio.sleep(0.01)
