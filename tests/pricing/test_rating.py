"""From tokens to money: worked examples, and what must hold for any."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.pricing.rating import AUTO, KINDS, PARENTS, Price, Tokens, ceiling, dollars, rate, rates_of

MINI = {"input": "0.15", "cache_read": "0.075", "output": "0.60"}  # USD a million: gpt-4o-mini
SONNET = {"input": "3", "cache_read": "0.30", "cache_write_5m": "3.75", "cache_write_1h": "6", "output": "15"}
PRO = {"input": "1.25", "cache_read": "0.125", "output": "10"}
PRO_ABOVE_200K = [{"above": 200_000, "rates": {"input": "2.5", "cache_read": "0.25", "output": "15"}}]

COSTS = [  # rates, tiers, tokens, USD
    pytest.param(MINI, [], Tokens(), "0", id="nothing used"),
    pytest.param(MINI, [], Tokens(input=1000, output=500), "0.00045", id="in and out"),
    pytest.param(MINI, [], Tokens(input=1), "0.00000015", id="one token"),
    pytest.param(MINI, [], Tokens(input=200, cache_read=800, output=500), "0.00039", id="from the cache"),
    pytest.param(MINI, [], Tokens(output=300, reasoning=200), "0.0003", id="reasoning is output"),
    pytest.param(MINI, [], Tokens(input_audio=10, input_image=20), "0.0000045", id="sound and images are input"),
    pytest.param(SONNET, [], Tokens(input=10, cache_write_5m=1000, output=1), "0.003795", id="written for 5 minutes"),
    pytest.param(SONNET, [], Tokens(cache_write_1h=1000), "0.006", id="written for an hour"),
    pytest.param(SONNET, [], Tokens(cache_write=1000), "0.00375", id="written, nobody says for how long"),
    pytest.param({"input": "1"}, [], Tokens(cache_read=1_000_000), "1", id="no price for the cache: as input"),
    pytest.param({"input": "1", "cache_read": "0"}, [], Tokens(cache_read=5), "0", id="an explicit 0 is free"),
    pytest.param({"input": "0.02"}, [], Tokens(input=8, output=3), "0.00000016", id="embeddings have no output"),
    pytest.param({"request": "0.005", "input": "1"}, [], Tokens(input=1000), "0.006", id="a call costs, too"),
    pytest.param(PRO, PRO_ABOVE_200K, Tokens(input=200_000, output=10), "0.2501", id="up to the border"),
    pytest.param(PRO, PRO_ABOVE_200K, Tokens(input=200_001, output=10), "0.5001525", id="above it, all of it"),
    pytest.param(PRO, PRO_ABOVE_200K, Tokens(input=1, cache_read=200_000), "0.0500025", id="cached input counts"),
    pytest.param({"input": "0.000001"}, [], Tokens(input=1), "0.000000000001", id="the smallest price there is"),
]


@pytest.mark.parametrize(("rates", "tiers", "tokens", "cost"), COSTS)
def test_a_call_costs_its_tokens_times_their_rates(rates, tiers, tokens, cost):
    rated = rate(tokens, Price.parse(1, rates, tiers), Decimal(0))
    assert rated == (Decimal(cost), Decimal(cost))


FLEX = Price.parse(
    1,
    {"input": "2", "output": "8"},
    [{"above": 1000, "rates": {"input": "4"}}],
    units={"web_search": "0.01"},
    services={
        "flex": {"rates": {"input": "1"}},
        "priority": {"rates": {"input": "3"}, "units": {"web_search": "0.02"}},
    },
)
EXTRAS = [  # tokens, units, service tier, USD
    pytest.param(Tokens(input=10), (("web_search", 3),), "", "0.03002", id="tool calls on top"),
    pytest.param(Tokens(), (("web_search", 1), ("unheard_of", 9)), "", "0.01", id="what has no price is free"),
    pytest.param(Tokens(input=10, output=1), (), "flex", "0.000018", id="a tier's own rate, the others as usual"),
    pytest.param(Tokens(input=2000), (), "flex", "0.002", id="a tier has long-context prices only of its own"),
    pytest.param(Tokens(input=10), (("web_search", 1),), "priority", "0.02003", id="a tier's own unit price"),
    pytest.param(Tokens(input=10), (), "default", "0.00002", id="a tier without a price costs as usual"),
]


@pytest.mark.parametrize(("tokens", "units", "service_tier", "cost"), EXTRAS)
def test_what_is_charged_beside_tokens_and_by_service_tier(tokens, units, service_tier, cost):
    assert rate(tokens, FLEX, Decimal(0), units, service_tier).cost == Decimal(cost)


def test_a_piece_may_cost_parts_of_the_smallest_amount():
    """Groq's Whisper costs $0.111 an hour: a second is a third of a pico more than 0.000030833333."""
    hourly = Price.parse(1, {}, units={"second": "0.111/3600"})
    costs = [rate(Tokens(), hourly, Decimal(0), (("second", seconds),)).cost for seconds in (1, 2, 3, 3600)]
    assert costs == [Decimal(each) for each in ("0.000030833333", "0.000061666667", "0.0000925", "0.111")]


