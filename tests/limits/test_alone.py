"""Windows that a process keeps for itself while Redis is away."""

import pytest

from apps.limits.alone import WindowsAlone
from apps.limits.terms import LimitName, LimitReached, Limits


@pytest.fixture
def alone() -> WindowsAlone:
    return WindowsAlone()


def test_a_full_window_opens_when_its_oldest_second_has_left(alone):
    limits = Limits(requests_per_minute=2)
    alone.admit("globex", limits, 0, 100.0)
    alone.admit("globex", limits, 0, 130.5)
    with pytest.raises(LimitReached) as caught:
        alone.admit("globex", limits, 0, 140.25)
    reached = caught.value
    assert (reached.name, reached.used, reached.limit, reached.retry_after_ms) == (LimitName.REQUESTS, 2, 2, 20_750)
    with pytest.raises(LimitReached):
        alone.admit("globex", limits, 0, 160.99)
    alone.admit("globex", limits, 0, 161.0)


def test_a_refusal_counts_nothing(alone):
    limits = Limits(requests_per_minute=5, tokens_per_minute=100)
    for _ in range(9):
        with pytest.raises(LimitReached) as caught:
            alone.admit("globex", limits, 101, 100.0)
        assert (caught.value.name, caught.value.used, caught.value.retry_after_ms) == (LimitName.TOKENS, 0, None)
    for _ in range(5):
        alone.admit("globex", limits, 20, 100.0)


def test_customers_have_windows_of_their_own(alone):
    for customer in ("globex", "initech"):
        alone.admit(customer, Limits(requests_per_minute=1), 0, 100.0)


@pytest.mark.parametrize("limits", [Limits(requests_per_minute=0), Limits(tokens_per_minute=0)])
def test_zero_lets_nothing_through(alone, limits):
    with pytest.raises(LimitReached) as caught:
        alone.admit("globex", limits, 0, 100.0)
    assert caught.value.retry_after_ms is None


def test_no_limit_is_none(alone):
    for _ in range(1000):
        alone.admit("globex", Limits(), 10**9, 100.0)


def test_it_forgets_when_redis_counts_again(alone):
    limits = Limits(requests_per_minute=1)
    alone.admit("globex", limits, 0, 100.0)
    alone.forget()
    alone.admit("globex", limits, 0, 100.0)
