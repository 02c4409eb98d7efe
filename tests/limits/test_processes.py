"""Four processes that let calls in at once: exact between them all (RELIABILITY F1, M1)."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from django.conf import settings

from apps.kit.ids import uuid7
from apps.limits.scopes import LimitKeys
from apps.limits.terms import to_pico
from tests.faults.size import size
from tests.limits.process import CAP

ROOT = Path(__file__).parents[2]
PROCESSES = 4


SAME = (0,) * PROCESSES  # by how many seconds each one's clock is ahead


def run_processes(what: str, customer: bytes, ahead_s: Sequence[int] = SAME) -> list[int]:
    """What each call that was let in was charged, over all of them."""
    command = [sys.executable, "-m", "tests.limits.process", what, settings.REDIS_URL, customer.hex()]
    processes = [
        subprocess.Popen(
            [*command, str(seed), str(ahead)], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for seed, ahead in enumerate(ahead_s)
    ]
    for process in processes:
        print(file=process.stdin, flush=True)
    return [price for process in processes for price in json.loads(process.communicate(timeout=60)[0])]


@pytest.mark.parametrize("round_", range(size(1, 20)))
def test_400_calls_of_four_processes_against_100_a_minute_let_100_in(redis, round_: int):
    customer = uuid7().bytes
    assert len(run_processes("calls", customer)) == 100
    keys = LimitKeys(customer)
    assert redis.hget(keys.requests, "total") == b"100"
    assert redis.exists(keys.holds, keys.held, keys.concurrent) == 0


@pytest.mark.parametrize("round_", range(size(1, 20)))
def test_a_cap_is_never_passed_and_what_is_charged_adds_up_to_the_last_digit(redis, round_: int):
    customer = uuid7().bytes
    charged = run_processes("money", customer)
    keys = LimitKeys(customer)
    assert 0 < len(charged) < PROCESSES * 100
    assert 0 < sum(charged) <= to_pico(CAP)
    for period in ("d", "m"):
        assert redis.hgetall(keys.spend + period) == {b"held": b"0", b"settled": b"%d" % sum(charged)}
