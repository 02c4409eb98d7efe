"""What `POST /api/v1/requests` takes, and of whom."""

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from apps.ingest.body import MOST_BYTES
from apps.ingest.calls import request_id_of
from apps.usage.models import Request
from apps.usage.record import SENT_KEY
from tests.cast import Cast, a_proxy_key, an_api_token
from tests.ingest.conftest import COST, NOW, a_price

URL = "/api/v1/requests"
EVENT: dict[str, Any] = {
    "id": "ev-1",
    "started_at": "2026-03-10T11:59:00Z",
    "provider": "openai",
    "model": "gpt-test",
    "tokens": {"input": 1000, "output": 500},
}


@pytest.fixture(autouse=True)
def at_noon(time_machine, db):
    time_machine.move_to(NOW)
    a_price()


def post(client: Client, plain: str, *events: Any, body: Any = None, **headers: str):
    raw = body if isinstance(body, bytes) else json.dumps(body or {"events": events}).encode()
    headers = {"authorization": f"Bearer {plain}", "content-type": "application/json"} | headers
    return client.post(URL, raw, content_type=headers.pop("content-type"), headers=headers)


def test_an_organizations_token_sends_for_each_of_its_customers(client: Client, cast: Cast):
    _, plain = an_api_token(cast.acme)
    answer = post(
        client,
        plain,
        EVENT | {"customer": "globex"},
        EVENT | {"customer": str(cast.initech.pk)},
        EVENT | {"id": "ev-2", "customer": "globex", "model": "unheard-of"},
    )
    assert answer.status_code == 200
    assert answer.json() == {
        "accepted": 3,
        "duplicates": 0,
        "conflicts": 0,
        "invalid": 0,
        "results": [
            {"index": 0, "status": "accepted", "request_id": request_of(cast.globex, "ev-1")},
            {"index": 1, "status": "accepted", "request_id": request_of(cast.initech, "ev-1")},
            {"index": 2, "status": "accepted", "request_id": request_of(cast.globex, "ev-2")},
        ],
    }
    found = Request.objects.order_by("model", "customer_id").values_list("customer_id", "cost")
    assert set(found) == {(cast.globex.pk, COST), (cast.initech.pk, COST), (cast.globex.pk, None)}


def request_of(customer, key: str) -> str:
    return str(request_id_of(customer.organization_id, customer.pk, key))


def test_a_customers_token_sends_for_that_customer(client: Client, cast: Cast):
    key, _ = a_proxy_key(cast.globex)
    _, plain = an_api_token(cast.acme, cast.globex)
    answer = post(client, plain, EVENT, EVENT | {"id": "ev-2", "customer": "globex", "proxy_key": str(key.pk)})
    assert answer.status_code == 200
    found = Request.objects.order_by("proxy_key_id").values_list("customer_id", "proxy_key_id")
    assert list(found) == [(cast.globex.pk, SENT_KEY), (cast.globex.pk, key.pk)]


def test_nobody_sends_for_others(client: Client, cast: Cast):
    of_globex, _ = a_proxy_key(cast.globex)
    of_shady, _ = a_proxy_key(cast.shady)
    _, operators = an_api_token(cast.acme)
    _, globexs = an_api_token(cast.acme, cast.globex)
    strangers = [
        post(client, operators, EVENT | {"customer": name}) for name in ("shady", str(cast.shady.pk), "no\0body", "")
    ]
    strangers += [post(client, globexs, EVENT | {"customer": name}) for name in ("initech", str(cast.initech.pk))]
    strangers += [post(client, operators, EVENT | {"customer": "globex", "proxy_key": str(of_shady.pk)})]
    strangers += [post(client, operators, EVENT | {"customer": "initech", "proxy_key": str(of_globex.pk)})]
    strangers += [post(client, globexs, EVENT | {"proxy_key": str(UUID(int=0))})]
    strangers += [post(client, globexs, EVENT | {"alias": "house-model"})]
    assert [answer.status_code for answer in strangers] == [400] * 10
    assert not Request.objects.exists()


