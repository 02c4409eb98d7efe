"""What a subscription costs in a period: worked, and billed in parts as at once."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.charges import Kind, Served, opening_charges, period_charges
from apps.billing.discounts import Discount
from apps.billing.measured import Usage
from apps.billing.periods import Period, period_on
from apps.billing.terms import Terms, parse_charges, parse_free_units
from apps.billing.totals import Line, total_up

D = Decimal
MARCH = Period(date(2026, 3, 1), date(2026, 4, 1), "Europe/Paris")
APRIL = Period(date(2026, 4, 1), date(2026, 5, 1), "Europe/Paris")
ALWAYS = Served(date(2026, 1, 1))
MINI = Usage("gpt-4o-mini", 100, {"input": 3_000_000, "output": 1_000_000}, D("1.05"))
BIG = Usage("gpt-4o", 10, {"input": 900_000, "cache_read": 100_000, "reasoning": 1_000_000}, D("12.375"))


def lines_of(terms, usage=(), period=MARCH, served=ALWAYS, **more):
    return [(line.kind.value, line.amount) for line in period_charges(terms, usage, period, served, **more).lines]


FEES = [  # in advance, of what days, what is billed of March and April, lines
    pytest.param(False, ALWAYS, 0, 0, [31], id="in arrears"),
    pytest.param(True, ALWAYS, 31, 0, [30], id="in advance: the next one"),
    pytest.param(True, ALWAYS, 31, 30, [], id="which is billed already"),
    pytest.param(True, Served(date(2026, 3, 8)), 0, 0, [24, 30], id="begun on the 8th, never billed"),
    pytest.param(True, Served(date(2026, 3, 8)), 24, 0, [30], id="begun on the 8th, and billed then"),
    pytest.param(
        True, Served(date(2026, 1, 1), date(2026, 3, 19)), 31, 0, [-13], id="ended on the 18th: that day counts"
    ),
    pytest.param(True, Served(date(2026, 1, 1), date(2026, 2, 1)), 31, 0, [-31], id="ended before: all of it back"),
    pytest.param(True, Served(date(2026, 1, 1), date(2026, 4, 11)), 31, 0, [10], id="ends in the next one"),
    pytest.param(True, Served(date(2026, 1, 1), None, date(2026, 3, 11)), 0, 0, [21, 30], id="a trial to the 10th"),
    pytest.param(True, Served(date(2026, 3, 1), None, date(2026, 5, 1)), 0, 0, [], id="a trial of both"),
]


@pytest.mark.parametrize(("in_advance", "served", "billed", "next_billed", "amounts"), FEES)
def test_a_fee_is_owed_by_the_day_and_charged_as_far_as_it_lacks(in_advance, served, billed, next_billed, amounts):
    """31 a month, so that a day of March is 1 and one of April 31/30. Amounts are told in days."""
    terms = Terms("Basic", fee=D(31), is_in_advance=in_advance)
    following = APRIL if in_advance else None
    charges = period_charges(
        terms, [], MARCH, served, following=following, fee_billed=billed, next_fee_billed=D(next_billed) * 31 / 30
    )
    amounts_of = [line.amount for line in charges.lines]
    assert amounts_of == [
        pytest.approx(D(each) if line.service == MARCH else D(each) * 31 / 30, abs=D("1e-12"))
        for each, line in zip(amounts, charges.lines, strict=True)
    ]
    assert {line.kind for line in charges.lines} <= {Kind.FEE}


def test_the_first_fee_is_due_when_a_subscription_begins():
    terms = Terms("Basic", fee=D(31))
    line = opening_charges(terms, MARCH, Served(date(2026, 3, 8)))
    assert (line.amount, line.details["days"], line.details["of"]) == (24, 24, 31)
    assert opening_charges(terms, MARCH, Served(date(2026, 3, 8)), fee_billed=24) is None
    assert opening_charges(Terms("Basic", fee=D(31), is_in_advance=False), MARCH, ALWAYS) is None


def test_usage_costs_what_its_requests_were_priced_at_in_the_plans_currency():
    terms = Terms("Pay as you go", currency="EUR")
    charges = period_charges(terms, [MINI, BIG], MARCH, ALWAYS, per_dollar=D("0.9"))
    assert [(line.name, line.amount, line.quantity) for line in charges.lines] == [
        ("gpt-4o-mini", D("0.945"), 4_000_000),
        ("gpt-4o", D("11.1375"), 2_000_000),
    ]


def charge(**fields):
    return parse_charges([{"name": "Tokens", "metric": "tokens", "per": "1000000", **fields}])


GRADUATED = [{"up_to": "1000000", "unit": "10"}, {"up_to": None, "unit": "4"}]
CHARGES = [  # charge, lines; 4M tokens of gpt-4o-mini (1.05 USD), 2M of gpt-4o (12.375 USD)
    pytest.param(charge(tiers=GRADUATED), [("charge", 30)], id="1M at 10, 5M at 4"),
    pytest.param(charge(tiers=GRADUATED, mode="volume"), [("charge", 24)], id="all 6M at 4"),
    pytest.param(charge(tiers=GRADUATED, free="1000000"), [("charge", 26)], id="the first million is free"),
    pytest.param(
        charge(tiers=[{"up_to": None, "unit": "5"}], mode="package", package_size="4000000"),
        [("charge", 10)],
        id="two packages of 4M at 5 each",
    ),
    pytest.param(
        charge(tiers=GRADUATED, models="*-MINI"), [("usage", D("12.375")), ("charge", 22)], id="of some models"
    ),
    pytest.param(charge(tiers=GRADUATED, metric="input_tokens"), [("charge", 22)], id="input, cached or not"),
    pytest.param(charge(tiers=GRADUATED, metric="output_tokens"), [("charge", 14)], id="output, reasoning with it"),
    pytest.param(
        charge(tiers=[{"up_to": None, "unit": "0.05", "flat": "1"}], metric="requests", per="1"),
        [("charge", D("6.5"))],
        id="110 requests and a flat fee",
    ),
    pytest.param(
        charge(tiers=[{"up_to": "10", "unit": "1"}, {"up_to": None, "unit": "0.8"}], metric="price", per="1"),
        [("charge", D("12.74"))],
        id="10 dollars as they are, 20 % off what is above",
    ),
    pytest.param(charge(tiers=GRADUATED, minimum="35"), [("charge", 30), ("minimum", 5)], id="its own minimum"),
    pytest.param(charge(tiers=GRADUATED, maximum="20"), [("charge", 30), ("discount", -10)], id="its own maximum"),
]


@pytest.mark.parametrize(("charges", "lines"), CHARGES)
def test_charges_price_what_they_cover_over_the_period(charges, lines):
    assert lines_of(Terms("Tiers", charges=charges), [MINI, BIG]) == lines


def free(**fields):
    return parse_free_units([{"name": "Included", "metric": "tokens", "quantity": "3000000", **fields}])


def test_included_tokens_cover_all_models_in_proportion():
    """3 of 6 million: half of each model's price."""
    assert lines_of(Terms("Free", free=free()), [MINI, BIG]) == [
        ("usage", D("1.05")),
        ("usage", D("12.375")),
        ("allowance", D("-6.7125")),
    ]


