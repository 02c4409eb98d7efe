"""Anthropic's protocol: messages, plain and streamed."""

import re

import msgspec

from apps.pricing.rating import Tokens
from apps.proxy.sse import Event

from . import body as bodies
from . import media
from .anthropic_code import TOOL, container_in, files_in, files_of
from .base import TOP, Ask, Count, Headers, Limit, Operation, Reader, Told, Wire, take
from .errors import UNREADABLE
from .references import references
from .tools import bound_of

TEMPLATE_TOKENS = 2048  # what is added around a conversation and its tools, at most
VERSION = (b"anthropic-version", b"2023-06-01")

_REFERENCES = (
    b'"document"', b'"file_id"', b'"container_upload"', b'"web_search', b'"web_fetch', b'"mcp', b'"code_execution',
)  # fmt: skip
_TOOL_USES = frozenset(("tool_use", "server_tool_use", "mcp_tool_use"))
_NAMED = frozenset(("file_id", "container", "skill_id"))  # that a body can name of what is kept
_WRITTEN = re.compile(rb'"(?:text|thinking|partial_json)"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)')
_USAGE_KEY = re.compile(rb'"usage"\s*:\s*(?=\{)')

_ERROR_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


_ABSENT = msgspec.Raw()


class _Metadata(msgspec.Struct, gc=False):
    user_id: str | None = None


class _Body(msgspec.Struct, gc=False):
    """The fields that matter to us."""

    model: str | None = None
    stream: bool | None = None
    max_tokens: Limit | None = None
    metadata: _Metadata | None = None
    speed: str | None = None
    inference_geo: str | None = None
    tools: msgspec.Raw = _ABSENT


