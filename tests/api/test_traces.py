"""`POST /v1/traces`: whose spans are taken, and how OTLP's exporters are answered."""

import gzip
import json

import pytest
from django.db import OperationalError
from django.test import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from apps.api import otlp
from apps.ingest.body import MOST_BYTES
from apps.proxy.protocols import routes
from apps.usage.models import Request
from apps.usage.record import SENT_KEY
from tests.cast import Cast, a_proxy_key, an_api_token
from tests.ingest.conftest import COST, NOW, a_price
from tests.ingest.test_otlp import a_request, as_json

URL = "/v1/traces"
PROTOBUF, JSON = "application/x-protobuf", "application/json"
CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-test",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 500,
}


@pytest.fixture(autouse=True)
def at_noon(time_machine, db):
    time_machine.move_to(NOW)
    a_price()


def export(client: Client, plain: str, body: bytes, kind: str = PROTOBUF, url: str = URL, **headers: str):
    return client.post(url, body, content_type=kind, headers={"authorization": f"Bearer {plain}"} | headers)


def spans(count: int = 1, **attributes) -> bytes:
    return a_request(spans=count, **CALL | attributes).SerializeToString()


def partial(answer) -> tuple[int, str]:
    told = ExportTraceServiceResponse.FromString(answer.content).partial_success
    return told.rejected_spans, told.error_message


def status_of(answer) -> tuple[int, str]:
    """Of a google.rpc.Status: the code, and the message."""
    raw = answer.content
    assert (raw[0], raw[2]) == (0x08, 0x12)
    return raw[1], raw[raw.index(b"\x12") + 2 :].decode()


@pytest.mark.parametrize("url", [URL, "/otlp/v1/traces"])
def test_a_proxy_key_sends_for_its_customer(client: Client, cast: Cast, url):
    key, plain = a_proxy_key(cast.globex)
    answer = export(client, plain, spans(2), url=url)
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, PROTOBUF, b"")
    found = Request.objects.values_list("customer_id", "proxy_key_id", "cost", "status", "error_code")
    assert list(found) == [(cast.globex.pk, key.pk, COST, 0, "error")] * 2


def test_a_customers_token_sends_for_that_customer(client: Client, cast: Cast):
    _, plain = an_api_token(cast.acme, cast.globex)
    answer = export(client, plain, as_json(a_request(**CALL)), JSON)
    assert (answer.status_code, answer.json()) == (200, {})
    request = Request.objects.get()
    assert (request.customer_id, request.proxy_key_id) == (cast.globex.pk, SENT_KEY)


def test_an_organizations_token_needs_each_span_to_name_the_customer(client: Client, cast: Cast):
    _, plain = an_api_token(cast.acme)
    assert partial(export(client, plain, spans(**{"tollgate.customer": "globex"}))) == (0, "")
    assert partial(export(client, plain, spans())) == (1, "1: Name the customer, by id or slug.")
    assert partial(export(client, plain, spans(**{"tollgate.customer": "shady"}))) == (
        1,
        "1: There is no such customer.",
    )
    assert Request.objects.get().customer_id == cast.globex.pk


def test_an_export_that_is_repeated_in_the_other_form_counts_once(client: Client, cast: Cast):
    _, plain = a_proxy_key(cast.globex)
    request = a_request(spans=3, **CALL)
    packed = gzip.compress(request.SerializeToString())
    assert export(client, plain, packed, **{"content-encoding": "gzip"}).status_code == 200
    assert export(client, plain, as_json(request), JSON).json() == {}
    assert Request.objects.count() == 3


def test_some_spans_are_taken_and_the_others_told(client: Client, cast: Cast):
    _, plain = a_proxy_key(cast.globex)
    body = a_request(spans=2, **CALL)
    body.resource_spans[0].scope_spans[0].spans[1].start_time_unix_nano = 1
    body.resource_spans.extend(a_request(spans=5, **{"http.request.method": "GET"}).resource_spans)
    assert partial(export(client, plain, body.SerializeToString())) == (1, "1: It began more than 90 days ago.")
    answer = export(client, plain, as_json(body), JSON).json()
    assert answer == {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "1: It began more than 90 days ago."}}
    assert Request.objects.count() == 1


