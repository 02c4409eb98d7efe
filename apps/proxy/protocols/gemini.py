"""Gemini's protocol: the model and the operation are in the path."""

import re
from contextlib import suppress
from urllib.parse import unquote_to_bytes

import msgspec

from apps.pricing.rating import Tokens
from apps.proxy.sse import Event

from . import body as bodies
from .base import Ask, Count, Headers, Limit, Operation, Reader, Wire, take
from .errors import BadBody

TEMPLATE_TOKENS = 1024

_REFERENCES = (
    b'"inlineData"', b'"inline_data"', b'"fileData"', b'"file_data"', b'"cachedContent"', b'"cached_content"',
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


class _Fault(msgspec.Struct, gc=False):
    status: str | None = None
    message: str | None = None


class _Candidate(msgspec.Struct, gc=False, rename="camel"):
    finish_reason: str | None = None


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
_encode = msgspec.json.Encoder().encode


class Gemini(Wire):
    """See the module."""

    name = "gemini"

    def read(self, operation: Operation, body: bytes) -> Ask:
        ask = Ask(model=operation.model, is_streamed=operation.is_streamed, input_bytes=len(body))
        try:
            said = _decode_body(body)
            raw = said.camel if said.snake is _ABSENT else said.snake
            config = None if raw is _ABSENT else _decode_config(raw)
        except msgspec.DecodeError as error:
            if operation.needs_json:
                raise bodies.why(error) from None
            return ask
        bodies.check_unique(body)
        if said.camel is not _ABSENT and said.snake is not _ABSENT:
            raise BadBody("The body has generationConfig and generation_config: give one.", "generationConfig")
        if operation.is_embedding:
            ask.max_output_tokens = 0
        elif config is not None:
            bodies.check_unique(bytes(raw))
            ask.max_output_tokens = _larger(config.max_output, config.max_output_tokens)
            ask.n = max(1, config.candidates or 0, config.candidate_count or 0)
        return ask

    def prepare(self, operation: Operation, body: bytes, ask: Ask, provider: str, model: str | None = None) -> bytes:
        ask.provider = provider
        return body

    def input_bound(self, operation: Operation, body: bytes) -> int | None:
        if any(reference in body for reference in _REFERENCES):
            return None
        return len(body) + TEMPLATE_TOKENS

    def sign(self, headers: Headers, secret: bytes) -> Headers:
        return [*headers, (b"x-goog-api-key", secret)]

    def query(self, operation: Operation, query: bytes) -> bytes:
        """Only what leaves the answer readable: JSON, as a whole or as events, with its usage."""
        if not query or not operation.needs_json:
            return query
        return b"&".join(part for part in query.split(b"&") if not _changes_answer(part))

    def reader(self, operation: Operation, ask: Ask) -> "GeminiReader":
        return GeminiReader(operation, ask)

    def error(self, status: int, code: str, message: str, param: str | None = None) -> bytes:
        name = _STATUSES.get(status) or ("INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code.upper(), "domain": "tollgate"}]
        return _encode({"error": {"code": status, "message": message, "status": name, "details": details}})

    def error_event(self, operation: Operation, status: int, code: str, message: str) -> bytes:
        return b"data: " + self.error(status, code, message) + b"\n\n"


class GeminiReader(Reader):
    """Of one answer. Every part of a stream tells the usage so far; no event says that it is the last."""

    def tells(self, raw: bytes) -> bool:
        return b'"usageMetadata"' in raw or b'"finishReason"' in raw or b'"error"' in raw

    def read(self, event: Event) -> bool:
        with suppress(msgspec.DecodeError):
            self._take(_decode(event.data))
        return False

    def read_body(self, body: bytes) -> None:
        try:
            answer = _decode_any(body)
        except msgspec.DecodeError:
            return
        for part in answer if isinstance(answer, list) else [answer]:
            self._take(part)
        self.is_settled = self.tokens is not None

    def read_excerpt(self, raw: bytes) -> None:
        found = bodies.last_object(raw, _USAGE_KEY)
        if found is None:
            return
        try:
            self.tokens = _tokens_of(_decode_usage(found))
        except msgspec.DecodeError:
            return
        self.is_settled = b'"finishReason"' in raw

    def text_bytes(self, raw: bytes) -> int:
        return bodies.utf8_length(_WRITTEN.findall(raw))

    def _take(self, answer: _Answer) -> None:
        self.model = answer.model_version or self.model
        self.request_id = answer.response_id or self.request_id
        if answer.error is not None:
            self.error_code = answer.error.status or "error"
            self.error_message = answer.error.message or ""
        if answer.usage_metadata is not None:
            self.tokens = _tokens_of(answer.usage_metadata)
        if answer.prompt_feedback is not _ABSENT or any(each.finish_reason for each in answer.candidates or ()):
            self.is_settled = True


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
