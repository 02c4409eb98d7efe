"""Rate cards and price lists by API."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.pricing.models import ModelPrice
from apps.pricing.rate_cards import add_rate_card, set_own_rates, set_rates, use_rate_card
from tests.cast import Cast, a_link, an_api_token

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
PLUS = {"match": "*", "mode": "cost_plus", "markup_percent": "50"}
FIXED = {"match": "gpt-5*", "mode": "absolute", "rates": {"input": "3", "output": "9"}, "floor": "0.001"}


@pytest.fixture
def get(client, cast: Cast):
    """What an address answers, to the operator or to one of its customers."""
    tokens = {customer: an_api_token(cast.acme, customer)[1] for customer in (None, cast.globex)}

    def asked(path: str, customer=None):
        return client.get(f"/api/v1/{path}", headers={"authorization": f"Bearer {tokens[customer]}"})

    return asked


def test_operators_read_cards_with_their_versions(get, cast: Cast):
    card = add_rate_card(cast.acme, name="Retail", rules=[PLUS], effective_from=SINCE, by=None, note="first")
    set_rates(card, rules=[PLUS, FIXED], effective_from=SINCE + timedelta(days=1), by=None)
    own = set_own_rates(cast.globex, rules=[FIXED], effective_from=SINCE, by=None).card
    add_rate_card(cast.evil_corp, name="Theirs", rules=[PLUS], effective_from=SINCE, by=None)
    first, second = get("rate-cards").json()["data"]
    assert (first["id"], first["customer"], first["name"]) == (str(own.pk), str(cast.globex.pk), "")
    assert second == {
        "id": str(card.pk),
        "name": "Retail",
        "customer": None,
        "versions": [
            {"number": 1, "effective_from": "2026-03-01T00:00:00Z", "note": "first", "rules": [PLUS]},
            {"number": 2, "effective_from": "2026-03-02T00:00:00Z", "note": "", "rules": [FIXED, PLUS]},
        ],
    }
    assert get(f"rate-cards/{card.pk}").json() == second
    assert get("rate-cards", cast.globex).status_code == 403
    assert get(f"rate-cards/{card.pk}", cast.globex).status_code == 403


def test_a_customer_reads_what_it_pays(get, cast: Cast):
    a_link(cast.globex, "openai")
    for model in ("gpt-5", "gpt-5-mini", "o3"):
        rates, told = {"input": "2", "output": "8"}, {"equals": model}
        ModelPrice.objects.create(
            provider="openai", model=model, match=told, rates=rates, effective_from=SINCE, source="test"
        )
    card = add_rate_card(cast.acme, name="Retail", rules=[PLUS], effective_from=SINCE, by=None)
    use_rate_card(cast.acme, None, card, effective_from=SINCE, by=None)
    set_own_rates(cast.globex, rules=[FIXED, {"match": "gpt-5-mini", "mode": "free"}], effective_from=SINCE, by=None)
    path = f"customers/{cast.globex.pk}/prices"
    beside = {"units": {}, "per_request": "0", "floor": None, "ceiling": None, "is_known": True}
    expected = [
        {"model": "gpt-5", "tiers": [{"above": None, "tokens": {"input": "3", "output": "9"}}], **beside}
        | {"floor": "0.001"},
        {"model": "gpt-5-mini", "tiers": [], **beside},
        {"model": "o3", "tiers": [{"above": None, "tokens": {"input": "3", "output": "12"}}], **beside},
    ]
    for customer in (None, cast.globex):
        assert get(path, customer).json() == {"data": expected, "next": None}
    first = get(f"{path}?limit=2", cast.globex).json()
    assert first["data"] == expected[:2]
    assert get(f"{path}?limit=2&cursor={first['next']}").json() == {"data": expected[2:], "next": None}
    assert get(f"{path}?search=O3").json()["data"] == expected[2:]
    assert get(f"customers/{cast.initech.pk}/prices", cast.globex).status_code == 404
    assert get(f"customers/{cast.shady.pk}/prices").status_code == 404
