"""Money in units of 1e-12 USD, and how the scripts compare sums of it."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apps.limits.commands import entries_of
from apps.limits.scopes import LimitKeys, Periods
from apps.limits.scripts import FOLDER
from apps.limits.terms import MOST_PICO, Limits, from_pico, to_pico
from tests.limits.scoping import under

PICO = [
    ("0", 0),
    ("1", 10**12),
    ("0.000000000001", 1),
    ("0.0000000000001", 1),  # smaller than what is counted: not less than it
    ("12345678901.123456789012", 12345678901123456789012),
]


@pytest.mark.parametrize(("usd", "pico"), PICO)
def test_dollars_in_pico(usd: str, pico: int):
    assert to_pico(Decimal(usd)) == pico


def test_pico_in_dollars():
    assert from_pico(MOST_PICO) == Decimal("9223372.036854775807")
    assert from_pico(1) == Decimal("1e-12")


def test_a_cap_beyond_what_is_counted_is_the_most_that_is():
    (entry,) = entries_of(under(LimitKeys(b"x"), Limits(daily_cap=Decimal(10**10))), Periods("d", "m"))
    assert entry.limit == MOST_PICO


amounts = st.integers(0, MOST_PICO) | st.integers(0, 3) | st.sampled_from([10**9 - 1, 10**9, 10**18, 2**53, 2**53 + 1])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=500)
@given(amounts, amounts, amounts, amounts)
@example(2**53 + 1, 2**53, 1, 0)
@example(2**53, 2**53, 1, 0)
def test_sums_are_compared_to_the_last_digit(redis, limit: int, a: int, b: int, c: int):
    text = (FOLDER / "common.lua").read_text() + "return exceeds(ARGV[1], ARGV[2], ARGV[3], ARGV[4]) and 1 or 0"
    assert redis.eval(text, 0, limit, a, b, c) == (a + b + c > limit)
    sum_ = a + b + c
    if sum_ <= MOST_PICO:
        assert redis.eval(text, 0, sum_, a, b, c) == 0
        assert sum_ == 0 or redis.eval(text, 0, sum_ - 1, a, b, c) == 1
