"""Models sold under names of the operator's own, with the official SDKs: what is bought shows nowhere."""

import asyncio
import json
import time
from decimal import Decimal
from typing import Any

import pytest

from tests.rig.calls import chat, messages
from tests.rig.client import Ask, Seen, call
from tests.rig.desk import MODELS
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import wait_until
from tests.wire.scenarios import Clients, clients_of

HELLO = [{"role": "user", "content": "Hello."}]
NAMES = {"openai": "house-chat", "anthropic": "house-claude", "google": "house-gemini"}


@pytest.fixture(scope="module")
def tenant(installation: Installation) -> Tenant:
    made = installation.tenant()
    for provider, name in NAMES.items():
        installation.desk("sell", organization=made.organization, name=name, provider=provider, model=MODELS[provider])
    return made


@pytest.fixture(scope="module")
def to(port: int, tenant: Tenant) -> Clients:
    return clients_of(f"http://127.0.0.1:{port}", tenant.key, NAMES)


def test_openais_sdk(to: Clients):
    answer = to.openai.chat.completions.create(model="house-chat", messages=HELLO)
    assert answer.model == "house-chat"
    stream = to.openai.chat.completions.create(model="house-chat", messages=HELLO, stream=True)
    assert {chunk.model for chunk in stream} == {"house-chat"}
    made = to.openai.responses.create(model="house-chat", input="Hello.")
    assert made.model == "house-chat"
    assert to.openai.responses.retrieve(made.id).model == "house-chat"
    events = list(to.openai.responses.create(model="house-chat", input="Hello.", stream=True))
    named = [event.response.model for event in events if hasattr(event, "response")]
    assert named
    assert set(named) == {"house-chat"}


def test_anthropics_sdk(to: Clients):
    ask: dict[str, Any] = {"model": "house-claude", "max_tokens": 50, "messages": HELLO}
    assert to.anthropic.messages.create(**ask).model == "house-claude"
    with to.anthropic.messages.stream(**ask) as stream:
        assert stream.get_final_message().model == "house-claude"


def test_geminis_sdk(to: Clients):
    assert to.gemini.models.generate_content(model="house-gemini", contents="Hello.").model_version == "house-gemini"
    parts = to.gemini.models.generate_content_stream(model="house-gemini", contents="Hello.")
    assert {part.model_version for part in parts} == {"house-gemini"}


def seen_of(port: int, ask: Ask) -> Seen:
    return asyncio.run(call(port, ask))


CALLS = [(chat, "house-chat", "openai"), (messages, "house-claude", "anthropic")]


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(("wire", "name", "provider"), CALLS)
def test_the_record_has_both_names_and_the_real_price(
    installation: Installation, port: int, tenant: Tenant, wire, name, provider, is_streamed
):
    straight = seen_of(port, wire(tenant.key, nonce="nonce-the-same", is_streamed=is_streamed))
    seen = seen_of(port, wire(tenant.key, nonce="nonce-the-same", is_streamed=is_streamed, model=name))
    assert (straight.status, seen.status) == (200, 200)
    assert MODELS[provider].encode() not in seen.body
    assert name.encode() in seen.body
    assert installation.desk("roll_up") == []
    rows = installation.rows(
        "SELECT alias, model, provider, cost, price FROM usage_request WHERE proxy_key_id = %s "
        "AND id = ANY(%s::uuid[]) ORDER BY alias NULLS FIRST",
        tenant.key_id,
        [straight.headers["x-request-id"], seen.headers["x-request-id"]],
    )
    plain, aliased = rows
    assert (plain["alias"], aliased["alias"]) == (None, name)
    assert plain["cost"] > 0
    assert plain["price"] == plain["cost"] * Decimal("1.2")
    assert {**plain, "alias": name} == aliased


def test_a_provider_of_another_protocol_is_a_clear_400(port: int, tenant: Tenant):
    seen = seen_of(port, chat(tenant.key, model="house-claude"))
    assert seen.status == 400
    error = json.loads(seen.body)["error"]
    assert (error["code"], "Anthropic's protocol" in error["message"]) == ("model_of_other_protocol", True)
    assert seen_of(port, messages(tenant.key, model="house-chat")).status == 400


def test_a_change_is_heard_of_at_once(installation: Installation, port: int):
    other = installation.tenant()
    ask = chat(other.key, model="later", max_tokens=40, words="sandbox:tokens=30")

    def answered() -> tuple[str, int]:
        answer = json.loads(seen_of(port, ask).body)
        return answer["model"], answer["usage"]["completion_tokens"]

    assert answered() == ("later", 30)  # of a model that the sandbox calls so
    model = MODELS["openai"]
    forced = {"max_tokens": 3}
    installation.desk(
        "sell", organization=other.organization, name="later", provider="openai", model=model, forced_parameters=forced
    )
    wait_until(lambda: answered() == ("later", 3), "the proxy hears of it", within_s=5)


ALLOWED = [  # models that the customer may call, whether the alias may be called, whether the model itself
    (["house-*"], 200, 403),
    (["openai/sandbox-*"], 200, 200),
    (["gpt-*"], 403, 403),
]


@pytest.mark.parametrize(("globs", "by_alias", "by_name"), ALLOWED)
def test_a_list_of_models_may_name_the_one_or_the_other(
    installation: Installation, port: int, globs, by_alias, by_name
):
    other = installation.tenant(allowed_models=globs)
    installation.desk(
        "sell", organization=other.organization, name="house-chat", provider="openai", model=MODELS["openai"]
    )
    assert seen_of(port, chat(other.key, model="house-chat")).status == by_alias
    assert seen_of(port, chat(other.key)).status == by_name


def test_models_are_listed_by_the_names_they_are_sold_under(installation: Installation, port: int):
    tenant = installation.tenant(allowed_models=["house-*"])
    sold = [("house-b", "openai"), ("house-a", "openai"), ("house-c", "anthropic"), ("house-d", "google")]
    for name, provider in [*sold, ("house-e", "groq"), ("hidden", "openai")]:  # there is no key for groq
        model = MODELS.get(provider, "llama")
        installation.desk("sell", organization=tenant.organization, name=name, provider=provider, model=model)
    to = clients_of(f"http://127.0.0.1:{port}", tenant.key, {})
    began = time.monotonic()
    assert [model.id for model in to.openai.models.list()] == ["house-a", "house-b"]
    assert [model.id for model in to.anthropic.models.list()] == ["house-c"]
    assert [model.name for model in to.gemini.models.list()] == ["models/house-d"]
    assert installation.provider_calls(since=began) == []
    assert installation.desk("roll_up") == []
    rows = installation.rows(
        "SELECT endpoint, status, cost FROM usage_request WHERE organization_id = %s", tenant.organization
    )
    assert [tuple(row.values()) for row in rows] == [("models", 200, 0)] * 3
