"""The official SDKs, unmodified, get through the proxy what they get straight from the provider."""

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors

from tests.rig.desk import MODELS
from tests.rig.installation import Installation
from tests.wire.conftest import Proxied
from tests.wire.scenarios import SCENARIOS, Clients, clients_of, plain

HELLO = [{"role": "user", "content": "Hello."}]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_through_the_proxy_is_as_straight(through, straight, scenario):
    assert scenario(through) == scenario(straight)


async def test_asynchronous_clients_too(proxied, straight):
    async with openai.AsyncOpenAI(base_url=f"{proxied.url}/v1", api_key=proxied.tenant.key) as to:
        stream = await to.chat.completions.create(model=MODELS["openai"], messages=HELLO, stream=True)
        chunks = [plain(chunk) async for chunk in stream]
    async with anthropic.AsyncAnthropic(base_url=proxied.url, api_key=proxied.tenant.key) as to:
        message = await to.messages.create(model=MODELS["anthropic"], max_tokens=200, messages=HELLO)
    expected = straight.openai.chat.completions.create(model=MODELS["openai"], messages=HELLO, stream=True)
    assert chunks == [plain(chunk) for chunk in expected]
    answer = straight.anthropic.messages.create(model=MODELS["anthropic"], max_tokens=200, messages=HELLO)
    assert plain(message) == plain(answer)


def test_anthropic_at_its_own_prefix(proxied, straight):
    to = anthropic.Anthropic(base_url=f"{proxied.url}/anthropic", api_key=proxied.tenant.key)
    ask = {"model": MODELS["anthropic"], "max_tokens": 200, "messages": HELLO}
    assert plain(to.messages.create(**ask)) == plain(straight.anthropic.messages.create(**ask))


def test_anthropic_by_bearer_token(proxied):
    to = anthropic.Anthropic(base_url=proxied.url, auth_token=proxied.tenant.key, max_retries=0)
    assert to.messages.create(model=MODELS["anthropic"], max_tokens=200, messages=HELLO).usage.output_tokens


def test_any_provider_by_its_prefix(proxied, straight):
    to = openai.OpenAI(base_url=f"{proxied.url}/p/openai", api_key=proxied.tenant.key)
    answer = to.chat.completions.create(model=MODELS["openai"], messages=HELLO)
    assert plain(answer) == plain(straight.openai.chat.completions.create(model=MODELS["openai"], messages=HELLO))


def test_any_provider_by_the_models_name(proxied, straight):
    to = openai.OpenAI(base_url=f"{proxied.url}/v1", api_key=proxied.tenant.key)
    answer = to.chat.completions.create(model=f"openai/{MODELS['openai']}", messages=HELLO)
    assert plain(answer) == plain(straight.openai.chat.completions.create(model=MODELS["openai"], messages=HELLO))


def test_every_answer_has_our_request_id(through):
    raw = through.openai.chat.completions.with_raw_response.create(model=MODELS["openai"], messages=HELLO)
    ours = raw.headers["x-request-id"]
    assert len(ours) == 36
    assert raw.headers["helicone-id"] == ours


# Errors of the provider


PROVIDER_ERRORS = (400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 529)


def _openai_error(to: Clients, status: int) -> tuple[object, ...]:
    with pytest.raises(openai.APIStatusError) as caught:
        to.openai.chat.completions.create(model=f"error-{status}", messages=HELLO)
    error = caught.value
    return type(error), error.status_code, error.body, error.response.headers.get("retry-after")


def _anthropic_error(to: Clients, status: int) -> tuple[object, ...]:
    with pytest.raises(anthropic.APIStatusError) as caught:
        to.anthropic.messages.create(model=f"error-{status}", max_tokens=9, messages=HELLO)
    error = caught.value
    body = {name: value for name, value in error.body.items() if name != "request_id"}
    return type(error), error.status_code, body, error.response.headers.get("retry-after")