def test_who_may_not_is_told_in_otlps_form(client: Client, cast: Cast):
    _, reader = an_api_token(cast.acme, scopes=["usage:read"])
    assert (export(client, reader, spans()).status_code, status_of(export(client, reader, spans()))[0]) == (403, 7)
    unknown = export(client, "tg_live_" + "0" * 39, spans())
    assert (unknown.status_code, status_of(unknown)[0]) == (401, 16)
    assert unknown.headers["www-authenticate"].startswith("Bearer")
    assert client.post(URL, spans(), content_type=PROTOBUF).status_code == 401
    answer = export(client, reader, b"{}", JSON)
    assert (answer.status_code, answer.json()["code"]) == (403, 7)
    assert not Request.objects.exists()


def test_what_cannot_be_read_is_told_in_otlps_form(client: Client, cast: Cast):
    _, plain = a_proxy_key(cast.globex)
    bomb = gzip.compress(b"\0" * (MOST_BYTES * 20), 9)
    gzipped = {"content-encoding": "gzip"}
    assert export(client, plain, b"\x0a\xff").status_code == 400
    assert status_of(export(client, plain, b"\x0a\xff")) == (3, "It is no ExportTraceServiceRequest.")
    assert export(client, plain, b"{", JSON).json()["code"] == 3
    assert export(client, plain, b"x" * (MOST_BYTES + 1)).status_code == 413
    assert export(client, plain, bomb, **gzipped).status_code == 413
    assert export(client, plain, b"no gzip", **gzipped).status_code == 400
    assert export(client, plain, spans(), "text/plain").status_code == 415
    assert client.get(URL, headers={"authorization": f"Bearer {plain}"}).status_code == 405


def test_while_the_database_is_away_the_exporter_tries_again(client: Client, cast: Cast, monkeypatch):
    _, plain = a_proxy_key(cast.globex)

    def away(*args, **options):
        raise OperationalError("away")

    monkeypatch.setattr(otlp, "record_events", away)
    answer = export(client, plain, spans())
    assert (answer.status_code, answer.headers["retry-after"], status_of(answer)[0]) == (503, "5", 14)


@pytest.mark.parametrize("of", ["key", "token"])
def test_an_exporter_that_comes_too_often_is_told_to_wait(client: Client, cast: Cast, settings, time_machine, of):
    time_machine.move_to(NOW.replace(second=15), tick=False)
    settings.API_RATE = 2
    plain, other = (a_proxy_key(cast.globex) if of == "key" else an_api_token(cast.acme, cast.globex) for _ in range(2))
    answers = [export(client, plain[1], spans()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert (answers[2].headers["retry-after"], status_of(answers[2])[0]) == ("45", 8)
    assert export(client, plain[1], b"{}", JSON).json()["code"] == 8
    assert Request.objects.count() == 1  # the same spans twice
    assert export(client, other[1], spans()).status_code == 200
    time_machine.move_to(NOW.replace(minute=NOW.minute + 1), tick=False)
    assert export(client, plain[1], spans()).status_code == 200


def test_the_proxys_port_hands_it_over():
    assert not routes.is_ours(b"/v1/traces")
    assert routes.find("POST", b"/v1/traces", []) is None
    assert routes.is_ours(b"/v1/traces/x")


def test_what_comes_in_chunks_is_read_too(client: Client, cast: Cast):
    """As Go's exporter sends what it packs: no length is told, and the server ends the body."""
    from io import BytesIO

    _, plain = a_proxy_key(cast.globex)
    answer = client.post(
        URL,
        content_type=PROTOBUF,
        headers={"authorization": f"Bearer {plain}"},
        **{"wsgi.input": BytesIO(spans()), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert answer.status_code == 200
    assert Request.objects.count() == 1


def test_json_of_another_charset_is_refused(client: Client, cast: Cast):
    _, plain = a_proxy_key(cast.globex)
    raw = json.dumps({"resourceSpans": []}).encode("utf-16")
    assert export(client, plain, raw, JSON).status_code == 400
