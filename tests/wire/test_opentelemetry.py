"""A real OpenTelemetry SDK with the instrumentation of OpenAI's client: what it sends of a call that went straight to
the provider is the record that the proxy makes of the same call."""

import gzip
import http.client
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import openai
import pytest
from opentelemetry import baggage, context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from tests.ingest.test_otlp import a_request
from tests.rig.desk import MODELS
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import listen, manage, port_of, wait_until
from tests.wire.conftest import Proxied

pytestmark = pytest.mark.timeout(400)  # a server of each kind is started

HELLO = [{"role": "user", "content": "Tell me of the sea, please."}]
SAID = {"user.id": "ada@example.com", "session.id": "s-7", "tollgate.property.Plan": "premium"}
HEADERS = {"tollgate-user-id": "ada@example.com", "tollgate-session-id": "s-7", "tollgate-property-plan": "premium"}
SAME = (  # columns
    "organization_id", "customer_id", "proxy_key_id", "provider", "endpoint", "model", "model_served", "result",
    "status", "usage_source", "cost", "price", "price_id", "markup_percent", "end_user", "properties", "session_id",
    "units", "service_tier", "input_tokens", "cache_read_tokens", "cache_write_5m_tokens",
    "cache_write_1h_tokens", "cache_write_tokens", "input_audio_tokens", "input_image_tokens", "output_tokens",
    "reasoning_tokens", "output_audio_tokens", "output_image_tokens", "alias", "client_request_id",
)  # fmt: skip


class Ways(NamedTuple):
    """The same client, watched, at the provider; and with a proxy key at the proxy."""

    straight: openai.OpenAI
    through: openai.OpenAI
    exporter: "Heard"
    installation: Installation
    tenant: Tenant
    url: str
    since: datetime


class Heard(SpanExporter):
    """The real exporter, with a memory of what it said."""

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        self.exporter = exporter
        self.spans: list[ReadableSpan] = []
        self.results: list[SpanExportResult] = []

    def export(self, spans: Any) -> SpanExportResult:
        self.spans += spans
        self.results.append(self.exporter.export(spans))
        return self.results[-1]

    def shutdown(self) -> None:
        self.exporter.shutdown()


class FromBaggage(SpanProcessor):
    """As docs/sending-usage.md has it: what is said of a request goes onto every span of it."""

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        for name, value in baggage.get_all(parent_context).items():
            span.set_attribute(name, str(value))


@pytest.fixture(scope="module")
def web(installation: Installation) -> Iterator[str]:
    """The web process's address."""
    with listen() as listener:
        port = port_of(listener)
    origin = f"127.0.0.1:{port}"
    process = installation.start("web", manage("web", "--bind", origin))

    def answers() -> bool:
        try:
            urllib.request.urlopen(f"http://{origin}/health/live", timeout=1).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    wait_until(answers, "the web process answers", within_s=150)
    yield origin
    process.stop()


@pytest.fixture(scope="module")
def at_one_port(installation: Installation, web: str) -> Iterator[Proxied]:
    """A proxy that hands over to the web process what isn't for providers."""
    with listen() as listener:
        (process,) = installation.proxies(fd=listener.fileno(), env={"TOLLGATE_WEB_ORIGIN": f"http://{web}"})
        yield Proxied(f"http://127.0.0.1:{port_of(listener)}", installation.tenant())
        process.stop()


@pytest.fixture(scope="module", autouse=True)
def shipper(installation: Installation) -> Iterator[None]:
    with installation.shipping():
        yield


@pytest.fixture(params=["older conventions", "newest conventions"])
def ways(request, at_one_port: Proxied, installation: Installation, monkeypatch) -> Iterator[Ways]:
    if request.param == "newest conventions":
        monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
    _forget_stability()
    exporter = Heard(
        OTLPSpanExporter(
            endpoint=f"{at_one_port.url}/v1/traces",
            headers={"Authorization": f"Bearer {at_one_port.tenant.key}"},
            compression=Compression.Gzip,
        )
    )
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(FromBaggage())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    straight = openai.OpenAI(
        base_url=f"http://127.0.0.1:{installation.sandbox_port}/v1", api_key="sk-sandbox-straight", max_retries=0
    )
    through = openai.OpenAI(
        base_url=f"{at_one_port.url}/v1", api_key=at_one_port.tenant.key, max_retries=0, default_headers=HEADERS
    )
    yield Ways(straight, through, exporter, installation, at_one_port.tenant, at_one_port.url, datetime.now(UTC))
    instrumentor.uninstrument()
    provider.shutdown()