def _gemini_error(to: Clients, status: int) -> tuple[object, ...]:
    with pytest.raises(errors.APIError) as caught:
        to.gemini.models.generate_content(model=f"error-{status}", contents="Hello.")
    error = caught.value
    return type(error), error.code, error.status, error.message


@pytest.mark.parametrize("status", PROVIDER_ERRORS)
@pytest.mark.parametrize("error_of", [_openai_error, _anthropic_error, _gemini_error])
def test_an_error_of_the_provider_is_as_straight(through, straight, error_of, status):
    assert error_of(through, status) == error_of(straight, status)


@pytest.mark.parametrize("status", [401, 500])
def test_an_error_that_quotes_the_providers_key_does_not(through, proxied, status):
    said = [{"role": "user", "content": f"sandbox:error={status} sandbox:echo-key"}]
    with pytest.raises(openai.APIStatusError) as caught:
        through.openai.chat.completions.create(model=MODELS["openai"], messages=said)
    assert caught.value.status_code == status
    assert "Your key is" in caught.value.message
    assert "sk-sandbox" not in caught.value.response.text


def test_a_stream_that_breaks_raises(through):
    said = [{"role": "user", "content": "sandbox:drop sandbox:tokens=40"}]
    stream = through.openai.chat.completions.create(model=MODELS["openai"], messages=said, stream=True)
    with pytest.raises(openai.APIError):
        list(stream)


# Errors of ours


def _gemini_of(proxied: Proxied, key: str) -> genai.Client:
    return clients_of(proxied.url, key, MODELS).gemini


WRONG_KEYS = {
    "malformed": "sk-something-else",
    "mistyped": "tg_live_" + "0" * 39,
}


