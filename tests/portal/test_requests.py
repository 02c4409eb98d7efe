"""The customer's explorer: its own requests, at its own prices, under the names it bought."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from apps.pricing.models import ModelPrice
from apps.pricing.rate_cards import set_own_rates
from apps.usage.models import Request, Result
from apps.usage.queries.cursors import microseconds
from tests.cast import Cast, a_provider_key
from tests.pages import rows_of, text_of
from tests.used import a_request

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def gina(client: Client, cast: Cast) -> Client:
    client.force_login(cast.gina)
    return client


@pytest.fixture
def secretive(cast: Cast):
    """A request of Globex that was tried twice, behind an alias."""
    key = a_provider_key(cast.acme, name="operators-key")
    price = ModelPrice.objects.create(
        provider="azure",
        model="gpt-4o",
        rates={"input": "1", "output": "4"},
        effective_from=NOW - timedelta(days=9),
        source="operators-source",
    )
    return a_request(
        cast.globex,
        NOW,
        provider="azure",
        provider_key_id=key.pk,
        price_id=price.pk,
        model="gpt-4o",
        model_served="gpt-4o-2024",
        alias="house-model",
        input_tokens=7000,
        output_tokens=1000,
        markup_percent=Decimal("17.5"),
        cost=Decimal("0.011"),
        price=Decimal("0.012925"),
        result=Result.FAILED,
        status=500,
        error_code="server_error",
        error_message="gpt-4o-2024 is down, and gpt-4o too",
        provider_request_id="azure-77",
        attempts=[{"provider_key": str(key.pk), "status": 500, "error_code": "server_error", "took_ms": 10}],
    )


HIDDEN = ("azure", "gpt-4o", "operators", "0.011", "17.5", "0.0019", "argin", "arkup", "Cost", "ttempts")


def test_nothing_of_the_operators_shows(gina: Client, secretive):
    url = f"/portal/requests/{secretive.id}/?at={microseconds(secretive.started_at)}"
    for page in ("/portal/requests/", "/portal/requests/?result=failed&cost_above=0.001", url):
        said = gina.get(page).content.decode().replace('placeholder="gpt-4o*"', "")
        assert "house-model" in said
        assert [word for word in HIDDEN if word in said] == [], page


def test_the_story_is_told_at_the_customers_rates(gina: Client, secretive):
    answer = gina.get(f"/portal/requests/{secretive.id}/")
    assert rows_of(answer) == [
        "What Count USD Amount",
        "Input 7,000 1.175 a million $0.008225",
        "Output 1,000 4.7 a million $0.0047",
        "Total $0.012925",
    ]
    assert "house-model is down, and house-model too" in text_of(answer)


SOLD_BY = [  # a rule of the operator's, and what its customer is told
    pytest.param(
        {"mode": "absolute", "rates": {"input": "3", "output": "5"}},
        "0.026",
        ["Input 7,000 3 a million $0.021", "Output 1,000 5 a million $0.005"],
        id="own prices",
    ),
    pytest.param(
        {"mode": "cost_plus", "markup_percent": "100", "markups": {"output": "200"}, "per_request": "0.5"},
        "0.526",
        ["Input 7,000 2 a million $0.014", "Output 1,000 12 a million $0.012", "Fee for a call 1 0.5 each $0.5"],
        id="a markup for each kind",
    ),
]


@pytest.mark.parametrize(("rule", "price", "lines"), SOLD_BY)
def test_what_was_sold_by_a_rate_card_is_told_without_it(gina: Client, cast: Cast, secretive, rule, price, lines):
    version = set_own_rates(cast.globex, rules=[{"match": "*", **rule}], effective_from=NOW, by=None)
    Request.objects.filter(id=secretive.id).update(rate_rule_id=version.rules.get().pk, price=price)
    answer = gina.get(f"/portal/requests/{secretive.id}/")
    assert rows_of(answer) == ["What Count USD Amount", *lines, f"Total ${price}"]
    assert [word for word in (*HIDDEN, "rate card", "version") if word in answer.content.decode()] == []


def test_rows_have_the_price_alone(gina: Client, cast: Cast, secretive):
    a_request(cast.initech, NOW)
    assert rows_of(gina.get("/portal/requests/")) == [
        "Time Model User Status Tokens, in → out Latency Spend",
        "10 Mar 12:00:00 house-model ada Failed 500 7k → 1k 800 ms $0.0129",
    ]


@pytest.mark.parametrize("query", ["model=gpt-4o", "model=gpt-4o*", "error=gpt-4o", "cost_above=5", "cost_below=0"])
def test_no_filter_tells_what_is_hidden(gina: Client, secretive, query):
    """Neither by finding it nor by not finding it: costs are not asked for here."""
    found = len(rows_of(gina.get(f"/portal/requests/?{query}"))) - 1
    assert found == (1 if query.startswith("cost") else -1)


def test_a_customer_cannot_ask_for_another(gina: Client, cast: Cast):
    theirs = a_request(cast.initech, NOW)
    assert gina.get(f"/portal/requests/{theirs.id}/?at={microseconds(NOW)}").status_code == 404
    assert rows_of(gina.get(f"/portal/requests/?customer={cast.initech.pk}")) == []
    assert rows_of(gina.get(f"/portal/requests/?id={theirs.id}")) == []


def test_without_requests_it_says_how_to_begin(gina: Client):
    assert "Generate a key and make the first one." in text_of(gina.get("/portal/requests/"))