def _forget_stability() -> None:
    """The SDK reads its opt-in once a process."""
    from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability as Stability

    Stability._initialized = False
    Stability._OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING = {}


def records_of(ways: Ways, ask: Callable[[openai.OpenAI], Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The record that was sent of a call, and the one that the proxy made of the same."""
    told = context.get_current()
    for name, value in SAID.items():
        told = baggage.set_baggage(name, value, told)
    token = context.attach(told)
    try:
        ask(ways.straight)
    finally:
        context.detach(token)
    assert ways.exporter.results == [SpanExportResult.SUCCESS]
    (sent,) = rows_of(ways)
    OpenAIInstrumentor().uninstrument()  # or what goes through the proxy would be sent as well
    ask(ways.through)
    wait_until(lambda: len(rows_of(ways)) == 2, "the call is shipped")
    (proxied,) = [row for row in rows_of(ways) if row["id"] != sent["id"]]
    return sent, proxied


def rows_of(ways: Ways) -> list[dict[str, Any]]:
    """Of this test's calls: the tenant had others."""
    query = "SELECT * FROM usage_request WHERE customer_id = %s AND started_at >= %s ORDER BY started_at"
    return ways.installation.rows(query, ways.tenant.customer, ways.since)


def plain(to: openai.OpenAI) -> None:
    to.chat.completions.create(model=MODELS["openai"], messages=HELLO)


def streamed(to: openai.OpenAI) -> None:
    ask = {"model": MODELS["openai"], "messages": HELLO, "stream_options": {"include_usage": True}}
    for _ in to.chat.completions.create(stream=True, **ask):
        pass


def embedded(to: openai.OpenAI) -> None:
    to.embeddings.create(model=MODELS["openai"], input="the sea")


@pytest.mark.parametrize("ask", [plain, streamed, embedded])
def test_the_same_call_makes_the_same_record(ways: Ways, ask):
    sent, proxied = records_of(ways, ask)
    assert {name: sent[name] for name in SAME} == {name: proxied[name] for name in SAME}
    assert sent["cost"] > 0
    assert sent["price"] > sent["cost"]
    (span,) = ways.exporter.spans
    assert sent["started_at"].timestamp() == pytest.approx(span.start_time / 1e9, abs=1e-5)
    assert sent["latency_ms"] == round((span.end_time - span.start_time) / 1e6)
    assert sent["provider_request_id"] == span.attributes.get("gen_ai.response.id")


def test_an_export_that_is_repeated_counts_once(ways: Ways):
    plain(ways.straight)
    assert [ways.exporter.exporter.export(ways.exporter.spans) for _ in range(3)] == [SpanExportResult.SUCCESS] * 3
    assert len(rows_of(ways)) == 1


def test_a_call_that_failed_is_recorded_as_that_and_costs_nothing(ways: Ways):
    with pytest.raises(openai.RateLimitError):
        ways.straight.chat.completions.create(model="error-429", messages=HELLO)
    (sent,) = rows_of(ways)
    assert (sent["result"], sent["error_code"], sent["model"], sent["cost"]) == (1, "RateLimitError", "error-429", 0)


def test_an_export_in_chunks_gets_through_the_proxys_port(ways: Ways):
    """As Go's exporter sends what it packs: no length is told."""
    call = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "any"}
    request = a_request(spans=2, **call)
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.start_time_unix_nano, span.trace_id = time.time_ns(), secrets.token_bytes(16)
    packed = gzip.compress(request.SerializeToString())
    connection = http.client.HTTPConnection(ways.url.removeprefix("http://"), timeout=30)
    headers = {
        "authorization": f"Bearer {ways.tenant.key}",
        "content-type": "application/x-protobuf",
        "content-encoding": "gzip",
    }
    connection.request("POST", "/v1/traces", iter([packed[:50], packed[50:]]), headers, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert len(rows_of(ways)) == 2
