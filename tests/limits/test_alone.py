"""Windows that a process keeps for itself while Redis is away."""

import pytest

from apps.limits.alone import WindowsAlone
from apps.limits.commands import entries_of
from apps.limits.scopes import LimitKeys, Periods
from apps.limits.terms import LimitName, LimitReached, Limits
from tests.limits.scoping import under


class Alone(WindowsAlone):
    """Told of customers by name."""

    def let_in(self, customer: str, limits: Limits, tokens: int, now_s: float) -> None:
        scopes = under(LimitKeys(customer.encode()), limits)
        self.admit(entries_of(scopes, Periods("d", "m")), tokens, now_s)


@pytest.fixture
def alone() -> Alone:
    return Alone()


def test_a_full_window_opens_when_its_oldest_second_has_left(alone):
    limits = Limits(requests_per_minute=2)
    alone.let_in("globex", limits, 0, 100.0)
    alone.let_in("globex", limits, 0, 130.5)
    with pytest.raises(LimitReached) as caught:
        alone.let_in("globex", limits, 0, 140.25)
    reached = caught.value
    assert (reached.name, reached.used, reached.limit, reached.retry_after_ms) == (LimitName.REQUESTS, 2, 2, 20_750)
    with pytest.raises(LimitReached):
        alone.let_in("globex", limits, 0, 160.99)
    alone.let_in("globex", limits, 0, 161.0)


def test_a_refusal_counts_nothing(alone):
    limits = Limits(requests_per_minute=5, tokens_per_minute=100)
    for _ in range(9):
        with pytest.raises(LimitReached) as caught:
            alone.let_in("globex", limits, 101, 100.0)
        assert (caught.value.name, caught.value.used, caught.value.retry_after_ms) == (LimitName.TOKENS, 0, None)
    for _ in range(5):
        alone.let_in("globex", limits, 20, 100.0)


def test_customers_have_windows_of_their_own(alone):
    for customer in ("globex", "initech"):
        alone.let_in(customer, Limits(requests_per_minute=1), 0, 100.0)


@pytest.mark.parametrize("limits", [Limits(requests_per_minute=0), Limits(tokens_per_minute=0)])
def test_zero_lets_nothing_through(alone, limits):
    with pytest.raises(LimitReached) as caught:
        alone.let_in("globex", limits, 0, 100.0)
    assert caught.value.retry_after_ms is None


def test_no_limit_is_none(alone):
    for _ in range(1000):
        alone.let_in("globex", Limits(), 10**9, 100.0)


def test_it_forgets_when_redis_counts_again(alone):
    limits = Limits(requests_per_minute=1)
    alone.let_in("globex", limits, 0, 100.0)
    alone.forget()
    alone.let_in("globex", limits, 0, 100.0)


def test_an_hour_is_an_hour(alone):
    limits = Limits(requests_per_hour=1)
    alone.let_in("globex", limits, 0, 3600.0)
    with pytest.raises(LimitReached) as caught:
        alone.let_in("globex", limits, 0, 7259.0)
    assert (caught.value.name, caught.value.retry_after_ms) == (LimitName.HOURLY_REQUESTS, 1_000)
    alone.let_in("globex", limits, 0, 7260.0)
