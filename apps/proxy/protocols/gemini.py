"""Gemini's protocol: the model and the operation are in the path."""

import re
from contextlib import suppress
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec.structs import replace

from apps.pricing.rating import Tokens
from apps.proxy.sse import Event

from . import body as bodies
from . import media
from .base import Ask, Count, Headers, Limit, Operation, Reader, Told, Wire, take
from .errors import UNREADABLE, BadBody
from .tools import grounding_bound_of

TEMPLATE_TOKENS = 1024
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"

_REFERENCES = (
    b'"fileData"', b'"file_data"', b'"cachedContent"', b'"cached_content"',
    b'"googleSearch', b'"google_search', b'"urlContext"', b'"url_context"', b'"codeExecution"', b'"code_execution"',
)  # fmt: skip
# These would take the usage out of the answer, or give it a form that we don't read.
_CHANGES_ANSWER = frozenset((b"fields", b"$fields", b"callback", b"$callback", b"alt", b"$alt"))
_READABLE = frozenset((b"alt=sse", b"alt=json", b"$alt=sse", b"$alt=json"))
_WRITTEN = re.compile(rb'"text"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)')
_USAGE_KEY = re.compile(rb'"usageMetadata"\s*:\s*(?=\{)')

SOUND = frozenset(("AUDIO",))
IMAGES = frozenset(("IMAGE", "DOCUMENT"))  # pages are looked at

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


_ABSENT = msgspec.Raw()


class _Body(msgspec.Struct, gc=False):
    """What matters to us, in either spelling that Google takes."""

    camel: msgspec.Raw = msgspec.field(default=_ABSENT, name="generationConfig")
    snake: msgspec.Raw = msgspec.field(default=_ABSENT, name="generation_config")
    service_tier: str | None = msgspec.field(default=None, name="serviceTier")
    service_tier_snake: str | None = msgspec.field(default=None, name="service_tier")
    tools: msgspec.Raw = _ABSENT


class _Config(msgspec.Struct, gc=False):
    """How much may be written: in either spelling again."""

    max_output: Limit | None = msgspec.field(default=None, name="maxOutputTokens")
    candidates: Limit | None = msgspec.field(default=None, name="candidateCount")
    max_output_tokens: Limit | None = None
    candidate_count: Limit | None = None


class _Modality(msgspec.Struct, gc=False, rename="camel"):
    modality: str | None = None
    token_count: Count | None = None


class _Usage(msgspec.Struct, gc=False, rename="camel"):
    """Cached tokens are inside the prompt's; thoughts are outside the candidates'."""

    prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    prompt_tokens_details: list[_Modality] | None = None
    cache_tokens_details: list[_Modality] | None = None
    tool_use_prompt_tokens_details: list[_Modality] | None = None
    candidates_tokens_details: list[_Modality] | None = None
    service_tier: str | None = None
    traffic_type: str | None = None  # the same, with Vertex AI


class _Fault(msgspec.Struct, gc=False):
    status: str | None = None
    message: str | None = None


class _Chunk(msgspec.Struct, gc=False):
    maps: msgspec.Raw = _ABSENT


class _Grounding(msgspec.Struct, gc=False, rename="camel"):
    web_search_queries: list[str] | None = None
    grounding_chunks: list[_Chunk] | None = None


class _Candidate(msgspec.Struct, gc=False, rename="camel"):
    finish_reason: str | None = None
    grounding_metadata: _Grounding | None = None


