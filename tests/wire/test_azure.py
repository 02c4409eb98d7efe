"""Azure's official client, and OpenAI's at its v1 form, through the proxy to a resource of the operator's."""

from decimal import Decimal

import openai
import pytest

from tests.rig.installation import Installation, Tenant
from tests.wire.conftest import Proxied
from tests.wire.recorded import newest
from tests.wire.scenarios import plain

VERSION = "2024-10-21"
HELLO = [{"role": "user", "content": "Hello."}]
CHAT = {"model": "prod-4o", "messages": HELLO}


@pytest.fixture(scope="module")
def tenant(installation: Installation) -> Tenant:
    tenant = installation.tenant()
    installation.desk(
        "add_provider",
        customer=tenant.customer,
        provider="azure",
        base_url=f"http://127.0.0.1:{installation.sandbox_port}",
        deployments={"prod-4o": "gpt-4o", "ears": "whisper-1"},
    )
    # OpenAI's list prices: Azure has none of its own in the book for these
    for model, rates, units in (
        ("gpt-4o", {"input": "2.5", "output": "10"}, {}),
        ("whisper-1", {}, {"second": "0.0001"}),
    ):
        installation.desk("set_price", organization=None, model=model, rates=rates, units=units)
    return tenant


@pytest.fixture(scope="module")
def to(proxied: Proxied, tenant: Tenant) -> openai.AzureOpenAI:
    return openai.AzureOpenAI(azure_endpoint=proxied.url, api_key=tenant.key, api_version=VERSION, max_retries=0)


@pytest.fixture(scope="module")
def straight(installation: Installation) -> openai.AzureOpenAI:
    url = f"http://127.0.0.1:{installation.sandbox_port}"
    return openai.AzureOpenAI(azure_endpoint=url, api_key="sk-sandbox-1", api_version=VERSION, max_retries=0)


def test_chat_is_as_straight_and_priced_by_the_deployments_model(to, straight, installation, tenant):
    answer = to.chat.completions.create(**CHAT)
    assert plain(answer) == plain(straight.chat.completions.create(**CHAT))
    row = newest(installation, tenant)
    assert (row["provider"], row["model"], row["model_served"]) == ("azure", "gpt-4o", "gpt-4o-2024-11-20")
    usage = answer.usage
    assert row["cost"] == (usage.prompt_tokens * Decimal("2.5") + usage.completion_tokens * 10) / 10**6 > 0


def test_a_stream_is_as_straight_and_told_to_us_alone(to, straight, installation, tenant):
    chunks = [plain(chunk) for chunk in to.chat.completions.create(**CHAT, stream=True)]
    assert chunks == [plain(chunk) for chunk in straight.chat.completions.create(**CHAT, stream=True)]
    assert chunks[0]["choices"] == []
    assert chunks[0]["prompt_filter_results"]
    row = newest(installation, tenant)
    assert (row["usage_source"], row["is_streamed"], row["cost"] > 0) == (1, True, True)


def test_other_operations_of_a_deployment(to, straight, installation, tenant):
    ask = {"model": "prod-4o", "input": "one"}
    assert plain(to.embeddings.create(**ask)) == plain(straight.embeddings.create(**ask))
    sound = ("a.mp3", b"\xff\xfb" * 16_000)
    assert to.audio.transcriptions.create(model="ears", file=sound).usage.seconds == 2
    row = newest(installation, tenant)
    assert (row["model"], row["units"], row["cost"]) == ("whisper-1", {"second": 2}, Decimal("0.0002"))
    assert [model.id for model in to.models.list()] == [model.id for model in straight.models.list()]


@pytest.mark.parametrize(
    ("path", "model"), [("/openai/v1", "prod-4o"), ("/p/azure", "prod-4o"), ("/v1", "azure/prod-4o")]
)
def test_openais_client_reaches_it_by_the_v1_form(proxied, installation, tenant, path, model):
    to = openai.OpenAI(base_url=proxied.url + path, api_key=tenant.key, max_retries=0)
    raw = to.chat.completions.with_raw_response.create(model=model, messages=HELLO)
    assert raw.parse().prompt_filter_results
    assert not any(name.startswith(("x-ms-", "apim-")) for name in raw.headers)
    row = newest(installation, tenant)
    assert (row["provider"], row["model"], row["cost"] > 0) == ("azure", "gpt-4o", True)
    assert installation.provider_calls()[-1]["path"] == "/openai/v1/chat/completions"


def test_errors_are_the_clients_own(proxied, to, tenant):
    with pytest.raises(openai.NotFoundError):
        to.post("/nothing", cast_to=object, body={})
    stranger = openai.AzureOpenAI(
        azure_endpoint=proxied.url, api_key="tg_live_" + "0" * 39, api_version=VERSION, max_retries=0
    )
    with pytest.raises(openai.AuthenticationError):
        stranger.chat.completions.create(**CHAT)


def test_a_cap_and_allowed_models_go_by_the_deployments_model(proxied, installation, tenant):
    installation.desk("limit_customer", customer=tenant.customer, allowed_models=["gpt-4o"])
    try:
        to = openai.AzureOpenAI(azure_endpoint=proxied.url, api_key=tenant.key, api_version=VERSION, max_retries=0)
        for _ in range(50):  # until the proxy has heard of it
            try:
                to.embeddings.create(model="ears", input="x")
            except openai.PermissionDeniedError:
                break
        else:
            pytest.fail("the model is not allowed")
        assert to.chat.completions.create(**CHAT).usage
    finally:
        installation.desk("limit_customer", customer=tenant.customer, allowed_models=[])
