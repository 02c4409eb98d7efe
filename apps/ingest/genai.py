"""Spans of OpenTelemetry's GenAI conventions as events of ours. Pure.

A span counts if it is of one call of a model. Those of agents, tools and chains stand around such calls, and some
repeat their tokens: they are passed over, like all that is not about models.

The conventions have changed their names more than once, so that several mean the same here: the newest first.
Their `input_tokens` has the cached ones in it, `output_tokens` those of reasoning.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit

from apps.ingest.errors import Invalid
from apps.ingest.event import MOST_ERROR_MESSAGE, Session, Told
from apps.ingest.otlp import Attributes, Span, Value
from apps.ingest.told_usage import MOST_TOKENS
from apps.keys.providers import PROVIDERS, wire_of
from apps.proxy.protocols.base import take

PROVIDER = ("tollgate.provider", "gen_ai.provider.name", "gen_ai.system")
OPERATION = "gen_ai.operation.name"
ASKED, SERVED = ("gen_ai.request.model",), ("gen_ai.response.model",)
INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
CACHE_READ = (
    "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.input_tokens.cached",
)  # fmt: skip
CACHE_WRITE = (
    "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
)  # fmt: skip
REASONING = (
    "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens", "gen_ai.usage.output_tokens.reasoning",
)  # fmt: skip
TIER = ("openai.response.service_tier", "gen_ai.openai.response.service_tier")
FIRST_CHUNK = ("gen_ai.response.time_to_first_chunk",)  # seconds
STREAMED = ("gen_ai.request.stream", "gen_ai.request.is_stream", "llm.is_streaming")
RESPONSE_ID = ("gen_ai.response.id",)
CUSTOMER = ("tollgate.customer",)
USER = ("tollgate.user.id", "user.id", "enduser.id")
SESSION = ("tollgate.session.id", "session.id", "gen_ai.conversation.id")
SESSION_PATH, SESSION_NAME = ("tollgate.session.path",), ("tollgate.session.name",)
STATUS = ("http.response.status_code", "http.status_code")
PROPERTY_PREFIXES = ("tollgate.property.", "helicone.property.")

CALLS = frozenset(("chat", "generate_content", "text_completion", "embeddings"))
ENDPOINTS = {
    "openai": {"chat": "chat.completions", "text_completion": "completions"},
    "anthropic": {"chat": "messages"},
    "gemini": {"chat": "generateContent", "generate_content": "generateContent", "embeddings": "embedContent"},
}
SLUGS = {  # what the conventions call providers whom we call otherwise
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gemini": "google",
    "gcp.vertex_ai": "google",
    "vertex_ai": "google",
    "azure.ai.openai": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.inference": "azure",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "together_ai": "together",
    "moonshot_ai": "moonshotai",
}
HOSTS = {urlsplit(each.base_url).hostname: slug for slug, each in PROVIDERS.items() if each.base_url}
AZURE_HOSTS = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")

T = TypeVar("T", str, int, float, bool)


def told_of(span: Span) -> Told | Invalid | None:
    """The event that a span tells of; None where it is of no call of a model."""
    known = span.attributes
    named = _first(known, PROVIDER, str)
    if not named or not _is_call(known):
        return None
    try:
        return _told_of(span, _provider_of(named, known))
    except Invalid as error:
        return error


def _is_call(known: Attributes) -> bool:
    operation = known.get(OPERATION)
    if operation is not None:
        return operation in CALLS
    # Before the conventions had it: a model was named, and by the call itself.
    is_around = "traceloop.span.kind" in known or "gen_ai.agent.name" in known or "gen_ai.tool.name" in known
    return not is_around and any(name in known for name in (*ASKED, *SERVED))


def _told_of(span: Span, provider: str) -> Told:
    known = span.attributes
    if not span.trace_id.strip("0") or not span.span_id.strip("0"):
        raise Invalid("A span has no id.", "id")
    first_chunk = _first(known, FIRST_CHUNK, float)
    error, status = _error_of(span)
    session = Session(*(_either(span, names) for names in (SESSION, SESSION_PATH, SESSION_NAME)))
    return Told(
        id=f"{span.trace_id}-{span.span_id}",
        started_at=_instant(span.start_ns),
        provider=provider,
        model=_first(known, ASKED, str) or "",
        model_served=_first(known, SERVED, str),
        endpoint=_endpoint_of(known, provider),
        customer=_either(span, CUSTOMER),
        tokens=tokens_of(known),
        service_tier=_tier_of(_first(known, TIER, str)),
        end_user=_either(span, USER),
        properties=_properties(span.resource) | _properties(known) or None,
        session=session if session != Session() else None,
        latency_ms=_milliseconds(span.end_ns - span.start_ns),
        first_token_ms=None if first_chunk is None else _milliseconds(first_chunk * 1_000_000_000),
        is_streamed=bool(_first(known, STREAMED, bool)) or first_chunk is not None,
        result="failed" if error else "served",
        status=status,
        error_code=error,
        error_message=span.message[:MOST_ERROR_MESSAGE] or None if error else None,
        provider_request_id=_first(known, RESPONSE_ID, str),
    )


def tokens_of(known: Attributes) -> dict[str, int]:
    """The disjoint kinds. Cached tokens that are more than all that went in were told apart from them."""
    went_in, came_out = _count(known, INPUT), _count(known, OUTPUT)
    cached, written = _count(known, CACHE_READ), _count(known, CACHE_WRITE)
    if cached + written <= went_in:
        _, went_in = take(went_in, cached + written)
    thought, text = take(came_out, _count(known, REASONING))
    told = {"input": went_in, "cache_read": cached, "cache_write": written, "output": text, "reasoning": thought}
    return {kind: count for kind, count in told.items() if count}


def _provider_of(named: str, known: Attributes) -> str:
    """Ours for it. An SDK of OpenAI's is used for others too: then the address tells."""
    slug = SLUGS.get(named.lower(), named.lower().replace("_", "-").replace(".", "-").replace(" ", "-"))
    host = known.get("server.address")
    if slug == "openai" and isinstance(host, str):
        return "azure" if host.endswith(AZURE_HOSTS) else HOSTS.get(host, slug)
    return slug


