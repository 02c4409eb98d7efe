"""What the answers of OpenAI's protocol tell: plain, or streamed as chunks, as response events, as transcripts."""

import re

import msgspec

from apps.proxy.sse import Event

from . import body as bodies
from .base import Ask, Operation, Reader
from .compatible import dialect_of
from .openai_usage import Usage, tokens_of

ENDINGS = frozenset(("response.completed", "response.incomplete", "response.failed", "error"))

# Only these are the model's words: the events that repeat a text as a whole have it under other names.
_WRITTEN = re.compile(
    rb'"(?:content|reasoning_content|reasoning|refusal|arguments|text|delta)"\s*:\s*"((?:[^"\\]|\\.)*)"?'
)
_DELTA = re.compile(rb'"delta"\s*:\s*"((?:[^"\\]|\\.)*)"?')
_USAGE_KEY = re.compile(rb'"usage"\s*:\s*(?=\{)')


class Fault(msgspec.Struct, gc=False):
    """An error, in a body or in a stream."""

    message: str | None = None
    type: str | None = None
    code: str | int | None = None


class _Choice(msgspec.Struct, gc=False):
    finish_reason: str | None = None
    usage: Usage | None = None  # Moonshot


class _Groq(msgspec.Struct, gc=False):
    usage: Usage | None = None


class _Response(msgspec.Struct, gc=False):
    """The answer that an event of the Responses API carries."""

    id: str | None = None
    model: str | None = None
    usage: Usage | None = None
    error: Fault | None = None


class Answer(msgspec.Struct, gc=False):
    """A plain answer, or one event of a streamed one: the fields that matter, of all kinds."""

    id: str | None = None
    type: str | None = None
    model: str | None = None
    usage: Usage | None = None
    choices: list[_Choice] | None = None
    response: _Response | None = None
    x_groq: _Groq | None = None
    error: Fault | str | None = None
    code: str | int | None = None  # of an "error" event, with its message
    message: str | None = None


_decode = msgspec.json.Decoder(Answer).decode
_decode_usage = msgspec.json.Decoder(Usage).decode


class OpenAIReader(Reader):
    """Of one answer."""

    def __init__(self, operation: Operation, ask: Ask) -> None:
        super().__init__(operation, ask)
        self._dialect = dialect_of(ask.provider)
        self._is_response = operation.name == "responses"

    def tells(self, raw: bytes) -> bool:
        # With include_usage every chunk says "usage":null, which tells nothing.
        return (
            raw.count(b'"usage"') != raw.count(b'"usage":null')
            or b"[DONE]" in raw
            or b'"error"' in raw
            or (self._is_response and b"response.failed" in raw)
        )

    def read(self, event: Event) -> bool:
        if event.data.startswith(b"[DONE]"):
            self.is_final = True
            return False
        try:
            answer = _decode(event.data)
        except msgspec.DecodeError:
            return False
        is_usage_only = self._take(answer)
        if answer.type in ENDINGS:
            self.is_final = True
        return is_usage_only and self.ask.hides_usage

    def read_body(self, body: bytes) -> None:
        try:
            self._take(_decode(body))
        except msgspec.DecodeError:
            return
        self.is_settled = self.tokens is not None

    def read_excerpt(self, raw: bytes) -> None:
        found = bodies.last_object(raw, _USAGE_KEY)
        if found is not None:
            self._tell(_decode_usage(found))
            self.is_settled = True
        if any(f'"type":"{ending}"'.encode() in raw[:1000] for ending in ENDINGS):
            self.is_final = True

    def text_bytes(self, raw: bytes) -> int:
        return bodies.utf8_length((_DELTA if self._is_response else _WRITTEN).findall(raw))

    def _take(self, answer: Answer) -> bool:
        """Note what it tells; True if it is nothing but usage."""
        inner = answer.response or answer
        self.model = inner.model or self.model
        self.request_id = inner.id or self.request_id
        if inner.error or answer.type == "error":
            self._note(inner.error or Fault(answer.message, None, answer.code))
        usage = inner.usage or (answer.x_groq and answer.x_groq.usage)
        for choice in answer.choices or ():
            usage = usage or choice.usage
        if usage is None:
            return False
        self._tell(usage)
        # Usage at every chunk (vLLM's continuous usage) is that of the whole answer only at its end.
        if not answer.choices or any(choice.finish_reason for choice in answer.choices):
            self.is_settled = True
        return answer.choices == []

    def _tell(self, usage: Usage) -> None:
        tokens = tokens_of(usage, self._dialect)
        if tokens is not None:
            self.tokens = tokens

    def _note(self, fault: Fault | str) -> None:
        if isinstance(fault, str):
            fault = Fault(fault)
        self.error_code = str(fault.code or fault.type or "error")
        self.error_message = fault.message or ""
