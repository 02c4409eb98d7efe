"""Providers that tell no usage, or tell it in ways of their own, through the proxy to the record."""

import json
from decimal import Decimal

import openai
import pytest
from google.genai import types

from tests.rig.desk import MODELS
from tests.rig.installation import Installation, Tenant
from tests.wire.conftest import Proxied
from tests.wire.recorded import newest
from tests.wire.scenarios import clients_of

RATES = {"input": "1.7", "output": "7.9"}
UNTOLD = [{"role": "user", "content": "Hello sandbox:no-usage sandbox:tokens=40"}]
REPORTED, ESTIMATED = 1, 2


@pytest.fixture(scope="module")
def tenant(installation: Installation) -> Tenant:
    tenant = installation.tenant()
    installation.desk(
        "add_provider",
        customer=tenant.customer,
        provider="my-vllm",
        base_url=f"http://127.0.0.1:{installation.sandbox_port}/v1",
    )
    installation.desk(
        "set_price", organization=tenant.organization, provider="my-vllm", model="llama", rates=RATES, units={}
    )
    return tenant


@pytest.mark.parametrize(("path", "model"), [("/p/my-vllm", "llama"), ("/v1", "my-vllm/llama")])
@pytest.mark.parametrize("is_streamed", [False, True])
def test_ones_own_models_that_tell_no_usage_are_estimated_and_never_free(
    proxied: Proxied, installation, tenant, path, model, is_streamed
):
    to = openai.OpenAI(base_url=proxied.url + path, api_key=tenant.key, max_retries=0)
    answer = to.chat.completions.create(model=model, messages=UNTOLD, stream=is_streamed)
    text = (
        "".join(chunk.choices[0].delta.content or "" for chunk in answer)
        if is_streamed
        else answer.choices[0].message.content
    )
    row = newest(installation, tenant)
    assert (row["provider"], row["usage_source"]) == ("my-vllm", ESTIMATED)
    assert row["output_tokens"] == -(-len(text.encode()) // 4)
    assert row["input_tokens"] > 10
    assert row["cost"] == (row["input_tokens"] * Decimal("1.7") + row["output_tokens"] * Decimal("7.9")) / 10**6


@pytest.mark.parametrize(
    ("ttl", "kind"), [(None, "cache_write_5m"), ("5m", "cache_write_5m"), ("1h", "cache_write_1h")]
)
def test_what_is_written_to_anthropics_cache_is_charged_by_how_long_it_lives(
    proxied: Proxied, installation, tenant, ttl, kind
):
    to = clients_of(proxied.url, tenant.key, MODELS).anthropic
    mark = {"type": "ephemeral"} | ({"ttl": ttl} if ttl else {})
    system = [{"type": "text", "text": "A long system prompt. " * 40, "cache_control": mark}]
    beta = {"anthropic-beta": "extended-cache-ttl-2025-04-11"}
    usage = to.messages.create(
        model=MODELS["anthropic"], max_tokens=50, messages=[{"role": "user", "content": "Hi."}], system=system,
        extra_headers=beta,
    ).usage  # fmt: skip
    row = newest(installation, tenant)
    written = {name: row[f"{name}_tokens"] for name in ("cache_write_5m", "cache_write_1h", "cache_write")}
    assert written == dict.fromkeys(written, 0) | {kind: usage.cache_creation_input_tokens}
    assert row["cache_read_tokens"] == usage.cache_read_input_tokens > 0


def test_gemini_with_cached_content_and_thoughts_as_events_and_as_an_array(proxied: Proxied, installation, tenant):
    to = clients_of(proxied.url, tenant.key, MODELS).gemini
    config = types.GenerateContentConfig(cached_content="cachedContents/abc")
    asked = "Hello sandbox:cached=500 sandbox:reasoning=33"
    usage = to.models.generate_content(model=MODELS["google"], contents=asked, config=config).usage_metadata
    expected = {"cache_read_tokens": 500, "reasoning_tokens": 33, "output_tokens": usage.candidates_token_count,
        "input_tokens": usage.prompt_token_count - 500, "usage_source": REPORTED}  # fmt: skip
    assert newest(installation, tenant).items() >= expected.items()
    list(to.models.generate_content_stream(model=MODELS["google"], contents=asked, config=config))
    assert newest(installation, tenant).items() >= expected.items()
    array = to._api_client.request(  # no SDK asks for it; curl does
        "post",
        f"models/{MODELS['google']}:streamGenerateContent",
        {"contents": [{"role": "user", "parts": [{"text": asked}]}], "cachedContent": "cachedContents/abc"},
        None,
    )
    assert len(json.loads(array.body)) > 1
    row = newest(installation, tenant)
    assert row.items() >= expected.items()
    assert row["is_streamed"] is True
