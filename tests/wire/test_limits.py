"""What is told of limits, to SDKs and in headers; every rule of refusal on every wire, streamed and not (S10)."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace

import openai
import pytest

from tests.rig.calls import chat, gemini, messages
from tests.rig.client import Ask, Seen, call
from tests.rig.desk import MODELS
from tests.rig.installation import Installation, Tenant

WIRES = [chat, messages, gemini]


def seen_of(port: int, ask: Ask, **headers: str) -> Seen:
    return asyncio.run(call(port, replace(ask, headers=ask.headers | headers)))


def message_of(seen: Seen) -> str:
    return json.loads(seen.body)["error"]["message"]


def limit_of(seen: Seen) -> dict[str, object] | None:
    """What the body says for programs, wherever the protocol has it."""
    error = json.loads(seen.body)["error"]
    return error["details"][0].get("metadata") if "details" in error else error.get("limit")


REFUSED = [  # limits of the customer, status, what is told
    pytest.param({"requests_per_minute": 0}, 429, "The limit of this account is 0 requests a minute", id="minute"),
    pytest.param({"requests_per_hour": 0}, 429, "The limit of this account is 0 requests an hour", id="hour"),
    pytest.param({"requests_per_day": 0}, 429, "The limit of this account is 0 requests in 24 hours", id="day"),
    pytest.param({"tokens_per_minute": 0}, 429, "The limit of this account is 0 tokens a minute", id="tokens"),
    pytest.param({"max_concurrent": 0}, 429, "The limit of this account is 0 requests at once", id="at-once"),
    pytest.param({"daily_cap": "0"}, 402, "The spend cap for the day of this account is $0", id="day-cap"),
    pytest.param({"monthly_cap": "0"}, 402, "The spend cap for the month of this account is $0", id="month-cap"),
    pytest.param({"total_cap": "0"}, 402, "The spend cap in total of this account is $0", id="total-cap"),
    pytest.param({"allowed_models": ["gpt-4o"]}, 403, "may not be called with this key", id="model"),
    pytest.param({"allowed_networks": ["192.0.2.0/24"]}, 403, "may not be used from your network", id="network"),
]


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(("limits", "status", "told"), REFUSED)
def test_what_is_refused_is_refused_on_every_wire(
    installation: Installation, port: int, wire: Callable[..., Ask], is_streamed: bool, limits, status: int, told: str
):
    tenant = _tenant(installation, limits)
    began = time.monotonic()
    seen = seen_of(port, wire(tenant.key, is_streamed=is_streamed))
    assert seen.status == status
    assert told in message_of(seen)
    assert ("retry-after" in seen.headers) == (status == 429)
    assert (limit_of(seen) or {}).get("name") == (next(iter(limits)) if status in (402, 429) else None)
    assert installation.provider_calls(since=began) == []


_tenants: dict[str, Tenant] = {}


def _tenant(installation: Installation, limits: dict[str, object]) -> Tenant:
    """One for all tests with the same limits: nothing they do takes from a limit of 0."""
    return _tenants.setdefault(str(limits), installation.tenant(**limits))


@pytest.mark.parametrize("wire", WIRES)
def test_allowed_models_and_networks_are_let_through(installation: Installation, port: int, wire: Callable[..., Ask]):
    tenant = _tenant(
        installation, {"allowed_models": ["SANDBOX-*", "nothing"], "allowed_networks": ["127.0.0.0/8", "::1"]}
    )
    assert seen_of(port, wire(tenant.key)).status == 200


def test_answers_say_how_much_is_left(installation: Installation, port: int):
    tenant = installation.tenant(
        requests_per_minute=5, requests_per_day=100, tokens_per_minute=10_000, max_concurrent=3
    )
    seen_of(port, chat(tenant.key, max_tokens=50))
    ask = chat(tenant.key, max_tokens=100)
    told = seen_of(port, ask).headers
    used_before = 10_000 - int(told["x-ratelimit-remaining-tokens"])
    assert {name: value for name, value in told.items() if name.startswith("x-ratelimit")} == {
        "x-ratelimit-limit-requests": "5",
        "x-ratelimit-remaining-requests": "3",
        "x-ratelimit-reset-requests": "1m0s",
        "x-ratelimit-limit-tokens": "10000",
        "x-ratelimit-remaining-tokens": str(10_000 - used_before),
        "x-ratelimit-reset-tokens": "1m0s",
    }
    assert 100 + len(ask.body) // 4 <= used_before <= 400
    assert told["ratelimit-policy"] == (
        '"customer-requests-per-minute";q=5;w=60, "customer-requests-per-day";q=100;w=86400, '
        '"customer-tokens-per-minute";q=10000;w=60;qu="tokens", '
        '"customer-max-concurrent";q=3;qu="concurrent-requests"'
    )
    assert told["ratelimit"] == (
        '"customer-requests-per-minute";r=3;t=60, "customer-requests-per-day";r=98;t=86400, '
        f'"customer-tokens-per-minute";r={10_000 - used_before};t=60, "customer-max-concurrent";r=2'
    )


def test_a_refusal_tells_programs_which_limit_whose_and_when_it_ends(installation: Installation, port: int):
    tenant = installation.tenant(requests_per_minute=1)
    seen_of(port, chat(tenant.key))
    limit = limit_of(seen_of(port, chat(tenant.key)))
    assert 0 < limit.pop("retry_after_s") <= 61
    assert limit == {"name": "requests_per_minute", "scope": "customer", "limit": 1, "used": 1}


@pytest.mark.parametrize(("wire", "nothing"), [(chat, None), (messages, None), (gemini, "absent")])
def test_a_cap_that_never_ends_says_so(installation: Installation, port: int, wire: Callable[..., Ask], nothing):
    tenant = _tenant(installation, {"total_cap": "0"})
    limit = limit_of(seen_of(port, wire(tenant.key)))
    assert limit.pop("ends_at", "absent") == nothing
    assert limit == {"name": "total_cap", "scope": "customer", "limit": "0", "used": "0"}


def test_who_has_no_limits_is_told_nothing(installation: Installation, port: int):
    told = seen_of(port, chat(installation.tenant().key)).headers
    assert [name for name in told if "limit" in name] == []


def test_money_is_nobodys_business_in_headers(installation: Installation, port: int):
    told = seen_of(port, chat(installation.tenant(monthly_cap="5", total_cap="7").key)).headers
    assert [name for name in told if "limit" in name] == []


def test_a_refusal_says_which_limit_whose_how_much_and_until_when(installation: Installation, port: int):
    tenant = installation.tenant()
    key = installation.desk("mint", customer=tenant.customer, requests_per_hour=1)["key"]
    assert seen_of(port, chat(key)).status == 200
    seen = seen_of(port, chat(key))
    wait = int(seen.headers["retry-after"])
    assert seen.status == 429
    assert 3600 <= wait <= 3661
    assert message_of(seen) == (
        f"The limit of this key is 1 requests an hour, of which 1 are used. Try again in {wait} s."
    )
    assert seen.headers["tollgate-limit"] == f"requests_per_hour;scope=key;limit=1;used=1;ends={wait}"
    assert seen.headers["ratelimit"] == f'"key-requests-per-hour";r=0;t={wait}'
    assert seen.headers["x-ratelimit-remaining-requests"] == "0"
    assert seen_of(port, chat(tenant.key)).status == 200  # the other key's is its own


def test_an_sdk_waits_as_long_as_it_is_told(installation: Installation, port: int):
    key = installation.tenant(requests_per_minute=1).key
    with openai.OpenAI(api_key=key, base_url=f"http://127.0.0.1:{port}/v1", max_retries=0) as client:

        def ask() -> object:
            return client.chat.completions.create(
                model=MODELS["openai"], messages=[{"role": "user", "content": "hello"}]
            )

        ask()
        with pytest.raises(openai.RateLimitError) as caught:
            ask()
    assert 0 < int(caught.value.response.headers["retry-after"]) <= 61
    assert caught.value.code == "rate_limit_exceeded"


POLICIES = [  # what is wrong, and what is told
    ("abc;w=60", "The quota is “abc”; it must be a whole number"),
    ("10", "The window is missing"),
    ("10;w=59", "The window (w=) is 59; it must be from 60"),
    ("10;w=60;u=tokens", "The unit is “tokens”"),
    ("10;w=60;s=user", "names none: send Helicone-User-Id"),
    ("10;w=60;s=plan", "a property that this call doesn't have"),
    ("10;w=60;w=90", "“w=” is there twice"),
    ("10;w=60;x=1", "“x=1” is none of"),
]


@pytest.mark.parametrize(("policy", "told"), POLICIES)
def test_a_policy_that_cannot_be_understood_is_refused(installation: Installation, port: int, policy: str, told: str):
    ask = chat(_tenant(installation, {}).key)
    headers = {name: value for name, value in ask.headers.items() if name != "tollgate-user-id"}
    seen = seen_of(port, replace(ask, headers=headers), **{"helicone-ratelimit-policy": policy})
    assert seen.status == 400
    assert told in message_of(seen)
    assert json.loads(seen.body)["error"]["code"] == "invalid_rate_limit_policy"


def test_a_call_may_narrow_its_own_limits(installation: Installation, port: int):
    key = installation.tenant(requests_per_minute=4).key
    policy = {"helicone-ratelimit-policy": "2;w=60;s=user"}
    told = [seen_of(port, chat(key), **policy, **{"tollgate-user-id": "ann"}) for _ in range(3)]
    assert [seen.status for seen in told] == [200, 200, 429]
    assert [seen.headers["helicone-ratelimit-remaining"] for seen in told] == ["1", "0", "0"]
    assert {seen.headers["helicone-ratelimit-limit"] for seen in told} == {"2"}
    assert {seen.headers["helicone-ratelimit-policy"] for seen in told} == {"2;w=60;u=request"}
    assert 0 < int(told[2].headers["helicone-ratelimit-reset"]) <= 61
    assert seen_of(port, chat(key), **policy, **{"tollgate-user-id": "ben"}).status == 200
    wide = {"helicone-ratelimit-policy": "1000;w=60"}
    assert [seen_of(port, chat(key), **wide).status for _ in range(2)] == [200, 429]  # it widens nothing


def test_a_policy_of_cents_counts_what_was_spent(installation: Installation, port: int):
    """A hold of half a cent leaves less than another's; what it really cost is a tenth of that."""
    key = installation.tenant().key
    policy = {"helicone-ratelimit-policy": "1;w=3600;u=cents;s=plan", "helicone-property-plan": "pro"}
    told = [seen_of(port, chat(key, max_tokens=50, words="sandbox:tokens=40"), **policy) for _ in range(3)]
    assert [seen.status for seen in told] == [200, 200, 200]
    assert told[0].headers["helicone-ratelimit-limit"] == "1"
    assert seen_of(port, chat(key, max_tokens=4000), **policy).status == 429
    other = policy | {"helicone-property-plan": "free"}
    assert seen_of(port, chat(key, max_tokens=50), **other).status == 200


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(("wire", "limit"), [(chat, "max_tokens"), (messages, "max_tokens"), (gemini, "")])
def test_an_answer_that_would_not_fit_is_shortened_where_that_is_allowed(
    installation: Installation, port: int, wire: Callable[..., Ask], limit: str, is_streamed: bool
):
    tenant = installation.tenant(monthly_cap="0.02", shortens_output=True)
    asked = {limit: 4000} if limit else {"generationConfig": {"maxOutputTokens": 4000}}
    seen = seen_of(port, wire(tenant.key, is_streamed=is_streamed, words="sandbox:tokens=3500", **asked))
    assert seen.status == 200
    set_ = int(seen.headers["tollgate-output-limit"])
    assert 1000 < set_ < 3000
    (line,) = [line for line in installation.provider_calls() if line["nonce"] == seen.nonce]
    said = {line["usage"].get(n) for n in ("completion_tokens", "output_tokens", "candidatesTokenCount")} - {None}
    assert said == {set_}
    strict = installation.tenant(monthly_cap="0.02")
    assert seen_of(port, wire(strict.key, **asked)).status == 402


def test_what_fits_is_not_shortened(installation: Installation, port: int):
    tenant = installation.tenant(monthly_cap="5", shortens_output=True)
    seen = seen_of(port, chat(tenant.key, max_tokens=4000))
    assert seen.status == 200
    assert "tollgate-output-limit" not in seen.headers


def test_nothing_of_a_refusal_names_cost_or_margin(installation: Installation, port: int):
    tenant = installation.tenant(monthly_cap="0.002")
    seen = seen_of(port, chat(tenant.key, max_tokens=4000))
    assert seen.status == 402
    told = message_of(seen)
    assert "$0.002" in told
    assert "UTC" in told  # when the month ends, in the organization's zone
    assert not {"cost", "margin", "markup"} & set(told.lower().replace("may cost", "").split())
