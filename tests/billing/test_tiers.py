"""What must hold for any tiers; the worked ones are among the cases."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.tiers import BadTiers, Mode, Tier, tariff

D = Decimal
units = st.decimals(min_value=0, max_value=10**9, places=6)
prices = st.decimals(min_value=0, max_value=1000, places=12)
bounds = st.lists(st.decimals(min_value=D("0.001"), max_value=10**6, places=3), unique=True, max_size=5).map(sorted)


@st.composite
def tiers(draw):
    ends = [*draw(bounds), None]
    sizes = st.none() | st.integers(1, 1000).map(D)
    return [Tier(end, draw(prices), draw(prices), draw(sizes)) for end in ends]


@given(tiers(), units, units, st.booleans())
def test_more_units_never_cost_less(rows, some, more, flat_at_zero):
    graduated = tariff(rows, flat_at_zero=flat_at_zero)
    assert graduated.price_of(some + more) >= graduated.price_of(some) >= 0


@given(tiers(), units)
def test_the_parts_by_tier_are_the_price(rows, used):
    of = tariff(rows)
    assert abs(sum(of.parts(used)) - of.price_of(used)) <= len(rows) * D("1e-12")


@given(prices, units)
def test_one_tier_costs_the_same_either_way(price, used):
    assert tariff([Tier(None, price)]).price_of(used) == tariff([Tier(None, price)], Mode.VOLUME).price_of(used)


BAD = [
    pytest.param([], "no_tiers"),
    pytest.param([Tier(None), Tier(None)], "unbounded_tier_not_last"),
    pytest.param([Tier(D(10)), Tier(D(10)), Tier(None)], "duplicate_tier_bound"),
    pytest.param([Tier(D(20)), Tier(D(10)), Tier(None)], "tiers_not_sorted"),
    pytest.param([Tier(D(0)), Tier(None)], "tiers_not_sorted"),
    pytest.param([Tier(D(10))], "last_tier_bounded"),
    pytest.param([Tier(None, D(-1))], "negative"),
    pytest.param([Tier(None, size=D(0))], "negative"),
]


@pytest.mark.parametrize(("rows", "code"), BAD)
def test_tiers_that_leave_a_price_open_are_refused(rows, code):
    with pytest.raises(BadTiers) as refusal:
        tariff(rows)
    assert refusal.value.code == code


def test_less_than_nothing_costs_nothing():
    assert tariff([Tier(None, D(1), D(5))]).price_of(-3) == 0