def test_a_name_for_a_model_is_what_customers_see(client: Client, cast: Cast):
    _, plain = an_api_token(cast.acme)
    assert post(client, plain, EVENT | {"customer": "globex", "alias": "house-model"}).status_code == 200
    assert Request.objects.get().alias == "house-model"


def test_one_bad_event_does_not_spoil_the_batch(client: Client, cast: Cast):
    _, plain = an_api_token(cast.acme, cast.globex)
    post(client, plain, EVENT)
    answer = post(
        client,
        plain,
        EVENT,
        EVENT | {"started_at": "2026-03-09T00:00:00Z"},
        EVENT | {"id": "new", "properties": {"Note": "x" * 513}},
        EVENT | {"id": "bad", "tokens": {"input": -1}},
        ["not an event"],
    )
    assert answer.status_code == 207
    told = answer.json()
    assert [told[name] for name in ("accepted", "duplicates", "conflicts", "invalid")] == [1, 1, 1, 2]
    assert [each["status"] for each in told["results"]] == ["duplicate", "conflict", "accepted", "invalid", "invalid"]
    assert told["results"][1]["field"] == "id"
    assert "a property was dropped" in told["results"][2]["warnings"]
    assert told["results"][3]["field"] == "tokens[...]"
    assert Request.objects.count() == 2


INVALID = [  # what of the event is changed, and what the answer points at
    pytest.param({"id": ""}, "id", id="empty-id"),
    pytest.param({"id": "x" * 201}, "id", id="long-id"),
    pytest.param({"started_at": "2026-03-10T11:59:00"}, "started_at", id="no-zone"),
    pytest.param({"started_at": "yesterday"}, "started_at", id="no-time"),
    pytest.param({"started_at": "2026-03-10T13:00:00Z"}, "started_at", id="future"),
    pytest.param({"started_at": "2025-11-01T00:00:00Z"}, "started_at", id="too-old"),
    pytest.param({"started_at": "0001-01-01T00:00:00+14:00"}, "started_at", id="before-all-time"),
    pytest.param({"provider": "Open AI!"}, "provider", id="provider"),
    pytest.param({"model": "a\nb"}, "model", id="model"),
    pytest.param({"model": "m" * 257}, "model", id="long-model"),
    pytest.param({"endpoint": "chat completions"}, "endpoint", id="endpoint"),
    pytest.param({"tokens": {"inptu": 5}}, "tokens", id="unknown-kind"),
    pytest.param({"tokens": {"input": 10**9 + 1}}, "tokens[...]", id="too-many-tokens"),
    pytest.param({"tokens": {"input": 1.5}}, "tokens[...]", id="half-a-token"),
    pytest.param({"usage": {"prompt_tokens": 1}}, "usage", id="tokens-and-usage"),
    pytest.param({"tokens": None, "usage": {"words": 5}}, "usage", id="unreadable-usage"),
    pytest.param({"tokens": None, "usage": {"prompt_tokens": 10**12}}, "usage", id="usage-beyond-belief"),
    pytest.param({"tokens": None, "usage": {"prompt_tokens": 10**30}}, "usage", id="usage-beyond-64-bits"),
    pytest.param({"units": {"Web Search": 1}}, "units", id="unit"),
    pytest.param({"units": {"web_search": 0}}, "units[...]", id="no-units"),
    pytest.param({"units": {f"u{n}": 1 for n in range(17)}}, "units", id="too-many-units"),
    pytest.param({"provider_cost": -1}, "provider_cost", id="negative-cost"),
    pytest.param({"latency_ms": -1}, "latency_ms", id="negative-latency"),
    pytest.param({"status": 600}, "status", id="status"),
    pytest.param({"result": "fine"}, "result", id="result"),
    pytest.param({"properties": {"Plan": None}}, "properties[...]", id="null-property"),
    pytest.param({"tokns": {}}, "", id="a-typo"),
]


