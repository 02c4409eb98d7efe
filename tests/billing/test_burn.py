"""Which credit pays: what must hold for any lots."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.burn import Category, Lot, burn_order, plan_draw, plan_draws, renewed, rolled_over, settled
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


def test_credit_for_some_models_pays_only_for_those():
    lots = [lot("gpt", pays_for=frozenset(["gpt"]), priority=1), lot("any")]
    assert [draw.lot.key for draw in plan_draw(D(5), lots, at=NOW, kind="claude")[0]] == ["any"]
    assert [draw.lot.key for draw in plan_draw(D(5), lots, at=NOW, kind="gpt")[0]] == ["gpt"]
    assert [draw.lot.key for draw in plan_draw(D(5), lots, at=NOW)[0]] == ["any"]


def test_what_only_one_lot_can_pay_chooses_first():
    """Else claude would take from what only any can, and gpt's own credit be left over."""
    lots = [lot("any", priority=1), lot("gpt", pays_for=frozenset(["gpt"]))]
    draws, short_by = plan_draws([("gpt", D(10)), ("claude", D(10))], lots, at=NOW)
    assert {draw.lot.key: draw.amount for draw in draws} == {"any": 10, "gpt": 10}
    assert short_by == 0


lots = st.lists(
    st.builds(
        lot,
        st.uuids(),
        st.decimals(min_value=0, max_value=10**6, places=12).map(str),
        began=st.integers(-3, 30),
        left=st.none() | st.integers(-3, 30),
        priority=st.integers(0, 100),
        category=st.sampled_from(Category),
        pays_for=st.none() | st.just(frozenset(["gpt"])),
    ),
    max_size=8,
    unique_by=lambda each: each.key,
)
due = st.decimals(min_value=0, max_value=10**7, places=12)
kinds = st.sampled_from([None, "gpt", "claude"])


@given(due, lots, kinds)
def test_draws_and_what_is_missing_are_the_amount_and_no_lot_goes_below_zero(amount, there, kind):
    draws, short_by = plan_draw(amount, there, at=NOW, kind=kind)
    assert sum(draw.amount for draw in draws) + short_by == amount
    assert all(0 < draw.amount <= draw.lot.remaining for draw in draws)
    assert [draw.lot.rank for draw in draws] == sorted(draw.lot.rank for draw in draws)
    if short_by:
        assert sum(each.remaining for each in there if each.is_usable(NOW, kind)) == amount - short_by


@given(st.lists(st.tuples(kinds, due), max_size=6), lots)
def test_draws_for_several_charges_take_from_no_lot_more_than_it_has(charges, there):
    draws, short_by = plan_draws(charges, there, at=NOW)
    assert sum(draw.amount for draw in draws) + short_by == sum(amount for _, amount in charges)
    for each in there:
        assert sum(draw.amount for draw in draws if draw.lot.key == each.key) <= each.remaining


ROLLED = [  # left, most, least, carried on
    ("90", "50", "0", "50"),
    ("30", "50", "0", "30"),
    ("0", "50", "10", "10"),
    ("90", "0", "0", "0"),
]


@pytest.mark.parametrize(("left", "most", "least", "rolled"), ROLLED)
def test_an_allowance_goes_on_within_bounds(left, most, least, rolled):
    assert rolled_over(D(left), most=D(most), least=D(least)) == D(rolled)


RENEWED = [  # used of 100, carried on, there is afterwards
    ("120", "0", "80"),
    ("20", "0", "100"),
    ("20", "50", "150"),
    ("500", "0", "0"),
]


@pytest.mark.parametrize(("used", "rolled", "there"), RENEWED)
def test_a_grant_that_recurs_is_set_and_does_not_add_up(used, rolled, there):
    assert renewed(100, used=D(used), rolled=D(rolled)) == D(there)


def test_credit_pays_first_and_an_invoice_the_rest():
    assert settled(100, 40, is_prepaid_only=False) == (40, 60)
    assert settled(100, -5, is_prepaid_only=False) == (0, 100)
    assert settled(100, 100, is_prepaid_only=True) == (100, 0)
    assert settled(100, 99, is_prepaid_only=True) is None


PACKS = TopUpRule(D(10), size=D(50))
TARGET = TopUpRule(D(10), target=D(100), least=D(20))
TOP_UPS = [  # rule, available, pending, this month, amount
    pytest.param(PACKS, "10.01", "0", "0", "0", id="above the threshold"),
    pytest.param(PACKS, "10", "0", "0", "50.00", id="at it"),
    pytest.param(PACKS, "-40", "0", "0", "100.00", id="until it is above"),
    pytest.param(PACKS, "-429.8", "10", "0", "450.00", id="many packs"),
    pytest.param(PACKS, "0", "50", "0", "0", id="one is on its way"),
    pytest.param(TopUpRule(D(10), size=D(50), most=D(80)), "-100", "0", "0", "80.00", id="the most of one"),
    pytest.param(TopUpRule(D(10), size=D(50), monthly=D(120)), "0", "0", "100", "20.00", id="what the month has left"),
    pytest.param(TopUpRule(D(10), size=D(50), monthly=D(120)), "0", "0", "130", "0.00", id="the month is over"),
    pytest.param(TARGET, "3.005", "0", "0", "97.00", id="to the target, in cents"),
    pytest.param(TopUpRule(D(90), target=D(100), least=D(20)), "90", "0", "0", "20.00", id="not less than the least"),
]


@pytest.mark.parametrize(("rule", "available", "pending", "this_month", "amount"), TOP_UPS)
def test_a_wallet_is_topped_up(rule, available, pending, this_month, amount):
    topped = top_up_amount(rule, D(available), pending=D(pending), this_month=D(this_month), currency="USD")
    assert str(topped) == amount


@pytest.mark.parametrize(
    "fields", [{}, {"size": D(1), "target": D(20)}, {"size": D(0)}, {"target": D(10)}, {"target": D(9)}]
)
def test_a_rule_for_top_ups_does_one_thing(fields):
    with pytest.raises(ValueError, match=r"Top up|pack|target"):
        TopUpRule(D(10), **fields)