BY_THE_HOUR = Price.parse(
    1,
    {"input": "1"},
    hours=[{"days": "12345", "from": "01:00", "until": "04:00", "rates": {"input": "2"}}],
)
HOURS = [  # instant, USD for a million tokens of input
    pytest.param("2026-11-20T00:59:59.999+00:00", "1", id="a Friday, before"),
    pytest.param("2026-11-20T01:00+00:00", "2", id="a Friday, from the first second"),
    pytest.param("2026-11-20T03:59:59.999+00:00", "2", id="to the last"),
    pytest.param("2026-11-20T04:00+00:00", "1", id="not after"),
    pytest.param("2026-11-21T02:00+00:00", "1", id="a Saturday"),
    pytest.param("2026-11-22T02:00+00:00", "1", id="a Sunday"),
    pytest.param("2026-11-23T02:00+00:00", "2", id="a Monday"),
    pytest.param("2026-11-23T02:00+02:00", "1", id="its hours are UTC's"),
]


@pytest.mark.parametrize(("instant", "cost"), HOURS)
def test_a_price_can_go_by_the_hour(instant, cost):
    price = BY_THE_HOUR.at(datetime.fromisoformat(instant).timestamp())
    assert rate(Tokens(input=1_000_000), price, Decimal(0)).cost == Decimal(cost)


CEILINGS = [  # the most that 100 tokens in and 10 out can cost at FLEX, in pico: units, service tier asked for
    pytest.param((), "", 100 * 2_000_000 + 10 * 8_000_000, id="as usual"),
    pytest.param((), "flex", 100 * 2_000_000 + 10 * 8_000_000, id="a cheaper one may not be given"),
    pytest.param((), "priority", 100 * 3_000_000 + 10 * 8_000_000, id="a dearer one may"),
    pytest.param((), AUTO, 100 * 3_000_000 + 10 * 8_000_000, id="any may"),
    pytest.param((), "unheard-of", 100 * 2_000_000 + 10 * 8_000_000, id="one that has no price"),
    pytest.param((("web_search", 3),), "", 280_000_000 + 3 * 10_000_000_000, id="with the tools' fees"),
    pytest.param((("web_search", 3),), "priority", 380_000_000 + 3 * 20_000_000_000, id="those of the dearer one"),
]


@pytest.mark.parametrize(("units", "service_tier", "most"), CEILINGS)
def test_the_ceiling_covers_tools_and_the_service_tier_asked_for(units, service_tier, most):
    assert ceiling(FLEX, 100, 10, Decimal(0), units, service_tier) == most


PRICES = [  # cost of the call in pico, markup in percent, price in pico
    pytest.param(1_000, "0", 1_000, id="at cost"),
    pytest.param(1_000, "20", 1_200, id="a fifth on top"),
    pytest.param(1_000, "12.5", 1_125, id="parts of a percent"),
    pytest.param(1_000, "-100", 0, id="given away"),
    pytest.param(1_000, "-10", 900, id="below cost"),
    pytest.param(1, "50", 2, id="half is rounded up"),
    pytest.param(1, "49.9999", 1, id="less than half down"),
    pytest.param(3, "33.3333", 4, id="once, at the end"),
    pytest.param(0, "20", 0, id="nothing"),
    pytest.param(10**30, "20", 12 * 10**29, id="any size"),
]