def _endpoint_of(known: Attributes, provider: str) -> str:
    operation = _first(known, (OPERATION,), str) or "chat"
    if known.get("openai.api.type") == "responses":
        return "responses"
    wire = wire_of(provider)
    return ENDPOINTS["openai" if wire == "azure" else wire].get(operation, operation)


def _error_of(span: Span) -> tuple[str | None, int | None]:
    """What it failed with, None where it didn't; and the HTTP status, where that is known."""
    kind = _first(span.attributes, ("error.type",), str)
    status = _first(span.attributes, STATUS, int)
    if not kind and not span.is_error:
        return None, status
    if status is None and kind and kind.isdecimal() and len(kind) == 3:
        status = int(kind)
    return kind or "error", status if status is not None and 100 <= status <= 599 else None


def _tier_of(told: str | None) -> str | None:
    return None if told == "auto" else told


def _properties(attributes: Attributes) -> dict[str, Value]:
    """By their names in lower case where they differ in nothing else: those of the span go before the resource's."""
    return {
        name[len(prefix) :]: value
        for name, value in attributes.items()
        for prefix in PROPERTY_PREFIXES
        if name.startswith(prefix) and len(name) > len(prefix)
    }


def _instant(nanoseconds: int) -> datetime:
    """To the microsecond, which is what is stored."""
    if not nanoseconds:
        raise Invalid("A span does not say when it began.", "started_at")
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    except (ValueError, OverflowError, OSError):
        raise Invalid("There is no such time.", "started_at") from None


def _milliseconds(nanoseconds: float) -> int:
    return min(max(0, round(nanoseconds / 1_000_000)), 2**31 - 1) if nanoseconds < 2**63 else 0


def _count(known: Attributes, names: Iterable[str]) -> int:
    count = _first(known, names, int) or 0
    if count > MOST_TOKENS:
        raise Invalid(f"More than {MOST_TOKENS:,} tokens of a kind, in one call.", "tokens")
    return max(0, count)


def _either(span: Span, names: tuple[str, ...]) -> str | None:
    """Of the span; else of its resource, which is what a whole process says of itself."""
    return _text(span.attributes, names) or _text(span.resource, names)


def _text(known: Attributes, names: Iterable[str]) -> str | None:
    """Ids may be numbers."""
    return next((str(known[name]) for name in names if name in known and str(known[name]).strip()), None)


def _first(known: Mapping[str, Value], names: Iterable[str], kind: type[T]) -> T | None:
    """The first that is there and is of the kind; whole numbers are decimals too, and text that is one is a number."""
    for name in names:
        value = known.get(name)
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if kind is int and isinstance(value, float) and value.is_integer():
            return int(value)
        if kind is str and isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None
