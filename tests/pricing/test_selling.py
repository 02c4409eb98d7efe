"""What a customer pays by a rule, worked by hand, to the last digit; and that no hold is less."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.pricing.rating import AUTO, KINDS, Price, Tokens, rate
from apps.pricing.rules import clean_rules
from apps.pricing.selling import Sale, sell

PRICE = Price.parse(
    1,
    {"input": "2", "cache_read": "0.5", "output": "8", "request": "0.001"},
    tiers=[{"above": 1000, "rates": {"input": "4"}}],
    units={"web_search": "0.01", "second": "0.111/3600"},
    services={"flex": {"rates": {"input": "1"}}, "priority": {"rates": {"output": "16"}}},
)


def by(**rule) -> Sale:
    """A rule for all models."""
    (cleaned,) = clean_rules([{"match": "*", **rule}])
    return cleaned.sale(7)


def cost_plus(percent: str, **more) -> Sale:
    return by(mode="cost_plus", markup_percent=percent, **more)


def absolute(**more) -> Sale:
    return by(mode="absolute", **more)


USED = Tokens(input=100, cache_read=20, output=10, reasoning=5)  # $0.001 + 0.0002 + 0.00001 + 0.00012 = 0.00133
SEARCHES = (("web_search", 2),)
SOLD = [  # rule, tokens, pieces, service tier, price in USD
    pytest.param(cost_plus("0"), USED, (), "", "0.00133", id="at cost"),
    pytest.param(cost_plus("20"), USED, (), "", "0.001596", id="a fifth on top"),
    pytest.param(cost_plus("-10"), USED, (), "", "0.001197", id="below cost"),
    pytest.param(cost_plus("20", per_request="0.002"), USED, (), "", "0.003596", id="and a fee, without markup on it"),
    pytest.param(
        cost_plus("0", markups={"output": "100"}), USED, (), "", "0.00145", id="output twice, thought with it"
    ),
    pytest.param(
        cost_plus("0", markups={"output": "100", "reasoning": "0"}), USED, (), "", "0.00141", id="but not thought"
    ),
    pytest.param(cost_plus("20", markups={"request": "0"}), USED, (), "", "0.001396", id="the call's fee at cost"),
    pytest.param(cost_plus("20"), USED, SEARCHES, "", "0.025596", id="pieces with the same markup"),
    pytest.param(cost_plus("20", markups={"web_search": "50"}), USED, SEARCHES, "", "0.031596", id="or their own"),
    pytest.param(cost_plus("10", markups={"input": "10"}), USED, (), "flex", "0.001353", id="the service tier's rates"),
    pytest.param(
        cost_plus("0", markups={"input": "50"}), Tokens(input=1001), (), "", "0.007006", id="the long context's"
    ),
    pytest.param(
        cost_plus("33.3333", markups={"output": "0"}), Tokens(input=1), (), "", "0.001335999666", id="rounded once"
    ),
    pytest.param(
        cost_plus("0", markups={"second": "50"}), Tokens(), (("second", 1),), "", "0.00104625", id="parts of a pico"
    ),
    pytest.param(absolute(rates={"input": "5", "output": "20"}), USED, (), "", "0.0009", id="own prices, by parent"),
    pytest.param(
        absolute(rates={"input": "5", "cache_read": "0", "output": "20"}), USED, (), "", "0.0008", id="a free kind"
    ),
    pytest.param(absolute(per_request="0.05"), USED, SEARCHES, "priority", "0.05", id="so much a call, whatever it is"),
    pytest.param(absolute(units={"web_search": "0.03"}), USED, SEARCHES, "", "0.06", id="by the piece"),
    pytest.param(
        absolute(rates={"input": "5"}), Tokens(input=2000), (), "flex", "0.01", id="at any length, in any service tier"
    ),
    pytest.param(absolute(units={"second": "0.36/3600"}), Tokens(), (("second", 7),), "", "0.0007", id="by the hour"),
    pytest.param(cost_plus("20", floor="0.01"), USED, (), "", "0.01", id="at least"),
    pytest.param(cost_plus("20", floor="0.001"), USED, (), "", "0.001596", id="which it is anyway"),
    pytest.param(cost_plus("20", ceiling="0.001"), USED, (), "", "0.001", id="at most"),
    pytest.param(
        cost_plus("20", per_request="0.002", ceiling="0.0035"), USED, (), "", "0.0035", id="the fee is in the ceiling"
    ),
    pytest.param(cost_plus("20", per_request="0.002", floor="0.0036"), USED, (), "", "0.0036", id="and in the floor"),
    pytest.param(absolute(rates={"input": "5"}, floor="1", ceiling="1"), USED, (), "", "1", id="both the same"),
    pytest.param(by(mode="free"), USED, SEARCHES, "", "0", id="free"),
]


@pytest.mark.parametrize(("sale", "tokens", "units", "service_tier", "price"), SOLD)
def test_what_a_call_is_sold_at(sale, tokens, units, service_tier, price):
    sold = sell(sale, tokens, PRICE, units, service_tier)
    assert sold == (rate(tokens, PRICE, Decimal(0), units, service_tier).cost, Decimal(price))


def test_a_model_of_unknown_cost_has_a_price_of_its_own():
    assert sell(absolute(rates={"input": "5"}), USED, None) == (None, Decimal("0.0006"))
    assert sell(by(mode="free"), USED, None) == (None, 0)
    assert sell(cost_plus("20", per_request="1"), USED, None) is None


def test_the_plain_markup_is_what_it_always_was():
    units = (("second", 1),)
    assert sell(cost_plus("12.5"), USED, PRICE, units) == rate(USED, PRICE, Decimal("12.5"), units)


percents = st.sampled_from(["-100", "-33.3333", "0", "20", "150.5"])
amounts = st.sampled_from(["0.000001", "0.004", "0.5", "30"])
rates = st.dictionaries(st.sampled_from(KINDS), amounts, min_size=1, max_size=4)
rules = st.one_of(
    st.fixed_dictionaries(
        {"mode": st.just("cost_plus"), "markup_percent": percents},
        optional={
            "markups": st.dictionaries(st.sampled_from([*KINDS, "request", "web_search"]), percents, max_size=3),
            "per_request": amounts,
            "floor": st.sampled_from(["0.000001", "0.004"]),
            "ceiling": st.sampled_from(["0.01", "30"]),
        },
    ),
    st.fixed_dictionaries(
        {"mode": st.just("absolute"), "rates": rates},
        optional={"units": st.just({"web_search": "0.02"}), "per_request": amounts, "ceiling": amounts},
    ),
    st.just({"mode": "free"}),
)
counts = st.integers(0, 3000)


@given(
    rules,
    st.lists(counts, min_size=len(KINDS), max_size=len(KINDS)),
    st.integers(0, 5),
    st.sampled_from(["", "flex", "priority"]),
    st.integers(0, 100),
)
def test_no_call_costs_more_than_its_bound(rule, kinds, searches, service_tier, room):
    """However its tokens are spread over kinds, and whatever tier it is given of those that it may be."""
    sale, tokens, units = by(**rule), Tokens(*kinds), (("web_search", searches),)
    bound = sale.bound(PRICE, tokens.all_input + room, tokens.all_output + room, units, AUTO)
    sold = sell(sale, tokens, PRICE, units, service_tier)
    assert sold is not None
    assert sold.price <= Decimal(bound).scaleb(-12)


@given(rules, counts, counts)
def test_more_tokens_cost_no_less(rule, count, more):
    sale = by(**rule)
    prices = [sell(sale, Tokens(output=each), PRICE).price for each in (count, count + more)]
    assert prices[0] <= prices[1]