class _CacheCreation(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: Count | None = None
    ephemeral_1h_input_tokens: Count | None = None


class _OutputDetails(msgspec.Struct, gc=False):
    thinking_tokens: Count | None = None


class _ServerTools(msgspec.Struct, gc=False):
    web_search_requests: Count | None = None


class _Usage(msgspec.Struct, gc=False):
    """Cached tokens are not among `input_tokens`; thoughts are among the output's. Streams count each so far."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: _CacheCreation | None = None
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: _ServerTools | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None


class _Fault(msgspec.Struct, gc=False):
    type: str | None = None
    message: str | None = None


class _Message(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    usage: _Usage | None = None
    container: msgspec.Raw = _ABSENT


class _Delta(msgspec.Struct, gc=False):
    stop_reason: str | None = None
    container: msgspec.Raw = _ABSENT


class _Answer(msgspec.Struct, gc=False):
    """A plain answer, or an event of a streamed one."""

    type: str | None = None
    delta: _Delta | None = None
    id: str | None = None
    model: str | None = None
    usage: _Usage | None = None
    message: _Message | str | None = None
    container: msgspec.Raw = _ABSENT
    content: msgspec.Raw = _ABSENT
    content_block: msgspec.Raw = _ABSENT
    error: _Fault | None = None


_decode_body = msgspec.json.Decoder(_Body).decode
_decode = msgspec.json.Decoder(_Answer, strict=False).decode  # some write whole numbers as 12.0
_decode_usage = msgspec.json.Decoder(_Usage, strict=False).decode
_encode = msgspec.json.Encoder().encode


class Anthropic(Wire):
    """See the module."""

    name = "anthropic"
    model_places = frozenset({TOP, (*TOP, b'"message"')})  # a stream's first event has it in its message

    def read(self, operation: Operation, body: bytes) -> Ask:
        try:
            said = _decode_body(body)
        except UNREADABLE as error:
            if operation.needs_json:
                raise bodies.why(error) from None
            return Ask(input_bytes=len(body))
        bodies.check_unique(body)
        units = () if said.tools is _ABSENT else bound_of(said.tools)
        return Ask(
            model=bodies.model_name(said.model),
            is_streamed=said.stream or False,
            end_user=said.metadata.user_id if said.metadata else None,
            max_output_tokens=said.max_tokens,
            input_bytes=len(body),
            service_tier=_tier_of(None, said.speed, said.inference_geo),
            units=units,
            finds_input=bool(units),
            refers_to=tuple(named for named in references(body, _TOOL_USES) if named[0] in _NAMED),
            runs_code=said.tools is not _ABSENT and TOOL in bytes(said.tools),
        )

    def prepare(self, operation: Operation, body: bytes, ask: Ask, provider: str, model: str | None = None) -> bytes:
        ask.provider = provider
        return body

    def rename(self, operation: Operation, body: bytes, model: str) -> tuple[Operation, bytes]:
        return operation, bodies.with_model(body, model)

    def input_bound(self, operation: Operation, body: bytes) -> int | None:
        if any(reference in body for reference in _REFERENCES):
            return None
        images = media.anthropic_bound(body) if b'"image"' in body else 0
        return None if images is None else len(body) + images + TEMPLATE_TOKENS

    def sign(self, headers: Headers, secret: bytes) -> Headers:
        signed = [*headers, (b"x-api-key", secret)]
        if not any(name == b"anthropic-version" for name, _ in headers):
            signed.append(VERSION)
        return signed

    def reader(self, operation: Operation, ask: Ask) -> "AnthropicReader":
        return AnthropicReader(operation, ask)

    def error(self, status: int, code: str, message: str, param: str | None = None, limit: Told | None = None) -> bytes:
        kind = _ERROR_TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
        error: dict[str, object] = {"type": kind, "message": message, "code": code}
        return _encode({"type": "error", "error": error | {"limit": limit} if limit else error})

    def error_event(self, operation: Operation, status: int, code: str, message: str) -> bytes:
        return b"event: error\ndata: " + self.error(status, code, message) + b"\n\n"


class AnthropicReader(Reader):
    """Of one answer. A stream tells the input at its start, and the output, counted so far, towards its end."""

    def __init__(self, operation: Operation, ask: Ask) -> None:
        super().__init__(operation, ask)
        self._usage = _Usage()

    def tells(self, raw: bytes) -> bool:
        return (
            b'"usage"' in raw
            or b"message_stop" in raw
            or b'"error"' in raw
            or (self.ask.runs_code and b'"file_id"' in raw)
        )

    def read(self, event: Event) -> bool:
        try:
            answer = _decode(event.data)
        except UNREADABLE:
            return False
        if answer.type == "message_start" and isinstance(answer.message, _Message):
            self._name(answer.message.id, answer.message.model)
            self._add(answer.message.usage)
            self._keep(answer.message.container)
        elif answer.type == "message_delta":
            self._add(answer.usage)
            self.is_settled = answer.usage is not None and bool(answer.delta and answer.delta.stop_reason)
            self._keep(answer.delta.container if answer.delta else _ABSENT)
        elif answer.content_block is not _ABSENT and self.ask.runs_code:
            self.made += files_of(answer.content_block)
        elif answer.type == "message_stop":
            self.is_final = True
        elif answer.error is not None:
            self._note(answer.error)
        return False

    def read_body(self, body: bytes) -> None:
        try:
            answer = _decode(body)
        except UNREADABLE:
            return
        self._name(answer.id, answer.model)
        if answer.error is not None:
            self._note(answer.error)
        self._add(answer.usage)
        self._keep(answer.container)
        if self.ask.runs_code and answer.content is not _ABSENT:
            self.made += files_in(answer.content)
        self.is_settled = self.tokens is not None

    def read_excerpt(self, raw: bytes) -> None:
        found = bodies.last_object(raw, _USAGE_KEY)
        if found is None:
            return
        try:
            self._add(_decode_usage(found))
        except UNREADABLE:
            return
        self.is_settled = True

    def words(self, raw: bytes) -> list[bytes]:
        return _WRITTEN.findall(raw)

    def _name(self, request_id: str | None, model: str | None) -> None:
        self.model = model or self.model
        self.request_id = request_id or self.request_id

    def _keep(self, container: msgspec.Raw) -> None:
        """Told again and again in a stream."""
        container_id = None if container is _ABSENT else container_in(container)
        if container_id and container_id not in self.made:
            self.made.append(container_id)

    def _note(self, fault: _Fault) -> None:
        self.error_code = fault.type or "error"
        self.error_message = fault.message or ""

    def _add(self, usage: _Usage | None) -> None:
        """Counts that are told take the place of those told before; what isn't told stands."""
        if usage is None:
            return
        known = self._usage
        for name in usage.__struct_fields__:
            value = getattr(usage, name)
            if value is not None:
                setattr(known, name, value)
        self.tokens = _tokens_of(known)
        self.service_tier = _tier_of(known.service_tier, known.speed, known.inference_geo)
        searches = known.server_tool_use.web_search_requests if known.server_tool_use else None
        self.units = {"web_search": searches} if searches and searches > 0 else {}


def _tier_of(service_tier: str | None, speed: str | None, geo: str | None) -> str:
    """As one name what makes the price another: how fast, where. Otherwise the tier, which doesn't, but for batches."""
    parts = [name for name in ("fast" if speed == "fast" else "", "us" if geo == "us" else "") if name]
    if parts and service_tier == "batch":
        parts.insert(0, service_tier)
    return "+".join(parts) or (service_tier or "")[:40]


def _tokens_of(usage: _Usage) -> Tokens | None:
    """Writes that the answer doesn't split by their lifetime, wholly or in part, are of the kind without one."""
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    split = usage.cache_creation or _CacheCreation()
    five_minutes = max(0, split.ephemeral_5m_input_tokens or 0)
    one_hour = max(0, split.ephemeral_1h_input_tokens or 0)
    details = usage.output_tokens_details
    thought, text = take(max(0, usage.output_tokens or 0), details.thinking_tokens if details else None)
    return Tokens(
        input=max(0, usage.input_tokens or 0),
        cache_read=max(0, usage.cache_read_input_tokens or 0),
        cache_write_5m=five_minutes,
        cache_write_1h=one_hour,
        cache_write=max(0, (usage.cache_creation_input_tokens or 0) - five_minutes - one_hour),
        output=text,
        reasoning=thought,
    )
