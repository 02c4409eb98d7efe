"""The lines of a price come to just what `rate` charges."""

from decimal import Decimal

import pytest

from apps.pricing.rating import Price, Tokens, rate
from apps.usage.breakdown import break_down, marked_up

MINI = Price.parse(1, {"input": "0.15", "cache_read": "0.075", "output": "0.6"}, units={"web_search": "0.01"})
LONG = Price.parse(
    2,
    {"input": "2", "output": "8", "request": "0.005"},
    [{"above": 1000, "rates": {"input": "4"}}],
    services={"flex": {"rates": {"input": "1"}, "tiers": [{"above": 1000, "rates": {"input": "3"}}]}},
)

BREAKDOWNS = [  # tokens, price, markup, units, tier; (name, count, rate, amount) of each line; from which tier on
    pytest.param(
        (Tokens(input=1200, cache_read=300, output=450), MINI, Decimal(20), (("web_search", 2),)),
        [
            ("input", 1200, "0.15", "0.00018"),
            ("cache_read", 300, "0.075", "0.0000225"),
            ("output", 450, "0.6", "0.00027"),
            ("web_search", 2, "0.01", "0.02"),
        ],
        None,
        id="tokens and pieces",
    ),
    pytest.param(
        (Tokens(input=10), LONG, Decimal(0)),
        [("input", 10, "2", "0.00002"), ("request", 1, "0.005", "0.005")],
        None,
        id="the call itself",
    ),
    pytest.param(
        (Tokens(input=1001, reasoning=1), LONG, Decimal(0)),
        [("input", 1001, "4", "0.004004"), ("reasoning", 1, "8", "0.000008"), ("request", 1, "0.005", "0.005")],
        1000,
        id="long context, and a kind with its parent's rate",
    ),
    pytest.param(
        (Tokens(input=1001), LONG, Decimal(0), (), "flex"),
        [("input", 1001, "3", "0.003003"), ("request", 1, "0.005", "0.005")],
        1000,
        id="a service tier of its own",
    ),
    pytest.param((Tokens(), MINI, Decimal(20)), [], None, id="nothing"),
]


@pytest.mark.parametrize(("rated", "lines", "tier"), BREAKDOWNS)
def test_lines(rated, lines, tier):
    found = break_down(*rated)
    assert [
        (line.name, line.count, f"{line.rate.normalize():f}", f"{line.amount.normalize():f}") for line in found.lines
    ] == lines
    assert found.tier_above == tier
    assert (found.cost, found.price) == rate(*rated)
    assert sum(line.amount for line in found.lines) == found.cost


def test_lines_at_the_customers_rates_come_to_the_price():
    found = break_down(Tokens(input=1, output=3), MINI, Decimal("33.3333"))
    lines = marked_up(found.lines, found.markup_percent)
    assert [line.rate for line in lines] == [Decimal("0.19999995"), Decimal("0.7999998")]
    assert sum(line.amount for line in lines) == Decimal("0.00000259999935")
    assert found.price == Decimal("0.000002599999")


def test_a_price_without_a_last_digit_is_shown_with_some():
    price = Price.parse(3, {}, units={"second": "0.1/3"})
    found = break_down(Tokens(), price, Decimal(0), (("second", 2),))
    assert [str(line.amount) for line in found.lines] == ["0.066666666666666667"]
    assert found.cost == Decimal("0.066666666667")
