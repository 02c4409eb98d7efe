"""What answers in OpenAI's protocol tell: plain, or streamed as chunks, as a response's events, as transcripts."""

import re

import msgspec
from msgspec.structs import replace

from apps.proxy.sse import Event

from . import body as bodies
from .base import Ask, Operation, Reader
from .compatible import dialect_of
from .errors import UNREADABLE
from .openai_usage import Usage, cost_of, tokens_of, units_of
from .tools import ToolCalls

ENDINGS = frozenset(("response.completed", "response.incomplete", "response.failed", "error"))

_STRING = rb'"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)'
_WRITTEN = re.compile(rb'"(?:content|reasoning_content|reasoning|refusal|arguments|text|transcript)' + _STRING)
_DELTA = re.compile(rb'"delta' + _STRING)  # a response's other events repeat the text as a whole
_SERVICE_TIER = re.compile(rb'"service_tier"\s*:\s*"([a-z_]{1,40})"')
_STATE = re.compile(rb'\s*\{[^{}]{0,1000}"status"\s*:\s*"([a-z_]{1,40})"')  # of a response that is not a stream's
_USAGE_KEY = re.compile(rb'"usage"\s*:\s*(?=\{)')
_ENDING = re.compile(rb'"type"\s*:\s*"(?:' + b"|".join(ending.encode() for ending in sorted(ENDINGS)) + rb')"')


_ABSENT = msgspec.Raw()


class Fault(msgspec.Struct, gc=False):
    """An error, in a body or in a stream."""

    message: str | None = None
    type: str | None = None
    code: str | int | None = None


class _Named(msgspec.Struct, gc=False):
    id: str | None = None


class _Choice(msgspec.Struct, gc=False):
    finish_reason: str | None = None
    usage: Usage | None = None  # Moonshot


class _Groq(msgspec.Struct, gc=False):
    usage: Usage | None = None


class _Response(msgspec.Struct, gc=False):
    """The answer that a response's event carries."""

    id: str | None = None
    status: msgspec.Raw = _ABSENT
    model: str | None = None
    usage: Usage | None = None
    service_tier: str | None = None
    output: msgspec.Raw = _ABSENT
    tool_usage: msgspec.Raw = _ABSENT
    error: Fault | None = None


class Answer(msgspec.Struct, gc=False):
    """A plain answer, or one event of a streamed one: the fields that matter, of all kinds."""

    id: str | None = None
    type: str | None = None
    status: msgspec.Raw = _ABSENT  # of a response; elsewhere it may be anything
    model: str | None = None
    usage: Usage | None = None
    service_tier: str | None = None
    output: msgspec.Raw = _ABSENT
    tool_usage: msgspec.Raw = _ABSENT
    item: msgspec.Raw = _ABSENT  # of an event that tells of one
    file: msgspec.Raw = _ABSENT  # that an upload has become
    choices: list[_Choice] | None = None
    response: _Response | None = None
    x_groq: _Groq | None = None
    error: Fault | str | None = None
    code: str | int | None = None  # of an "error" event, with its message
    message: str | None = None


_decode = msgspec.json.Decoder(Answer, strict=False).decode  # some write whole numbers as 12.0
_decode_named = msgspec.json.Decoder(_Named | None).decode
_decode_usage = msgspec.json.Decoder(Usage, strict=False).decode


