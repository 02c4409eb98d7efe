"""Which spans count, and what they tell, in the words of several versions of the conventions."""

import pytest

from apps.ingest.errors import Invalid
from apps.ingest.event import Told
from apps.ingest.genai import told_of
from apps.ingest.otlp import Span
from tests.ingest.test_otlp import START

CALL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-test"}


def a_span(*, resource: dict | None = None, is_error: bool = False, message: str = "", **attributes) -> Span:
    known = {name: value for name, value in (CALL | attributes).items() if value is not None}
    return Span(
        "0af7651916cd43dd8448eb211c80319c",
        "b7ad6b7169203331",
        START,
        START + 812_400_000,
        is_error,
        message,
        known,
        resource or {},
    )


def told(**attributes) -> Told:
    found = told_of(a_span(**attributes))
    assert isinstance(found, Told)
    return found


def test_a_call_is_an_event():
    event = told(
        **{
            "gen_ai.response.model": "gpt-test-2026",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 500,
            "gen_ai.usage.cache_read.input_tokens": 200,
            "gen_ai.usage.cache_creation.input_tokens": 50,
            "gen_ai.usage.reasoning.output_tokens": 100,
            "gen_ai.response.time_to_first_chunk": 0.09,
            "openai.response.service_tier": "flex",
            "user.id": "ada",
            "gen_ai.conversation.id": "conv-7",
            "tollgate.property.Plan": "premium",
            "helicone.property.Seats": 3,
        },
        resource={"tollgate.property.App": "shop", "tollgate.property.Plan": "of the process", "service.name": "x"},
    )
    assert event.id == "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
    assert event.started_at.isoformat() == "2026-03-10T11:59:00.250000+00:00"
    assert (event.provider, event.endpoint) == ("openai", "chat.completions")
    assert (event.model, event.model_served, event.provider_request_id) == ("gpt-test", "gpt-test-2026", "chatcmpl-1")
    assert event.tokens == {"input": 750, "cache_read": 200, "cache_write": 50, "output": 400, "reasoning": 100}
    assert (event.latency_ms, event.first_token_ms, event.is_streamed) == (812, 90, True)
    assert (event.service_tier, event.end_user, event.result) == ("flex", "ada", "served")
    assert event.session is not None
    assert event.session.id == "conv-7"
    assert event.properties == {"App": "shop", "Plan": "premium", "Seats": 3}


PASSED_OVER = [
    pytest.param({"gen_ai.provider.name": None}, id="no-model"),
    pytest.param({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 9}, id="agent"),
    pytest.param({"gen_ai.operation.name": "create_agent"}, id="new-agent"),
    pytest.param({"gen_ai.operation.name": "execute_tool"}, id="tool"),
    pytest.param({"gen_ai.operation.name": "invoke_workflow"}, id="workflow"),
    pytest.param({"gen_ai.operation.name": None, "traceloop.span.kind": "workflow"}, id="older-workflow"),
    pytest.param({"gen_ai.operation.name": None, "gen_ai.request.model": None}, id="nothing-named"),
    pytest.param({"gen_ai.provider.name": 5, "gen_ai.operation.name": True}, id="nonsense"),
]


@pytest.mark.parametrize("attributes", PASSED_OVER)
def test_spans_around_calls_are_passed_over(attributes):
    assert told_of(a_span(**attributes)) is None


TOKENS = [  # said, and read
    pytest.param(
        {"gen_ai.usage.prompt_tokens": 10, "gen_ai.usage.completion_tokens": 5},
        {"input": 10, "output": 5},
        id="older-names",
    ),
    pytest.param(
        {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.cache_read_input_tokens": 4},
        {"input": 6, "cache_read": 4},
        id="openllmetry",
    ),
    pytest.param(
        {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.input_tokens.cached": 4},
        {"input": 6, "cache_read": 4},
        id="sentry",
    ),
    pytest.param(
        {"gen_ai.usage.input_tokens": 3, "gen_ai.usage.cache_read.input_tokens": 400},
        {"input": 3, "cache_read": 400},
        id="cached-told-apart",
    ),
    pytest.param(
        {"gen_ai.usage.output_tokens": 5, "gen_ai.usage.reasoning.output_tokens": 9},
        {"reasoning": 5},
        id="more-reasoning-than-output",
    ),
    pytest.param({"gen_ai.usage.input_tokens": -5, "gen_ai.usage.output_tokens": "many"}, {}, id="nonsense"),
    pytest.param({"gen_ai.usage.input_tokens": 12.0}, {"input": 12}, id="whole-decimals"),
    pytest.param({}, {}, id="none-told"),
]


@pytest.mark.parametrize(("attributes", "tokens"), TOKENS)
def test_tokens_by_their_many_names(attributes, tokens):
    assert told(**attributes).tokens == tokens


PROVIDERS = [  # said, where, and ours
    ("anthropic", None, "anthropic", "messages"),
    ("gcp.gemini", None, "google", "generateContent"),
    ("gcp.vertex_ai", None, "google", "generateContent"),
    ("azure.ai.openai", None, "azure", "chat.completions"),
    ("mistral_ai", None, "mistral", "chat.completions"),
    ("x_ai", None, "x-ai", "chat.completions"),
    ("OpenAI", None, "openai", "chat.completions"),
    ("aws.bedrock", None, "aws-bedrock", "chat.completions"),
    ("openai", "api.groq.com", "groq", "chat.completions"),
    ("openai", "us.openai.azure.com", "azure", "chat.completions"),
    ("openai", "127.0.0.1", "openai", "chat.completions"),
]


@pytest.mark.parametrize(("named", "host", "provider", "endpoint"), PROVIDERS)
def test_providers_by_their_many_names(named, host, provider, endpoint):
    event = told(**{"gen_ai.provider.name": None, "gen_ai.system": named, "server.address": host})
    assert (event.provider, event.endpoint) == (provider, endpoint)


def test_other_operations_have_their_endpoints():
    assert told(**{"gen_ai.operation.name": "embeddings"}).endpoint == "embeddings"
    assert told(**{"gen_ai.operation.name": "text_completion"}).endpoint == "completions"
    assert told(**{"openai.api.type": "responses"}).endpoint == "responses"
    gemini = {"gen_ai.provider.name": "gcp.gemini"}
    assert told(**gemini, **{"gen_ai.operation.name": "embeddings"}).endpoint == "embedContent"
    assert told(**gemini, **{"gen_ai.operation.name": "generate_content"}).endpoint == "generateContent"


def test_what_failed_says_with_what():
    event = told(is_error=True, message="Too many requests", **{"error.type": "RateLimitError"})
    assert (event.result, event.error_code, event.error_message) == ("failed", "RateLimitError", "Too many requests")
    assert told(**{"error.type": "429"}).status == 429
    assert told(**{"error.type": "x", "http.response.status_code": 503}).status == 503
    assert told(is_error=True).error_code == "error"


@pytest.mark.parametrize("wrong", [{"span_id": "0" * 16}, {"trace_id": ""}, {"start_ns": 0}])
def test_a_call_without_id_or_time_is_invalid(wrong):
    assert isinstance(told_of(a_span()._replace(**wrong)), Invalid)
