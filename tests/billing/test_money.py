"""Rounding, currencies and splitting."""

from decimal import Decimal
from fractions import Fraction

import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.money import (
    UnknownCurrency,
    allocate,
    converted,
    currencies,
    from_minor,
    minor_units,
    precise,
    round_half_away,
    round_together,
    summed,
    to_minor,
)

ROUNDED = [  # amount, currency, rounded
    ("1.235", "USD", "1.24"),
    ("-1.235", "USD", "-1.24"),
    ("1.2349999", "USD", "1.23"),
    ("0.5", "JPY", "1"),
    ("-0.5", "JPY", "-1"),
    ("0.4999", "JPY", "0"),
    ("1.2345", "KWD", "1.235"),
    ("99.995", "RSD", "100.00"),
    ("0", "EUR", "0.00"),
    ("123456789012345678901234567890.125", "USD", "123456789012345678901234567890.13"),
]


@pytest.mark.parametrize(("amount", "currency", "rounded"), ROUNDED)
def test_amounts_are_rounded_to_the_minor_unit_half_away_from_zero(amount, currency, rounded):
    assert str(round_half_away(Decimal(amount), currency)) == rounded


@pytest.mark.parametrize(
    ("currency", "places"), [("USD", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("IQD", 3), ("RSD", 2)]
)
def test_a_currency_has_the_places_of_iso_4217(currency, places):
    assert minor_units(currency) == places
    assert to_minor(1, currency) == 10**places
    assert from_minor(10**places, currency) == 1


def test_where_other_digits_are_usual_than_iso_has_we_know():
    """A release of babel that knows a new currency without cents fails here, and somebody looks."""
    usual = get_global("currency_fractions")
    others = {code for code in currencies() if usual.get(code, usual["DEFAULT"])[0] != minor_units(code)}
    assert others == {"AFN", "ALL", "IQD", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "RSD", "SOS", "SYP", "YER"}


@pytest.mark.parametrize("code", ["XYZ", "usd", "", "DEM", "XAU"])
def test_what_nobody_pays_with_is_no_currency(code):
    with pytest.raises(UnknownCurrency):
        minor_units(code)


def test_sums_and_products_keep_what_decimal_would_drop():
    many = [Decimal("12345678901234567.123456789012")] * 3
    assert summed(many) == Decimal("37037036703703701.370370367036")
    assert converted(Decimal("12345678901234567.123456789012"), Decimal("1.000001")) == Decimal(
        "12345691246913468.358023912469"
    )
    assert precise(Fraction(2, 3)) == Decimal("0.666666666667")


SPLIT = [  # total, weights, parts
    pytest.param(5, [1, 1, 1], [2, 2, 1], id="the first of equals gets more"),
    pytest.param(-5, [1, 1, 1], [-2, -2, -1], id="taken back as it was given"),
    pytest.param(100, [1, 2, 3], [17, 33, 50], id="by remainder"),
    pytest.param(1, [0, 1], [0, 1], id="no weight, no part"),
    pytest.param(0, [0, 0], [0, 0], id="nothing by nothing"),
    pytest.param(7, [Decimal("0.000000000001")], [7], id="any weight"),
]


@pytest.mark.parametrize(("total", "weights", "parts"), SPLIT)
def test_a_total_is_split_by_weights(total, weights, parts):
    assert allocate(total, weights) == parts


@pytest.mark.parametrize("weights", [[], [0], [1, -1], [-1]])
def test_what_cannot_be_split_is_refused(weights):
    with pytest.raises(ValueError, match="split"):
        allocate(1, weights)


TOGETHER = [
    pytest.param(["0.4"] * 6 + ["1"] * 2, [1, 1, 0, 0, 0, 0, 1, 1], id="six of 0.4 are not lost"),
    pytest.param(["1.4"] * 8, [2, 2, 2, 1, 1, 1, 1, 1], id="8 x 1.4 is 11"),
    pytest.param(["-0.5", "0.5"], [-1, 1], id="mixed signs"),
    pytest.param(["0.5", "-0.5"], [1, -1], id="mixed signs, mirrored"),
    pytest.param(["10", "-0.4", "-0.4"], [10, 0, -1], id="what is taken back"),
    pytest.param([], [], id="no lines"),
]


@pytest.mark.parametrize(("amounts", "whole"), TOGETHER)
def test_lines_are_rounded_together(amounts, whole):
    assert round_together([Decimal(amount) for amount in amounts]) == whole


amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=12, allow_nan=False, allow_infinity=False)


@given(st.lists(amounts, max_size=30))
def test_lines_rounded_together_sum_to_the_rounded_sum_and_stay_near_themselves(lines):
    whole = round_together(lines)
    assert sum(whole) == round_half_away(summed(lines), "JPY")
    assert all(abs(line - Fraction(exact)) < 1 for line, exact in zip(whole, lines, strict=True))
    assert [line for line, exact in zip(whole, lines, strict=True) if exact == int(exact)] == [
        int(exact) for exact in lines if exact == int(exact)
    ]


@given(st.lists(amounts, max_size=30))
def test_lines_taken_back_mirror_those_charged(lines):
    assert round_together([-line for line in lines]) == [-line for line in round_together(lines)]


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any))
def test_parts_sum_to_what_was_split_and_none_is_off_by_one(total, weights):
    parts = allocate(total, weights)
    assert sum(parts) == total
    assert all(
        abs(part - Fraction(total * weight, sum(weights))) < 1 for part, weight in zip(parts, weights, strict=True)
    )
    assert allocate(-total, weights) == [-part for part in parts]
