"""What is charged beside tokens, from OpenAI's SDK through the proxy to the record; and under a cap."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import openai
import pytest

from tests.rig.desk import MODELS
from tests.rig.installation import Installation, Tenant
from tests.wire.conftest import Proxied
from tests.wire.recorded import newest

MODEL = MODELS["openai"]
ASKED = "Hello sandbox:searches=2 sandbox:tokens=40"
SEARCH: Any = {"type": "web_search"}
CHARGES = {
    "units": {"web_search": "0.01"},
    "services": {"flex": {"rates": {"input": "0.7", "cache_read": "0.05", "output": "3.1"}}},
}
RATES = {"default": ("1.7", "7.9"), "flex": ("0.7", "3.1")}  # in and out, USD a million


@pytest.fixture(scope="module")
def tenant(installation: Installation) -> Iterator[Tenant]:
    yield charged_by_the_piece(installation)


def charged_by_the_piece(installation: Installation, **limits: Any) -> Tenant:
    tenant = installation.tenant(**limits)
    installation.desk("set_charges", organization=tenant.organization, provider="openai", **CHARGES)
    return tenant


def sdk(proxied: Proxied, tenant: Tenant) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{proxied.url}/v1", api_key=tenant.key, max_retries=0)


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("tier", ["default", "flex"])
def test_searches_and_the_service_tier_are_on_the_record_and_in_the_cost(
    proxied: Proxied, installation: Installation, tenant: Tenant, tier: Any, is_streamed: bool
):
    responses = sdk(proxied, tenant).responses
    asked: dict[str, Any] = {"model": MODEL, "input": ASKED, "tools": [SEARCH], "service_tier": tier}
    if is_streamed:
        with responses.stream(**asked) as stream:
            answer = stream.get_final_response()
    else:
        answer = responses.create(**asked)
    assert [item.type for item in answer.output] == ["web_search_call"] * 3 + ["message"]
    row = newest(installation, tenant)
    assert (row["units"], row["service_tier"]) == ({"web_search": 2}, tier)
    went_in, came_out = (Decimal(rate) for rate in RATES[tier])
    by_tokens = (answer.usage.input_tokens * went_in + answer.usage.output_tokens * came_out) / 1_000_000
    assert row["cost"] == by_tokens + Decimal("0.02")
    assert row["price"] == row["cost"] * Decimal("1.2")


def test_a_capped_customer_cannot_pass_its_cap_by_tools(proxied: Proxied, installation: Installation):
    """What is found is held as 128,000 tokens, $0.48 with the markup; twenty searches don't fit beside it, two do."""
    tenant = charged_by_the_piece(installation, total_cap="0.6")
    responses = sdk(proxied, tenant).responses
    asked: dict[str, Any] = {"model": MODEL, "input": ASKED, "tools": [SEARCH], "max_output_tokens": 100}
    with pytest.raises(openai.APIStatusError) as refused:
        responses.create(**asked)
    assert (refused.value.status_code, refused.value.body["code"]) == (402, "spend_cap_reached")
    assert responses.create(**asked, max_tool_calls=2).status == "completed"
    assert newest(installation, tenant)["units"] == {"web_search": 2}
