"""A customer's price list: what it pays for what it may call, and nothing of how that comes about."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from apps.customers.services import update_customer
from apps.pricing.models import ModelPrice
from apps.pricing.rate_cards import set_own_rates
from tests.cast import Cast, a_link, a_model_alias
from tests.pages import rows_of, text_of

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HEAD = "Model Input Cached input Output Beside that"


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def gina(client: Client, cast: Cast) -> Client:
    client.force_login(cast.gina)
    update_customer(cast.globex, by=None, markup_percent=Decimal(50))
    a_link(cast.globex, "openai")
    return client


def a_price(model: str, organization=None, *, provider: str = "openai", at: datetime = NOW, **fields) -> ModelPrice:
    told = {"rates": {"input": "2", "cache_read": "0.5", "output": "8"}, "source": "operators-source"} | fields
    clause = {"or": [{"equals": model}, {"starts_with": f"{model}-2"}]}
    return ModelPrice.objects.create(
        organization=organization, provider=provider, model=model, match=clause, effective_from=at, **told
    )


def own_rates(cast: Cast, *rules) -> None:
    set_own_rates(cast.globex, rules=rules, effective_from=NOW, by=None)


def test_prices_are_what_the_customer_pays(gina: Client, cast: Cast):
    a_price("gpt-5", tiers=[{"above": 200000, "rates": {"input": "4"}}], units={"web_search": "0.01"})
    a_price("gpt-5", rates={"input": "99"}, at=NOW - timedelta(days=9))
    a_price("gpt-5", rates={"input": "98"}, at=NOW + timedelta(days=9))
    a_price("o4", cast.acme, rates={"input": "1", "output": "4", "reasoning": "6"})
    a_price("o4", rates={"input": "97"})
    a_price("o4", cast.evil_corp, rates={"input": "96"})
    a_price("claude-5", provider="anthropic")
    assert rows_of(gina.get("/portal/prices/")) == [
        HEAD,
        "gpt-5 OpenAI $3 $0.75 $12 web search $0.015",
        "more than 200,000 tokens of input $6 $0.75 $12",
        "o4 OpenAI $1.5 $1.5 $6 Reasoning $9",
    ]


def test_rules_make_prices_and_name_models_that_the_book_does_not_know(gina: Client, cast: Cast):
    for model in ("gpt-5", "gpt-5-mini", "o4", "o3"):
        a_price(model)
    own_rates(
        cast,
        {"match": "gpt-5", "mode": "absolute", "rates": {"input": "3", "output": "9"}, "floor": "0.001"},
        {"match": "gpt-5-mini", "mode": "free"},
        {"match": "o4", "mode": "cost_plus", "markup_percent": "100", "per_request": "0.01", "ceiling": "1"},
        {"match": "openai/house-llama", "mode": "absolute", "per_request": "0.2"},
        {"match": "anthropic/house-claude", "mode": "free"},
    )
    assert rows_of(gina.get("/portal/prices/")) == [
        HEAD,
        "gpt-5 OpenAI $3 $3 $9 a call at least $0.001",
        "gpt-5-mini OpenAI free",
        "house-llama OpenAI $0 $0 $0 $0.2 a call",
        "o3 OpenAI $3 $0.75 $12",
        "o4 OpenAI $4 $1 $16 $0.01 a call a call at most $1",
    ]


def test_names_of_the_operators_are_all_that_is_told(gina: Client, cast: Cast):
    a_price("gpt-5")
    for name, model in [("smart", "gpt-5"), ("fast", "gpt-5"), ("new", "unheard-of")]:
        a_model_alias(cast.acme, name, provider="openai", model=model)
    a_model_alias(cast.acme, "elsewhere", provider="anthropic", model="claude-5")
    own_rates(cast, {"match": "smart", "mode": "absolute", "rates": {"input": "7", "output": "7"}})
    answer = gina.get("/portal/prices/")
    assert rows_of(answer) == [HEAD, "fast $3 $0.75 $12", "new not known yet", "smart $7 $7 $7"]
    said = answer.content.decode()
    assert [word for word in ("gpt-5", "penai", "OpenAI", "operators", "arkup", "Cost", "50") if word in said] == []


def test_only_what_may_be_called_and_has_that_in_its_name(gina: Client, cast: Cast):
    for model in ("gpt-5", "gpt-5-mini", "o4"):
        a_price(model)
    update_customer(cast.globex, by=None, allowed_models=["gpt-5*"])
    assert len(rows_of(gina.get("/portal/prices/"))) == 3
    assert rows_of(gina.get("/portal/prices/?q=MINI")) == [HEAD, "gpt-5-mini OpenAI $3 $0.75 $12"]
    assert "No model has that in its name" in text_of(gina.get("/portal/prices/?q=o4"))


def test_a_customer_that_nothing_is_set_up_for_has_no_list(client: Client, cast: Cast):
    a_price("gpt-5")
    client.force_login(cast.ira)
    assert "No prices yet" in text_of(client.get("/portal/prices/"))


def test_a_long_list_has_pages_and_few_queries(gina: Client, cast: Cast, django_assert_max_num_queries):
    for number in range(60):
        a_price(f"gpt-{number:02}")
    own_rates(cast, {"match": "*", "mode": "cost_plus", "markup_percent": "1"})
    gina.get("/portal/prices/")
    with django_assert_max_num_queries(18):
        first = gina.get("/portal/prices/")
    assert (len(rows_of(first)), len(rows_of(gina.get("/portal/prices/?page=2")))) == (51, 11)


def test_azure_sells_by_the_list_of_whom_it_resells(client: Client, cast: Cast):
    client.force_login(cast.ira)
    a_link(cast.initech, "azure", base_url="https://initech.openai.azure.com")
    a_price("gpt-5")
    a_price("gpt-5", provider="azure", rates={"input": "3", "output": "9"})
    a_price("o4", cast.acme, rates={"input": "50"})
    a_price("o4")
    assert rows_of(client.get("/portal/prices/")) == [
        HEAD,
        "gpt-5 Azure OpenAI $3 $3 $9",
        "o4 Azure OpenAI $2 $0.5 $8",
    ]
