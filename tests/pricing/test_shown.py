"""A price list's figures, worked by hand."""

from decimal import Decimal

import pytest

from apps.pricing.rating import Price
from apps.pricing.shown import shown
from tests.pricing.test_selling import absolute, by, cost_plus

PRICE = Price.parse(
    1,
    {"input": "2", "cache_read": "0.5", "output": "8", "request": "0.01"},
    tiers=[{"above": 1000, "rates": {"input": "4"}}],
    units={"web_search": "0.01", "second": "0.1/3"},
)
SHOWN = [  # rule; tokens of each tier, pieces, a call, at least, at most
    pytest.param(
        None,
        [
            (None, {"input": "2.4", "cache_read": "0.6", "output": "9.6"}),
            (1000, {"input": "4.8", "cache_read": "0.6", "output": "9.6"}),
        ],
        {"web_search": "0.012", "second": "0.04"},
        ("0.012", None, None),
        id="the usual markup of 20",
    ),
    pytest.param(
        cost_plus("0", markups={"output": "50", "second": "100"}, per_request="1", floor="2", ceiling="3"),
        [
            (None, {"input": "2", "cache_read": "0.5", "output": "12"}),
            (1000, {"input": "4", "cache_read": "0.5", "output": "12"}),
        ],
        {"web_search": "0.01", "second": "0.066666666667"},
        ("1.01", "2", "3"),
        id="a markup for each, a fee, and ends",
    ),
    pytest.param(
        absolute(rates={"input": "5", "reasoning": "7"}, units={"web_search": "0.03"}),
        [(None, {"input": "5", "output": "0", "reasoning": "7"})],
        {"web_search": "0.03"},
        ("0", None, None),
        id="prices of its own",
    ),
]


@pytest.mark.parametrize(("sale", "tiers", "units", "rest"), SHOWN)
def test_what_a_model_is_shown_at(sale, tiers, units, rest):
    found = shown(PRICE, sale, Decimal(20))
    assert [(tier.above, _plain(tier.tokens)) for tier in found.tiers] == tiers
    assert _plain(found.units) == units
    ends = [found.per_request, found.floor, found.ceiling]
    assert tuple(None if each is None else f"{each.normalize():f}" for each in ends) == rest


def test_what_is_free_and_what_nobody_knows():
    assert shown(None, by(mode="free"), Decimal(20)).is_free
    assert shown(None, None, Decimal(20)) is None
    assert shown(None, cost_plus("20"), Decimal(20)) is None
    assert shown(None, absolute(per_request="1"), Decimal(20)).per_request == 1


def _plain(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {name: f"{amount.normalize():f}" for name, amount in amounts.items()}