@pytest.mark.parametrize("key", WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_a_wrong_key_raises_each_sdks_own_exception(proxied, key):
    to = clients_of(proxied.url, key, MODELS)
    with pytest.raises(openai.AuthenticationError) as first:
        to.openai.chat.completions.create(model=MODELS["openai"], messages=HELLO)
    assert first.value.code == "invalid_api_key"
    with pytest.raises(anthropic.AuthenticationError) as second:
        to.anthropic.messages.create(model=MODELS["anthropic"], max_tokens=9, messages=HELLO)
    assert second.value.body["error"]["type"] == "authentication_error"
    with pytest.raises(errors.ClientError) as third:
        to.gemini.models.generate_content(model=MODELS["google"], contents="Hello.")
    assert (third.value.code, third.value.status) == (401, "UNAUTHENTICATED")
    for caught in (first, second, third):
        assert key not in str(caught.value)


def test_a_revoked_key_raises_authentication_error(proxied, installation: Installation):
    minted = installation.desk("mint", customer=proxied.tenant.customer)
    to = clients_of(proxied.url, minted["key"], MODELS)
    to.openai.chat.completions.create(model=MODELS["openai"], messages=HELLO)
    installation.desk("revoke", key_id=minted["key_id"])
    with pytest.raises(openai.AuthenticationError) as caught:
        for _ in range(100):
            to.openai.chat.completions.create(model=MODELS["openai"], messages=HELLO)
    assert caught.value.code == "key_revoked"


def test_a_suspended_customer_raises_permission_denied(proxied, installation: Installation):
    tenant = installation.tenant()
    installation.desk("suspend", customer=tenant.customer)
    to = clients_of(proxied.url, tenant.key, MODELS)
    with pytest.raises(openai.PermissionDeniedError):
        to.openai.chat.completions.create(model=MODELS["openai"], messages=HELLO)
    with pytest.raises(anthropic.PermissionDeniedError):
        to.anthropic.messages.create(model=MODELS["anthropic"], max_tokens=9, messages=HELLO)


def test_a_reached_limit_raises_rate_limit_error_with_retry_after(proxied, installation: Installation):
    to = clients_of(proxied.url, installation.tenant(requests_per_minute=1).key, MODELS)
    to.openai.chat.completions.create(model=MODELS["openai"], messages=HELLO)
    with pytest.raises(openai.RateLimitError) as caught:
        to.openai.chat.completions.create(model=MODELS["openai"], messages=HELLO)
    assert 0 < int(caught.value.response.headers["retry-after"]) <= 61  # whole seconds, rounded up
    with pytest.raises(anthropic.RateLimitError):
        to.anthropic.messages.create(model=MODELS["anthropic"], max_tokens=9, messages=HELLO)
    with pytest.raises(errors.ClientError) as refused:
        to.gemini.models.generate_content(model=MODELS["google"], contents="Hello.")
    assert (refused.value.code, refused.value.status) == (429, "RESOURCE_EXHAUSTED")


def test_a_reached_cap_is_402(proxied, installation: Installation):
    to = clients_of(proxied.url, installation.tenant(monthly_cap="0").key, MODELS)
    with pytest.raises(openai.APIStatusError) as caught:
        to.openai.chat.completions.create(model=MODELS["openai"], messages=HELLO)
    assert (caught.value.status_code, caught.value.code) == (402, "spend_cap_reached")


def test_a_provider_that_is_not_there_is_502(proxied, installation: Installation):
    tenant = installation.tenant(sandbox="http://127.0.0.1:9")
    to = clients_of(proxied.url, tenant.key, MODELS)
    with pytest.raises(openai.InternalServerError) as caught:
        to.openai.chat.completions.create(model=MODELS["openai"], messages=HELLO)
    assert (caught.value.status_code, caught.value.code) == (502, "provider_unreachable")
    with pytest.raises(anthropic.InternalServerError):
        to.anthropic.messages.create(model=MODELS["anthropic"], max_tokens=9, messages=HELLO)
    with pytest.raises(errors.ServerError):
        to.gemini.models.generate_content(model=MODELS["google"], contents="Hello.")


BAD_BODIES = [
    pytest.param(b"{", id="not JSON"),
    pytest.param(b"[]", id="no object"),
    pytest.param(b'{"model": "a", "model": "b", "messages": []}', id="a key twice"),
    pytest.param(b'{"model": "a", "max_tokens": 1, "max_tokens": 100000}', id="a limit twice"),
]


@pytest.mark.parametrize("body", BAD_BODIES)
def test_a_body_that_is_not_what_it_should_be_raises_bad_request(through, body):
    headers = {"content-type": "application/json"}
    with pytest.raises(openai.BadRequestError):
        through.openai.post("/chat/completions", cast_to=object, content=body, options={"headers": headers})
    with pytest.raises(anthropic.BadRequestError):
        through.anthropic.post("/v1/messages", cast_to=object, content=body, options={"headers": headers})


def test_a_path_that_leads_nowhere_is_not_found(through):
    with pytest.raises(openai.NotFoundError):
        through.openai.post("/nothing/such", cast_to=object, body={})


# What is recorded of it


def test_usage_is_recorded_as_the_provider_told_it(proxied, installation: Installation):
    tenant = installation.tenant()
    to = clients_of(proxied.url, tenant.key, MODELS)
    plain_answer = to.openai.chat.completions.create(model=MODELS["openai"], messages=HELLO, user="Gina")
    list(to.openai.chat.completions.create(model=MODELS["openai"], messages=HELLO, user="Gina", stream=True))
    installation.run("rollup")
    rows = installation.rows(
        "SELECT end_user, is_streamed, result, status, usage_source, input_tokens, output_tokens, cost, price"
        " FROM usage_request WHERE organization_id = %s ORDER BY started_at",
        tenant.organization,
    )
    usage = plain_answer.usage
    cost = (17 * usage.prompt_tokens + 79 * usage.completion_tokens) / 10**7
    for row, is_streamed in zip(rows, (False, True), strict=True):
        assert row["is_streamed"] is is_streamed
        assert (row["end_user"], row["result"], row["status"], row["usage_source"]) == ("Gina", 0, 200, 1)
        assert (row["input_tokens"], row["output_tokens"]) == (usage.prompt_tokens, usage.completion_tokens)
        assert float(row["cost"]) == pytest.approx(cost, abs=1e-12)
        assert float(row["price"]) == pytest.approx(cost * 1.2, abs=1e-12)