def test_included_tokens_of_one_model_leave_the_others_alone():
    assert lines_of(Terms("Free", free=free(models="gpt-4o-mini")), [MINI, BIG])[2] == ("allowance", D("-0.7875"))


def test_included_tokens_are_left_out_of_a_charges_quantity():
    """6 million less 3: 1M at 10 and 2M at 4."""
    terms = Terms("Both", free=free(), charges=charge(tiers=GRADUATED))
    charges = period_charges(terms, [MINI, BIG], MARCH, ALWAYS)
    assert [(line.kind, line.amount, line.quantity) for line in charges.lines] == [
        (Kind.CHARGE, 18, 3_000_000),
        (Kind.ALLOWANCE, 0, 3_000_000),
    ]


def test_what_is_included_goes_by_the_days_and_is_not_used_twice():
    served = Served(date(2026, 3, 17))  # 15 of 31 days
    terms = Terms("Free", free=parse_free_units([{"name": "A", "metric": "requests", "quantity": "31"}]) + free())
    allowances = [line for line in period_charges(terms, [MINI], MARCH, served).lines if line.kind is Kind.ALLOWANCE]
    assert [(line.quantity, line.amount) for line in allowances] == [
        (15, D("-0.1575")),  # 15 of 100 requests
        (D("1451612.903225806452"), D("-0.381048387097")),  # 15/31 of 3M, of the 4M in the other 85
    ]


def test_what_is_left_rolls_over_up_to_one_periods_worth():
    terms = Terms("Free", free=free(rolls_over=True))
    unused = period_charges(terms, [], MARCH, ALWAYS, rolled={"Included": D(3_000_000)})
    assert unused.left == {"Included": 3_000_000}
    used = period_charges(terms, [MINI], MARCH, ALWAYS, rolled={"Included": D(3_000_000)})
    assert used.left == {"Included": 2_000_000}
    assert used.lines[1].details["rolled"] == "3000000"
    assert used.lines[1].amount == -MINI.price


