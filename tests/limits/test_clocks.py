"""Processes whose clocks differ by minutes count by Redis's, and so as one (RELIABILITY F2)."""

import time

import pytest

from apps.kit.ids import uuid7
from apps.limits.scopes import LimitKeys
from apps.limits.terms import to_pico
from tests.limits.process import CAP
from tests.limits.test_processes import run_processes

AHEAD_S = [
    pytest.param((-300, -100, 100, 300), id="five-minutes-either-way"),
    pytest.param((0, 0, 0, 300), id="one-is-ahead"),
    pytest.param((-300, 0, 0, 0), id="one-is-behind"),
]


@pytest.mark.parametrize("ahead_s", AHEAD_S)
def test_the_window_is_the_same_for_all_of_them(redis, ahead_s):
    customer = uuid7().bytes
    assert len(run_processes("calls", customer, ahead_s)) == 100
    keys = LimitKeys(customer)
    assert redis.hget(keys.requests, "total") == b"100"
    assert redis.exists(keys.holds, keys.held, keys.concurrent) == 0


@pytest.mark.parametrize("ahead_s", AHEAD_S)
def test_no_clock_gets_past_a_cap(redis, ahead_s):
    customer = uuid7().bytes
    charged = run_processes("money", customer, ahead_s)
    keys = LimitKeys(customer)
    assert 0 < sum(charged) <= to_pico(CAP)
    for period in ("d", "m"):
        assert redis.hgetall(keys.spend + period) == {b"held": b"0", b"settled": b"%d" % sum(charged)}


def test_what_is_kept_lives_by_redis_s_clock(redis):
    """A bucket in the future, as the process that is ahead would have it, would keep the window full for longer."""
    customer = uuid7().bytes
    run_processes("calls", customer, (300, 300, 300, 300))
    fields = redis.hgetall(LimitKeys(customer).requests)
    now = time.time()  # Redis is on this machine
    buckets = [int(name) for name in fields if name.isdigit()]
    assert buckets
    assert all(now - 90 < bucket < now + 5 for bucket in buckets)
