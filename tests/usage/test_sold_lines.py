"""The lines of what a customer pays come to just what it is charged."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.pricing.rating import Tokens
from apps.pricing.selling import sell
from apps.usage.sold_lines import sold_lines
from tests.pricing.test_selling import PRICE, absolute, by, cost_plus, rules

USED = Tokens(input=100, output=10)  # $0.001 + 0.0002 + 0.00008
LINES = [  # rule, pieces, and (name, count, rate, amount) of each line
    pytest.param(
        cost_plus("20", markups={"output": "50"}, per_request="0.002"),
        (("web_search", 2),),
        [
            ("input", 100, "2.4", "0.00024"),
            ("output", 10, "12", "0.00012"),
            ("web_search", 2, "0.012", "0.024"),
            ("request", 1, "0.0012", "0.0012"),
            ("fee", 1, "0.002", "0.002"),
        ],
        id="a markup for each, and a fee",
    ),
    pytest.param(
        absolute(rates={"input": "5"}, units={"web_search": "0.03"}),
        (("web_search", 1),),
        [("input", 100, "5", "0.0005"), ("output", 10, "0", "0"), ("web_search", 1, "0.03", "0.03")],
        id="prices of its own",
    ),
    pytest.param(
        absolute(rates={"input": "5"}, floor="0.002"),
        (),
        [("input", 100, "5", "0.0005"), ("output", 10, "0", "0"), ("floor", 1, "0.0015", "0.0015")],
        id="a floor",
    ),
    pytest.param(
        absolute(per_request="1", ceiling="0.25"),
        (),
        [("input", 100, "0", "0"), ("output", 10, "0", "0"), ("fee", 1, "1", "1"), ("ceiling", 1, "-0.75", "-0.75")],
        id="a ceiling",
    ),
    pytest.param(by(mode="free"), (), [], id="free"),
]


@pytest.mark.parametrize(("sale", "units", "lines"), LINES)
def test_lines(sale, units, lines):
    found = sold_lines(sale, USED, PRICE, units)
    assert [(line.name, line.count, _plain(line.rate), _plain(line.amount)) for line in found] == lines


def test_no_lines_where_nobody_knows_the_cost():
    assert sold_lines(cost_plus("20"), USED, None) == []
    assert [line.name for line in sold_lines(absolute(rates={"input": "1"}), USED, None)] == ["input", "output"]


@given(rules, st.integers(0, 2000), st.integers(0, 2000), st.sampled_from(["", "flex", "priority"]))
def test_lines_come_to_the_price(rule, went_in, came_out, service_tier):
    """To half of the last place, to which the price is rounded."""
    sale, tokens = by(**rule), Tokens(input=went_in, output=came_out)
    sold = sell(sale, tokens, PRICE, (), service_tier)
    lines = sold_lines(sale, tokens, PRICE, (), service_tier)
    assert abs(sum((line.amount for line in lines), Decimal(0)) - sold.price) <= Decimal("5e-13")


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
