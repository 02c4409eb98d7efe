"""What days had, poured into days that begin at another hour."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.moving import poured

POURED = [  # what invoices have of a day, what two new days have of it, what each has of each
    pytest.param(["10"], ["4", "6"], [["4", "6"]], id="as-it-was-used"),
    pytest.param(["7"], ["4", "6"], [["4", "3"]], id="late-usage-is-in-the-last"),
    pytest.param(["12"], ["4", "6"], [["4", "8"]], id="too-much-is-in-the-last"),
    pytest.param(["3", "7"], ["4", "6"], [["3", "0"], ["1", "6"]], id="one-invoice-after-another"),
    pytest.param(["0"], ["4", "6"], [["0", "0"]], id="nothing"),
    pytest.param(["10"], ["10"], [["10"]], id="the-same-day"),
    pytest.param(["5"], ["0", "0"], [["0", "5"]], id="usage-that-is-worth-nothing-now"),
]


@pytest.mark.parametrize(("amounts", "parts", "shares"), POURED)
def test_what_was_noted_is_poured_in_order(amounts, parts, shares):
    found = poured([Decimal(each) for each in amounts], [Decimal(each) for each in parts])
    assert found == [[Decimal(each) for each in row] for row in shares]


amount = st.integers(0, 10**15)


@given(st.lists(amount, max_size=4), st.lists(amount, min_size=1, max_size=4))
def test_nothing_is_lost_and_no_part_but_the_last_runs_over(amounts, parts):
    found = poured(amounts, parts)
    assert [sum(row) for row in found] == amounts
    for part, *shares in zip(parts[:-1], *(row[:-1] for row in found), strict=True):
        assert 0 <= sum(shares) <= part
        assert all(share >= 0 for share in shares)
