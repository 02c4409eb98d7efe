"""Gemini's protocol: the model and the operation are in the path."""

import re
from typing import Annotated

import msgspec

from apps.pricing.rating import Tokens
from apps.proxy.sse import Event

from . import body as bodies
from .base import Ask, BadBody, Headers, Operation, Reader, Wire

Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]

TEMPLATE_TOKENS = 1024

_REFERENCES = (b"inlineData", b"inline_data", b"fileData", b"file_data", b"cachedContent", b"google")
_WRITTEN = re.compile(rb'"text"\s*:\s*"((?:[^"\\]|\\.)*)"?')
_USAGE_KEY = re.compile(rb'"usageMetadata"\s*:\s*(?=\{)')

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


class _Config(msgspec.Struct, gc=False, rename="camel"):
    max_output_tokens: Count | None = None
    candidate_count: Count | None = None


class _Body(msgspec.Struct, gc=False):
    """The fields that matter to us, in either spelling that Google takes."""

    camel: _Config | None = msgspec.field(default=None, name="generationConfig")
    snake: msgspec.Raw = msgspec.field(default=_ABSENT, name="generation_config")


class _SnakeConfig(msgspec.Struct, gc=False):
    max_output_tokens: Count | None = None
    candidate_count: Count | None = None


class _Modality(msgspec.Struct, gc=False, rename="camel"):
    modality: str | None = None
    token_count: int | None = None


class _Usage(msgspec.Struct, gc=False, rename="camel"):
    """Cached tokens are inside the prompt's; thoughts are outside the candidates'."""

    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    prompt_tokens_details: list[_Modality] | None = None
    candidates_tokens_details: list[_Modality] | None = None


class _Fault(msgspec.Struct, gc=False):
    status: str | None = None
    message: str | None = None


class _Answer(msgspec.Struct, gc=False, rename="camel"):
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: _Fault | None = None


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_snake = msgspec.json.Decoder(_SnakeConfig).decode
_decode = msgspec.json.Decoder(_Answer).decode
_decode_any = msgspec.json.Decoder(_Answer | list[_Answer]).decode
_decode_usage = msgspec.json.Decoder(_Usage).decode
_encode = msgspec.json.Encoder().encode
_unique = bodies.Uniqueness("generationConfig", "generation_config")


class Gemini(Wire):
    """See the module."""

    name = "gemini"

    def read(self, operation: Operation, body: bytes) -> Ask:
        ask = Ask(model=operation.model, is_streamed=operation.is_streamed, input_bytes=len(body))
        try:
            said = _decode_body(body)
            config = _decode_snake(said.snake) if said.snake is not _ABSENT else said.camel
        except msgspec.DecodeError as error:
            if operation.needs_json:
                raise bodies.why(error) from None
            return ask
        _unique.check(body)
        if said.snake is not _ABSENT and said.camel is not None:
            raise BadBody("The body has generationConfig and generation_config: give one.", "generationConfig")
        if operation.name in ("embedContent", "batchEmbedContents"):
            ask.max_output_tokens = 0
        elif config is not None:
            ask.max_output_tokens = config.max_output_tokens
            ask.n = max(1, config.candidate_count or 1)
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
        """`fields` and `$fields` would take the usage out of the answer."""
        if not query:
            return query
        parts = query.split(b"&")
        return b"&".join(part for part in parts if part.partition(b"=")[0] not in (b"fields", b"$fields", b"%24fields"))

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
        return b'"usageMetadata"' in raw or b'"error"' in raw

    def read(self, event: Event) -> bool:
        try:
            self._take(_decode(event.data))
        except msgspec.DecodeError:
            return False
        self.is_settled = self.is_settled or b'"finishReason"' in event.data
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
        if found is not None:
            self.tokens = _tokens_of(_decode_usage(found))
            self.is_settled = True

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


def _tokens_of(usage: _Usage) -> Tokens:
    cached = usage.cached_content_token_count or 0
    audio, images = (_of_modality(usage.prompt_tokens_details, kind) for kind in ("AUDIO", "IMAGE"))
    audio_out, images_out = (_of_modality(usage.candidates_tokens_details, kind) for kind in ("AUDIO", "IMAGE"))
    prompt = (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0)
    return Tokens(
        input=max(0, prompt - cached - audio - images),
        cache_read=cached,
        input_audio=audio,
        input_image=images,
        output=max(0, (usage.candidates_token_count or 0) - audio_out - images_out),
        reasoning=usage.thoughts_token_count or 0,
        output_audio=audio_out,
        output_image=images_out,
    )


def _of_modality(details: list[_Modality] | None, modality: str) -> int:
    return sum(each.token_count or 0 for each in details or () if each.modality == modality)
