"""Rate cards through the proxy: what is charged, what is held, and how soon a change is everywhere."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import openai
import pytest

from tests.rig.desk import MODELS, RATES
from tests.rig.installation import Installation, Tenant
from tests.wire.conftest import Proxied

MODEL = MODELS["openai"]
ASKED: Any = [{"role": "user", "content": "Hello sandbox:tokens=40"}]
FIXED = {"match": "sandbox-openai", "mode": "absolute", "rates": {"input": "100", "output": "1000"}}


@pytest.fixture
def tenant(installation: Installation) -> Iterator[Tenant]:
    yield installation.tenant()


def set_rates(installation: Installation, tenant: Tenant, *rules: dict[str, Any]) -> None:
    installation.desk("set_rates", customer=tenant.customer, rules=list(rules))


def ask(proxied: Proxied, tenant: Tenant, model: str = MODEL, **fields: Any) -> Any:
    sdk = openai.OpenAI(base_url=f"{proxied.url}/v1", api_key=tenant.key, max_retries=0)
    return sdk.chat.completions.create(model=model, messages=ASKED, **fields)


def newest(installation: Installation, tenant: Tenant) -> dict[str, Any]:
    assert installation.desk("roll_up") == []
    return installation.rows(
        "SELECT request.*, rule.match FROM usage_request AS request "
        "LEFT JOIN pricing_raterule AS rule ON rule.id = rate_rule_id "
        "WHERE customer_id = %s ORDER BY started_at DESC LIMIT 1",
        tenant.customer,
    )[0]


def by_tokens(usage: Any, into: str, out: str) -> Decimal:
    return (usage.prompt_tokens * Decimal(into) + usage.completion_tokens * Decimal(out)) / 1_000_000


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_fixed_price_is_charged_whatever_the_call_costs(
    proxied: Proxied, installation: Installation, tenant: Tenant, is_streamed: bool
):
    set_rates(installation, tenant, FIXED | {"per_request": "0.5"})
    if is_streamed:
        answer = ask(proxied, tenant, stream=True, stream_options={"include_usage": True})
        usage = [chunk.usage for chunk in answer][-1]
    else:
        usage = ask(proxied, tenant).usage
    row = newest(installation, tenant)
    assert row["cost"] == by_tokens(usage, RATES["input"], RATES["output"])
    assert row["price"] == by_tokens(usage, "100", "1000") + Decimal("0.5")
    assert row["match"] == "sandbox-openai"


def test_a_change_holds_for_the_next_call_of_a_process_that_knows_the_key(
    proxied: Proxied, installation: Installation, tenant: Tenant
):
    usage = ask(proxied, tenant).usage
    row = newest(installation, tenant)
    assert (row["price"], row["match"]) == (row["cost"] * Decimal("1.2"), None)
    set_rates(installation, tenant, FIXED)
    time.sleep(0.5)
    ask(proxied, tenant)
    assert newest(installation, tenant)["price"] == by_tokens(usage, "100", "1000")
    set_rates(installation, tenant, {"match": "*", "mode": "free"})
    time.sleep(0.5)
    ask(proxied, tenant)
    row = newest(installation, tenant)
    assert (row["cost"], row["price"]) == (by_tokens(usage, RATES["input"], RATES["output"]), 0)


def test_a_default_card_holds_from_its_instant_on_without_being_told_again(
    proxied: Proxied, installation: Installation, tenant: Tenant
):
    soon = datetime.now(UTC) + timedelta(seconds=3)
    installation.desk(
        "set_default_card", organization=tenant.organization, rules=[FIXED], effective_from=soon.isoformat()
    )
    ask(proxied, tenant)
    before = newest(installation, tenant)
    time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()) + 0.1)
    ask(proxied, tenant)
    after = newest(installation, tenant)
    matches = [row["match"] for row in (before, after) if row["started_at"] >= soon]
    assert matches == ["sandbox-openai"]
    assert before["price"] == before["cost"] * Decimal("1.2")


def test_a_model_is_sold_under_its_own_name(proxied: Proxied, installation: Installation, tenant: Tenant):
    sold: dict[str, Any] = {"name": "house-model", "provider": "openai", "model": MODEL}
    installation.desk("sell", organization=tenant.organization, **sold)
    set_rates(installation, tenant, FIXED, {"match": "house-model", "mode": "absolute", "per_request": "0.25"})
    ask(proxied, tenant, "house-model")
    row = newest(installation, tenant)
    assert (row["price"], row["match"], row["alias"]) == (Decimal("0.25"), "house-model", "house-model")


def test_a_capped_customer_may_call_a_model_of_unknown_cost_that_has_a_price(
    proxied: Proxied, installation: Installation
):
    tenant = installation.tenant(total_cap="1")
    with pytest.raises(openai.APIStatusError) as refused:
        ask(proxied, tenant, "sandbox-unheard-of", max_tokens=100)
    assert refused.value.body["code"] == "model_not_priced"
    set_rates(installation, tenant, {"match": "*", "mode": "absolute", "per_request": "0.4"})
    time.sleep(0.5)
    for _ in range(2):
        ask(proxied, tenant, "sandbox-unheard-of", max_tokens=100)
    row = newest(installation, tenant)
    assert (row["cost"], row["price"], row["price_id"]) == (None, Decimal("0.4"), None)
    with pytest.raises(openai.APIStatusError) as refused:
        ask(proxied, tenant, "sandbox-unheard-of", max_tokens=100)
    assert (refused.value.status_code, refused.value.body["code"]) == (402, "spend_cap_reached")


def test_what_is_held_is_the_price_and_not_the_cost(proxied: Proxied, installation: Installation):
    """A thousand tokens at $1,000 a million are a dollar; their cost, with its markup, is not a cent."""
    tenant = installation.tenant(total_cap="1")
    ask(proxied, tenant, max_tokens=1000)
    set_rates(installation, tenant, FIXED)
    time.sleep(0.5)
    with pytest.raises(openai.APIStatusError) as refused:
        ask(proxied, tenant, max_tokens=1000)
    assert (refused.value.status_code, refused.value.body["code"]) == (402, "spend_cap_reached")
    ask(proxied, tenant, max_tokens=500)
    assert newest(installation, tenant)["match"] == "sandbox-openai"