COMMITTED = [  # minimum, more, what is missing
    pytest.param("100", {}, ("minimum", D("86.575")), id="usage counts"),
    pytest.param("13", {}, None, id="it is passed"),
    pytest.param("100", {"paid_from_credit": D(5)}, ("minimum", D("86.575")), id="however it is paid"),
]


@pytest.mark.parametrize(("minimum", "more", "missing"), COMMITTED)
def test_a_commitment_is_made_up_for(minimum, more, missing):
    lines = lines_of(Terms("Committed", minimum=D(minimum)), [MINI, BIG], **more)
    assert next((line for line in lines if line[0] == "minimum"), None) == missing


def test_the_fee_counts_towards_the_commitment_although_it_was_billed_before():
    """Figures of case commit-monthly-cal: 25 of 28 days."""
    february = Period(date(2022, 2, 1), date(2022, 3, 1), "UTC")
    terms = Terms("Committed", "JPY", fee=D(100_000), minimum=D(1_000_000))
    served = Served(date(2022, 2, 4))
    lines = period_charges(terms, [], february, served, fee_billed=D("89285.714285714286")).lines
    assert [(line.kind, line.amount) for line in lines] == [(Kind.MINIMUM, D("803571.428571428571"))]


PAID = [  # paid from credit, lines
    pytest.param("5", [("usage", D("1.05")), ("usage", D("12.375")), ("credit", -5)], id="a part"),
    pytest.param(
        "99", [("usage", D("1.05")), ("usage", D("12.375")), ("credit", D("-13.425"))], id="not more than all"
    ),
]


@pytest.mark.parametrize(("paid", "lines"), PAID)
def test_what_credit_paid_is_taken_off(paid, lines):
    assert lines_of(Terms("Prepaid"), [MINI, BIG], paid_from_credit=D(paid)) == lines


def test_discounts_are_the_plans_own_and_then_coupons():
    coupon = Discount("WELCOME", amount=D(5))
    charges = period_charges(Terms("Ten off", discount_percent=D(10)), [BIG], MARCH, ALWAYS, coupons=[coupon])
    totals = total_up([Line(line.amount) for line in charges.lines], "USD", discounts=charges.discounts)
    assert (totals.subtotal, [each.amount for each in totals.discounts], totals.total) == (
        D("12.38"),
        [D("1.24"), D(5)],
        D("6.14"),
    )


amounts = st.decimals(min_value=0, max_value=10**6, places=12)
days = st.integers(0, 90).map(lambda number: date.fromordinal(date(2026, 2, 10).toordinal() + number))


@given(amounts, days, days, days)
def test_a_fee_that_was_billed_whole_comes_out_by_the_day_however_it_ends(fee, first, until, trial):
    """What March's invoices say of its fee, in advance and corrected afterwards, is the share of its days."""
    terms, whole = Terms("Fee", fee=fee), Served(first)
    opening = opening_charges(terms, MARCH, whole)
    billed = opening.amount if opening else D(0)
    ended = Served(first, max(first, until), trial)
    corrected = sum(line.amount for line in period_charges(terms, [], MARCH, ended, fee_billed=billed).lines)
    assert abs(billed + corrected - fee * int(ended.fee_share(MARCH) * 31) / 31) <= D("3e-12")


@given(st.lists(st.tuples(st.integers(0, 10**9), amounts), max_size=5), st.integers(1, 10**9), st.integers(0, 10**9))
def test_an_allowance_takes_off_no_more_than_usage_comes_to(rows, quantity, rolled):
    usage = [Usage(f"model-{index}", 1, {"input": count}, price) for index, (count, price) in enumerate(rows)]
    terms = Terms("Free", free=parse_free_units([{"name": "A", "metric": "tokens", "quantity": str(quantity)}]))
    charges = period_charges(terms, usage, MARCH, ALWAYS, rolled={"A": D(rolled)})
    assert charges.total >= -D("1e-9")
    if sum(count for count, _ in rows) > quantity + rolled:
        off = [line for line in charges.lines if line.kind is Kind.ALLOWANCE]
        assert sum(line.quantity for line in off) == quantity + rolled


def test_a_plans_periods_are_those_of_its_subscriber():
    cycle = Terms("Monthly").cycle(date(2026, 1, 31), "Europe/Paris")
    assert period_on(cycle, date(2026, 3, 5)) == MARCH