class _Answer(msgspec.Struct, gc=False, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: msgspec.Raw = _ABSENT  # the prompt was refused: there are no candidates
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: _Fault | None = None


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_config = msgspec.json.Decoder(_Config | None).decode
_decode = msgspec.json.Decoder(_Answer, strict=False).decode  # some write whole numbers as 12.0
_decode_any = msgspec.json.Decoder(_Answer | list[_Answer], strict=False).decode
_decode_usage = msgspec.json.Decoder(_Usage, strict=False).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode

_HOLDERS = frozenset(("requests", "generateContentRequest"))  # of bodies inside the body, which name the model again


class Gemini(Wire):
    """See the module."""

    name = "gemini"
    model_key = "modelVersion"

    def read(self, operation: Operation, body: bytes) -> Ask:
        ask = Ask(model=operation.model, is_streamed=operation.is_streamed, input_bytes=len(body))
        try:
            said = _decode_body(body)
            raw = said.camel if said.snake is _ABSENT else said.snake
            config = None if raw is _ABSENT else _decode_config(raw)
        except UNREADABLE as error:
            if operation.needs_json:
                raise bodies.why(error) from None
            return ask
        bodies.check_unique(body)
        if said.camel is not _ABSENT and said.snake is not _ABSENT:
            raise BadBody("The body has generationConfig and generation_config: give one.", "generationConfig")
        if said.service_tier is not None and said.service_tier_snake is not None:
            raise BadBody("The body has serviceTier and service_tier: give one.", "serviceTier")
        if operation.is_embedding:
            ask.max_output_tokens = 0
        elif config is not None:
            bodies.check_unique(bytes(raw))
            ask.max_output_tokens = _larger(config.max_output, config.max_output_tokens)
            ask.n = max(1, config.candidates or 0, config.candidate_count or 0)
        ask.service_tier = _tier_of(said.service_tier or said.service_tier_snake)
        if said.tools is not _ABSENT:
            ask.units = grounding_bound_of(said.tools)
            ask.finds_input = bool(ask.units)
        return ask

    def prepare(self, operation: Operation, body: bytes, ask: Ask, provider: str, model: str | None = None) -> bytes:
        ask.provider = provider
        return body

    def rename(self, operation: Operation, body: bytes, model: str) -> tuple[Operation, bytes]:
        """The path names the model, and where an SDK repeats it, the body does: of each of several embeddings, too."""
        collection = operation.path[: operation.path.rindex(b"/") + 1]
        verb = operation.path[operation.path.rindex(b":") :]
        operation = replace(operation, path=collection + model.encode() + verb, model=model)
        return operation, _with_model(body, f"models/{model}")

    def input_bound(self, operation: Operation, body: bytes) -> int | None:
        if any(reference in body for reference in _REFERENCES):
            return None
        images = media.gemini_bound(body) if b'"inline' in body else 0
        return None if images is None else len(body) + images + TEMPLATE_TOKENS

    def sign(self, headers: Headers, secret: bytes) -> Headers:
        return [*headers, (b"x-goog-api-key", secret)]

    def query(self, operation: Operation, query: bytes) -> bytes:
        """Only what leaves the answer readable: JSON, as a whole or as events, with its usage."""
        if not query or not operation.needs_json:
            return query
        return b"&".join(part for part in query.split(b"&") if not _changes_answer(part))

    def reader(self, operation: Operation, ask: Ask) -> "GeminiReader":
        return GeminiReader(operation, ask)

    def error(self, status: int, code: str, message: str, param: str | None = None, limit: Told | None = None) -> bytes:
        name = _STATUSES.get(status) or ("INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
        info: dict[str, object] = {"@type": ERROR_INFO, "reason": code.upper(), "domain": "tollgate"}
        if limit:
            info["metadata"] = {field: str(value) for field, value in limit.items() if value is not None}
        return _encode({"error": {"code": status, "message": message, "status": name, "details": [info]}})

    def error_event(self, operation: Operation, status: int, code: str, message: str) -> bytes:
        return b"data: " + self.error(status, code, message) + b"\n\n"


class GeminiReader(Reader):
    """Of one answer. Every part of a stream tells the usage so far; no event says that it is the last."""

    def __init__(self, operation: Operation, ask: Ask) -> None:
        super().__init__(operation, ask)
        self.service_tier = ask.service_tier  # unless the answer tells another
        self._queries: set[str] = set()
        self._cached_audio = 0
        self._is_mapped = False

    def tells(self, raw: bytes) -> bool:
        return b'"usageMetadata"' in raw or b'"finishReason"' in raw or b'"error"' in raw

    def read(self, event: Event) -> bool:
        with suppress(*UNREADABLE):
            self._take(_decode(event.data))
        return False

    def read_body(self, body: bytes) -> None:
        try:
            answer = _decode_any(body)
        except UNREADABLE:
            return
        for part in answer if isinstance(answer, list) else [answer]:
            self._take(part)
        self.is_settled = self.tokens is not None

    def read_excerpt(self, raw: bytes) -> None:
        found = bodies.last_object(raw, _USAGE_KEY)
        if found is None:
            return
        try:
            self._tell(_decode_usage(found))
        except UNREADABLE:
            return
        self.is_settled = b'"finishReason"' in raw

    def words(self, raw: bytes) -> list[bytes]:
        return _WRITTEN.findall(raw)

    def _take(self, answer: _Answer) -> None:
        self.model = answer.model_version or self.model
        self.request_id = answer.response_id or self.request_id
        if answer.error is not None:
            self.error_code = answer.error.status or "error"
            self.error_message = answer.error.message or ""
        if answer.usage_metadata is not None:
            self._tell(answer.usage_metadata)
        for candidate in answer.candidates or ():
            if candidate.grounding_metadata is not None:
                self._note_grounding(candidate.grounding_metadata)
        if answer.prompt_feedback is not _ABSENT or any(each.finish_reason for each in answer.candidates or ()):
            self.is_settled = True

    def _tell(self, usage: _Usage) -> None:
        self.tokens = _tokens_of(usage)
        if told := usage.service_tier or usage.traffic_type:
            self.service_tier = _tier_of(told)
        self._cached_audio = max(0, _count(usage.cache_tokens_details, SOUND))
        self._count_units()

    def _note_grounding(self, grounding: _Grounding) -> None:
        """Told again and again in a stream; the same search twice is one."""
        self._queries.update(query for query in grounding.web_search_queries or () if query)
        self._is_mapped = self._is_mapped or any(
            each.maps is not _ABSENT and bytes(each.maps) != b"null" for each in grounding.grounding_chunks or ()
        )
        self._count_units()

    def _count_units(self) -> None:
        counted = {
            "web_search": len(self._queries),
            "grounded_prompt": min(1, len(self._queries)),
            "grounded_map": int(self._is_mapped),
            "cache_read_audio": self._cached_audio,
        }
        self.units = {name: count for name, count in counted.items() if count}


def _tier_of(told: str | None) -> str:
    """ "flex", however it is told: SERVICE_TIER_FLEX, ON_DEMAND_FLEX."""
    name = (told or "").lower().removeprefix("service_tier_").removeprefix("on_demand").strip("_")
    return "" if name in ("standard", "unspecified") else name[:40]


def _with_model(body: bytes, name: str) -> bytes:
    """`body` with another model's name wherever it has one. Raises BadBody for a key that stands twice."""
    found = bodies.spans(body)
    if "model" in found:
        body = bodies.replaced(body, found["model"], _encode(name))
    for holder in _HOLDERS.intersection(found):
        span = bodies.spans(body)[holder]
        inner = body[span.start : span.end]
        if inner.startswith(b"{"):
            body = bodies.replaced(body, span, _with_model(inner, name))
        elif inner.startswith(b"["):
            each = [bytes(raw) for raw in _decode_list(inner)]
            renamed = [_with_model(raw, name) if raw.startswith(b"{") else raw for raw in each]
            body = bodies.replaced(body, span, b"[" + b",".join(renamed) + b"]")
    return body


def _tokens_of(usage: _Usage) -> Tokens:
    """Cached tokens are inside the prompt's, of each modality; thoughts are outside the candidates'."""
    cached = max(0, usage.cached_content_token_count or 0)
    prompt = max(0, usage.prompt_token_count or 0) + max(0, usage.tool_use_prompt_token_count or 0)
    details = (usage.prompt_tokens_details or []) + (usage.tool_use_prompt_tokens_details or [])
    read, left = take(prompt, cached)
    audio, left = take(left, _count(details, SOUND) - _count(usage.cache_tokens_details, SOUND))
    image, text = take(left, _count(details, IMAGES) - _count(usage.cache_tokens_details, IMAGES))
    written = max(0, usage.candidates_token_count or 0)
    audio_out, left = take(written, _count(usage.candidates_tokens_details, SOUND))
    image_out, text_out = take(left, _count(usage.candidates_tokens_details, IMAGES))
    thought = max(0, usage.thoughts_token_count or 0)
    return Tokens(text, read, 0, 0, 0, audio, image, text_out, thought, audio_out, image_out)


def _changes_answer(parameter: bytes) -> bool:
    return parameter not in _READABLE and unquote_to_bytes(parameter.partition(b"=")[0]) in _CHANGES_ANSWER


def _count(details: list[_Modality] | None, modalities: frozenset[str]) -> int:
    return sum(each.token_count or 0 for each in details or () if each.modality in modalities)


def _larger(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else max(one, other)