@pytest.mark.parametrize(("changed", "field"), INVALID)
def test_what_makes_no_sense_is_told(client: Client, cast: Cast, changed, field):
    _, plain = an_api_token(cast.acme, cast.globex)
    answer = post(client, plain, EVENT | changed)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "#/events/0" + (f"/{field}" if field else "")
    assert not Request.objects.exists()


UNICODE = ["日本語", "👩‍👩‍👧", "e\u0301", "\u202eabc", " padded ", "a\0b", "ß" * 300, "\\N", "tab\there\nline"]


@pytest.mark.parametrize("text", UNICODE)
def test_text_of_any_kind_is_kept_as_the_proxy_keeps_it(client: Client, cast: Cast, text):
    _, plain = an_api_token(cast.acme, cast.globex)
    said = EVENT | {"end_user": text, "properties": {"Name": text}, "session": {"id": text}, "error_message": text}
    assert post(client, plain, said | {"id": text[:200]}).status_code == 200
    request = Request.objects.get()
    if len(text.encode()) <= 512:
        assert request.end_user == text.replace("\0", "").strip()
        assert request.properties["name"] == text.replace("\0", "\N{REPLACEMENT CHARACTER}").strip()
    else:
        assert request.end_user.startswith(text[:224] + "…")
        assert request.properties == {}


BODIES = [
    pytest.param(b" ", 400, id="nothing"),
    pytest.param(b"{", 400, id="cut-off"),
    pytest.param(b"[]", 400, id="a-list"),
    pytest.param(b'{"events": []}', 400, id="no-events"),
    pytest.param(b'{"events": [1], "evnts": 2}', 400, id="a-typo"),
    pytest.param(b'{"events": [' + b"{}," * 1000 + b"{}]}", 400, id="1,001-events"),
    pytest.param(b'{"events": [' + b"[" * 50_000 + b"]" * 50_000 + b"]}", 400, id="nested"),
    pytest.param(b'{"events": [{"id": "\xff"}]}', 400, id="not-utf-8"),
    pytest.param(b" " * (MOST_BYTES + 1), 413, id="over-5-MB"),
]


@pytest.mark.parametrize(("body", "status"), BODIES)
def test_what_is_no_batch_is_refused_whole(client: Client, cast: Cast, body, status):
    _, plain = an_api_token(cast.acme, cast.globex)
    answer = post(client, plain, body=body)
    assert answer.status_code == status
    assert answer.json()["status"] == status
    assert not Request.objects.exists()


def test_a_batch_may_be_packed_but_not_be_a_bomb(client: Client, cast: Cast):
    _, plain = an_api_token(cast.acme, cast.globex)
    packed = gzip.compress(json.dumps({"events": [EVENT]}).encode())
    gzipped = {"content-encoding": "gzip"}
    assert post(client, plain, body=packed, **gzipped).status_code == 200
    assert post(client, plain, body=gzip.compress(b" " * 200_000_000, 9), **gzipped).status_code == 413
    assert post(client, plain, body=packed[:-9], **gzipped).status_code == 400
    assert post(client, plain, body=b"plain", **gzipped).status_code == 400
    assert post(client, plain, body=packed, **{"content-encoding": "br"}).status_code == 400


def test_who_may_not_send_is_told_why(client: Client, cast: Cast):
    _, plain = an_api_token(cast.acme, scopes=["usage:read"])
    _, key = a_proxy_key(cast.globex)
    assert post(client, plain, EVENT).status_code == 403
    assert post(client, key, EVENT).status_code == 401
    assert post(client, "", EVENT).status_code == 401
    _, fine = an_api_token(cast.acme, cast.globex)
    assert post(client, fine, EVENT, **{"content-type": "text/plain"}).status_code == 415
    assert not Request.objects.exists()


