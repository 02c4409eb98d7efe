"""How users are spread: bins that hold everybody once, cut at a percentile, or to the middle half."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from apps.usage.queries import Scope
from apps.usage.queries.distributions import NOBODY, distribution
from tests.cast import Cast
from tests.used import an_hour

ZONE = ZoneInfo("UTC")
NOON = datetime(2026, 3, 10, 12, tzinfo=ZONE)


@pytest.fixture
def scope(cast: Cast) -> Scope:
    return Scope(cast.acme.pk, datetime(2026, 3, 1, tzinfo=ZONE), datetime(2026, 4, 1, tzinfo=ZONE))


def used(cast: Cast, requests: list[int]) -> None:
    for number, count in enumerate(requests):
        an_hour(cast.globex, NOON, end_user=f"user-{number}", requests=count, cost=Decimal(count) / 100)


def filled(found) -> list[tuple[Decimal, Decimal, int]]:
    return [(each.low, each.high, each.users) for each in found.bins if each.users]


def test_nobody(scope):
    assert distribution(scope, "requests") == NOBODY


def test_bins_of_requests_are_whole_and_hold_everybody_once(cast, scope):
    used(cast, [1, 1, 2, 40, 41])
    an_hour(cast.globex, NOON, end_user=None, requests=900)
    an_hour(cast.shady, NOON, requests=900)
    found = distribution(scope, "requests")
    assert filled(found) == [(1, 4, 3), (40, 43, 2)]
    assert (found.users, found.left_out, found.median) == (5, 0, 2)


def test_few_requests_have_a_bin_each(cast, scope):
    used(cast, [1, 2, 2, 5])
    assert filled(distribution(scope, "requests")) == [(1, 2, 1), (2, 3, 2), (5, 6, 1)]


def test_all_alike_are_one_bin(cast, scope):
    used(cast, [7, 7, 7])
    found = distribution(scope, "cost")
    assert filled(found) == [(Decimal("0.07"), Decimal("0.07"), 3)]


def test_money_is_spread_over_twenty_bins(cast, scope):
    used(cast, [0, 100, 200])
    found = distribution(scope, "cost")
    assert len(found.bins) == 20
    assert filled(found) == [(0, Decimal("0.1"), 1), (1, Decimal("1.1"), 1), (Decimal("1.9"), 2, 1)]


@pytest.mark.parametrize(
    ("cut", "users", "left_out", "highest"),
    [("all", 100, 0, 1000), ("p99", 99, 1, 99), ("p95", 95, 5, 95), ("p75", 75, 25, 75), ("middle", 51, 49, 75)],
)
def test_the_far_ones_are_cut_off(cast, scope, cut, users, left_out, highest):
    used(cast, [*range(1, 100), 1000])
    found = distribution(scope, "requests", cut)
    assert (found.users, found.left_out, found.median) == (users, left_out, 50)
    assert sum(each.users for each in found.bins) == users
    assert found.bins[-1].low <= highest < found.bins[-1].high