class OpenAIReader(Reader):
    """Of one answer."""

    def __init__(self, operation: Operation, ask: Ask) -> None:
        super().__init__(operation, ask)
        self.endings = ENDINGS
        self._dialect = dialect_of(ask.provider)
        self._is_response = operation.name == "responses"
        self._tools = ToolCalls(ask.units) if self._is_response else None
        self._makes_file = operation.name == "uploads.complete"
        self._told_units: dict[str, int] = {}  # by the usage itself
        self._is_image = operation.name.startswith("images.")

    def tells(self, raw: bytes) -> bool:
        # With include_usage every chunk says "usage":null, which tells nothing.
        return (
            (b'"usage"' in raw and raw.count(b'"usage"') != raw.count(b'"usage":null') + raw.count(b'"usage": null'))
            or b"[DONE]" in raw
            or b'"error"' in raw
            or (self._is_response and (b"response.failed" in raw or b'_call"' in raw))
        )

    def read(self, event: Event) -> bool:
        if event.data.startswith(b"[DONE]"):
            self._end()
            return False
        try:
            answer = _decode(event.data)
        except UNREADABLE:
            return False
        is_usage_only = self._take(answer)
        if answer.type in self.endings:
            self._end()
        return is_usage_only and self.ask.hides_usage

    def read_body(self, body: bytes) -> None:
        try:
            self._take(_decode(body))
        except UNREADABLE:
            return
        self.is_settled = self.tokens is not None

    def read_excerpt(self, raw: bytes) -> None:
        found = bodies.last_object(raw, _USAGE_KEY)
        if found is not None:
            try:
                self._tell(_decode_usage(found))
            except UNREADABLE:
                return
            self.is_settled = self.tokens is not None
        if told := _SERVICE_TIER.findall(raw):
            self._name_tier(told[-1].decode())
        if self._tools is not None:
            self._tools.note_excerpt(raw)
            if begun := _STATE.match(raw):
                self.state = begun[1].decode()
            self._count()
            if _ENDING.search(raw, 0, 1000):
                self._end()

    def words(self, raw: bytes) -> list[bytes]:
        return (_DELTA if self._is_response else _WRITTEN).findall(raw)

    def _end(self) -> None:
        self.is_final = True
        self.is_settled = self.tokens is not None

    def _take(self, answer: Answer) -> bool:
        """Note what it tells; True if it is nothing but usage."""
        inner = answer.response or answer
        self.model = inner.model or self.model
        self.request_id = inner.id or self.request_id
        if self._makes_file:
            self.request_id = _id_in(answer.file)
        if inner.service_tier:
            self._name_tier(inner.service_tier)
        if self._tools is not None:
            self._note_tools(answer, inner, self._tools)
            if inner.status is not _ABSENT:
                self.state = bytes(inner.status).decode("latin-1").strip('"')
        if inner.error or answer.type == "error":
            self._note(inner.error or Fault(answer.message, None, answer.code))
        usage = inner.usage
        if usage is None and answer.x_groq is not None:
            usage = answer.x_groq.usage
        is_end = not answer.choices
        for choice in answer.choices or ():
            usage = usage or choice.usage
            is_end = is_end or choice.finish_reason is not None
        if usage is None:
            return False
        self._tell(usage)
        # Usage told at every chunk (vLLM can) is that of the whole answer only at its end.
        self.is_settled = is_end and self.tokens is not None
        return answer.choices == []

    def _note_tools(self, answer: Answer, inner: Answer | _Response, tools: ToolCalls) -> None:
        if answer.type == "response.output_item.done":
            tools.note(answer.item)
        elif inner.output is not _ABSENT:
            tools.note_all(inner.output)
            self.made = tools.made
        if inner.tool_usage is not _ABSENT:
            tools.note_usage(inner.tool_usage)
        self._count()

    def _count(self) -> None:
        """What the usage tells goes before what was counted: some tools leave no item."""
        counted = self._tools.count() if self._tools is not None else {}
        self.units = counted | self._told_units

    def _name_tier(self, name: str | None) -> None:
        if name and name != "auto":  # which is what was asked for, said before it is known what was given
            self.service_tier = name[:40]

    def _tell(self, usage: Usage) -> None:
        self._told_units = units_of(usage)
        if self._told_units or self._tools is not None:
            self._count()
        self.provider_cost = cost_of(usage) or self.provider_cost
        tokens = tokens_of(usage, self._dialect)
        if tokens is None:
            return
        if self._is_image and usage.output_tokens_details is None:
            tokens = replace(tokens, output=0, output_image=tokens.output)
        self.tokens = tokens

    def _note(self, fault: Fault | str) -> None:
        if isinstance(fault, str):
            fault = Fault(fault)
        self.error_code = str(fault.code or fault.type or "error")
        self.error_message = fault.message or ""


def _id_in(raw: msgspec.Raw) -> str | None:
    try:
        named = None if raw is _ABSENT else _decode_named(raw)
    except UNREADABLE:
        return None
    return None if named is None else named.id