USAGES = [  # provider, its usage, and the tokens: the same as the proxy reads them
    pytest.param(
        "openai",
        {
            "prompt_tokens": 1000,
            "completion_tokens": 500,
            "prompt_tokens_details": {"cached_tokens": 200},
            "completion_tokens_details": {"reasoning_tokens": 100},
        },
        {"input": 800, "cache_read": 200, "output": 400, "reasoning": 100},
        id="openai",
    ),
    pytest.param(
        "openai",
        {"input_tokens": 10, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 4}},
        {"input": 6, "cache_read": 4, "output": 5},
        id="responses",
    ),
    pytest.param(
        "anthropic",
        {
            "input_tokens": 1000,
            "output_tokens": 500,
            "cache_read_input_tokens": 200,
            "cache_creation_input_tokens": 60,
            "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 10},
        },
        {"input": 1000, "cache_read": 200, "cache_write_5m": 50, "cache_write_1h": 10, "output": 500},
        id="anthropic",
    ),
    pytest.param(
        "google",
        {
            "promptTokenCount": 1000,
            "cachedContentTokenCount": 200,
            "candidatesTokenCount": 300,
            "thoughtsTokenCount": 50,
        },
        {"input": 800, "cache_read": 200, "output": 300, "reasoning": 50},
        id="gemini",
    ),
    pytest.param(
        "google", {"prompt_tokens": 7, "completion_tokens": 3}, {"input": 7, "output": 3}, id="gemini-as-openai"
    ),
    pytest.param(
        "perplexity",
        {"prompt_tokens": 7, "completion_tokens": 3, "num_search_queries": 2},
        {"input": 7, "output": 3},
        id="perplexity",
    ),
]


@pytest.mark.parametrize(("provider", "usage", "tokens"), USAGES)
def test_usage_is_read_as_the_provider_tells_it(client: Client, cast: Cast, provider, usage, tokens):
    _, plain = an_api_token(cast.acme, cast.globex)
    said = {name: value for name, value in EVENT.items() if name != "tokens"}
    assert post(client, plain, said | {"provider": provider, "usage": usage}).status_code == 200
    request = Request.objects.get()
    kinds = [name.removesuffix("_tokens") for name in vars(request) if name.endswith("_tokens")]
    assert {kind: count for kind in kinds if (count := getattr(request, f"{kind}_tokens"))} == tokens
    assert request.units == ({"web_search": 2} if provider == "perplexity" else {})


def test_times_may_be_numbers_and_costs_strings(client: Client, cast: Cast):
    _, plain = an_api_token(cast.acme, cast.globex)
    answer = post(client, plain, EVENT | {"started_at": 1773143940.25, "provider_cost": "0.000001"})
    assert answer.status_code == 200
    request = Request.objects.get()
    assert request.started_at == datetime(2026, 3, 10, 11, 59, 0, 250_000, UTC)
    assert request.provider_cost == Decimal("0.000001")


def test_who_sends_too_often_is_told_to_wait(client: Client, cast: Cast, settings, time_machine):
    time_machine.move_to(NOW.replace(second=15), tick=False)
    settings.API_RATE = 2
    _, plain = an_api_token(cast.acme, cast.globex)
    assert [post(client, plain, EVENT | {"id": f"ev-{n}"}).status_code for n in range(3)] == [200, 200, 429]
    refused = post(client, plain, EVENT)
    assert (refused.headers["retry-after"], refused.json()["type"]) == ("45", "urn:tollgate:problem:too-many-requests")
    assert Request.objects.count() == 2
    _, other = an_api_token(cast.acme, cast.globex)
    assert post(client, other, EVENT).status_code == 200
    time_machine.move_to(NOW.replace(minute=NOW.minute + 1), tick=False)
    assert post(client, plain, EVENT | {"id": "ev-3"}).status_code == 200