@pytest.mark.parametrize(("cost", "markup", "price"), PRICES)
def test_the_price_is_the_cost_with_the_markup(cost, markup, price):
    a_token_a_pico = Price.parse(1, {"input": "0.000001"})
    rated = rate(Tokens(input=cost), a_token_a_pico, Decimal(markup))
    assert rated == (dollars(cost), dollars(price))


@given(
    counts=st.lists(st.integers(0, 10**9), min_size=len(KINDS), max_size=len(KINDS)),
    rates=st.dictionaries(st.sampled_from(KINDS), st.decimals(0, 1000, places=6), min_size=1),
    markup=st.decimals(-100, 1000, places=4),
)
def test_any_call_is_priced_as_by_hand(counts, rates, markup):
    tokens = Tokens(*counts)
    by_hand = Context(prec=100, rounding=ROUND_HALF_UP)
    cost = Decimal(0)
    for kind, count in zip(KINDS, counts, strict=True):
        name = next((name for name in (kind, *PARENTS[kind]) if name in rates), None)
        cost = by_hand.add(cost, by_hand.multiply(count, rates[name] / 1_000_000 if name else 0))
    price = by_hand.quantize(by_hand.multiply(cost, by_hand.divide(100 + markup, 100)), Decimal("1e-12"))
    found = Price.parse(1, {kind: str(each) for kind, each in rates.items()})
    assert rate(tokens, found, markup) == (cost, price)
    most = ceiling(found, tokens.all_input, tokens.all_output, markup)
    assert most >= price * 10**12


def test_the_ceiling_takes_the_dearest_kind_of_the_dearest_tier_in_reach():
    price = Price.parse(1, {**SONNET, "request": "0.01"}, [{"above": 100, "rates": {"input": "1", "output": "30"}}])
    assert ceiling(price, 100, 10, Decimal(0)) == 10_000_000_000 + 100 * 6_000_000 + 10 * 15_000_000
    assert ceiling(price, 101, 10, Decimal(0)) == 10_000_000_000 + 101 * 6_000_000 + 10 * 30_000_000
    assert ceiling(price, 101, 10, Decimal(10)) == (10_000_000_000 + 101 * 6_000_000 + 10 * 30_000_000) * 11 // 10


IMAGES = {"image:standard:1024x1024": "0.04", "image:hd:1024x1792": "0.12", "second": "0.0001"}
UNITS = [  # units, pico of the call
    ((("image:standard:1024x1024", 2),), 80_000_000_000),
    ((("image:hd:9x9", 1),), 120_000_000_000),  # not in the book: the dearest image that is
    ((("second", 3), ("character", 99)), 300_000_000),  # nothing is charged by the character
]


@pytest.mark.parametrize(("units", "pico"), UNITS)
def test_what_is_charged_by_the_piece_is_in_the_ceiling(units, pico):
    price = Price.parse(1, {}, units=IMAGES)
    assert ceiling(price, 1000, 1000, Decimal(0), units) == pico
    assert rate(Tokens(), price, Decimal(0), units).cost == dollars(pico)


@pytest.mark.parametrize("kind", ["input", "request"])
@pytest.mark.parametrize("said", ["-1", "NaN", "Infinity", "1e999999", "0.0000000000001", "much"])
def test_what_is_no_price_is_refused(said, kind):
    with pytest.raises(ValueError, match="not a price"):
        rates_of({kind: said})


@pytest.mark.parametrize("said", ["1/0", "1/-1", "1/x", "/2", "-1/2", "1/2/3"])
def test_what_is_no_price_of_a_piece_is_refused(said):
    with pytest.raises(ValueError, match="not a price"):
        Price.parse(1, {}, units={"second": said})


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="no such kind of token: inputs"):
        rates_of({"inputs": "1"})
