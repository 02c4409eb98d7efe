"""Which credit pays: what must hold for any lots."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.burn import Category, Lot, burn_order, plan_draw, rolled_over
from apps.billing.topping_up import TopUpRule, top_up_amount

D = Decimal
NOW = datetime(2026, 11, 21, tzinfo=UTC)
DAY = timedelta(days=1)


def lot(key, remaining="10", *, began=30, left=None, **more):
    expires_at = None if left is None else NOW + left * DAY
    return Lot(key, D(remaining), NOW - began * DAY, expires_at, **more)


ORDER = [  # lots, the order in which they pay
    pytest.param([lot("b", priority=60), lot("a", priority=10, left=900)], "ab", id="priority before all else"),
    pytest.param([lot("b"), lot("a", left=3)], "ab", id="soonest expiry"),
    pytest.param([lot("b"), lot("a", category=Category.PROMOTIONAL)], "ab", id="given before paid"),
    pytest.param([lot("b", left=3), lot("a", left=2, category=Category.PAID)], "ab", id="expiry before kind"),
    pytest.param([lot("b", began=1), lot("a", began=2)], "ab", id="oldest"),
    pytest.param([lot("b", serial=2), lot("a", serial=1)], "ab", id="as granted"),
    pytest.param([lot("x", left=0), lot("y", began=-1), lot("z", "0"), lot("a")], "a", id="only what counts now"),
    pytest.param([lot("b", created_at=NOW), lot("a", created_at=NOW - DAY)], "ab", id="as created"),
]


@pytest.mark.parametrize(("lots", "order"), ORDER)
def test_credit_pays_in_burn_order(lots, order):
    assert "".join(each.key for each in burn_order(lots, at=NOW)) == order


lots = st.lists(
    st.builds(
        lot,
        st.uuids(),
        st.decimals(min_value=0, max_value=10**6, places=12).map(str),
        began=st.integers(-3, 30),
        left=st.none() | st.integers(-3, 30),
        priority=st.integers(0, 100),
        category=st.sampled_from(Category),
    ),
    max_size=8,
    unique_by=lambda each: each.key,
)
due = st.decimals(min_value=0, max_value=10**7, places=12)


@given(due, lots)
def test_draws_and_what_is_missing_are_the_amount_and_no_lot_goes_below_zero(amount, there):
    draws, short_by = plan_draw(amount, there, at=NOW)
    assert sum(draw.amount for draw in draws) + short_by == amount
    assert all(0 < draw.amount <= draw.lot.remaining for draw in draws)
    assert [draw.lot.rank for draw in draws] == sorted(draw.lot.rank for draw in draws)
    if short_by:
        assert sum(each.remaining for each in there if each.is_usable(NOW)) == amount - short_by


ROLLED = [  # left, most, least, carried on
    ("90", "50", "0", "50"),
    ("30", "50", "0", "30"),
    ("0", "50", "10", "10"),
    ("90", "0", "0", "0"),
]


@pytest.mark.parametrize(("left", "most", "least", "rolled"), ROLLED)
def test_an_allowance_goes_on_within_bounds(left, most, least, rolled):
    assert rolled_over(D(left), most=D(most), least=D(least)) == D(rolled)


PACKS = TopUpRule(D(10), size=D(50))
TOP_UPS = [  # rule, available, pending, this month, amount
    pytest.param(PACKS, "10.01", "0", "0", "0", id="above the threshold"),
    pytest.param(PACKS, "10", "0", "0", "50.00", id="at it"),
    pytest.param(PACKS, "-40", "0", "0", "100.00", id="until it is above"),
    pytest.param(PACKS, "-429.8", "10", "0", "450.00", id="many packs"),
    pytest.param(PACKS, "0", "50", "0", "0", id="one is on its way"),
    pytest.param(TopUpRule(D(10), size=D(50), monthly=D(120)), "0", "0", "100", "20.00", id="what the month has left"),
    pytest.param(TopUpRule(D(10), size=D(50), monthly=D(120)), "0", "0", "130", "0.00", id="the month is over"),
]


@pytest.mark.parametrize(("rule", "available", "pending", "this_month", "amount"), TOP_UPS)
def test_a_wallet_is_topped_up(rule, available, pending, this_month, amount):
    topped = top_up_amount(rule, D(available), pending=D(pending), this_month=D(this_month), currency="USD")
    assert str(topped) == amount
