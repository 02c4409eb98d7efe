"""OpenAI's protocol: chat completions, responses, completions, embeddings, and whatever else is under /v1."""

import re
from collections.abc import Iterator

import msgspec

from . import body as bodies
from . import media, openai_media
from .base import TOP, Ask, Headers, Limit, Operation, Told, Wire
from .compatible import dialect_of
from .errors import UNREADABLE, BadBody
from .form import Form
from .openai_media_reader import MediaReader
from .openai_reader import OpenAIReader
from .references import plain_references, references
from .tools import bound_of

TEMPLATE_TOKENS = 1024  # what providers add around a conversation and its tools, at most
RESPONSES = "responses"
USAGE_ON_DEMAND = frozenset(("chat.completions", "completions"))  # their streams tell it only when asked to
COMPLETION_TOKENS = 16  # of the old completions, where the body says no other number

# Things that cost input tokens and whose size the body doesn't tell.
_REFERENCE = re.compile(
    rb'"(?:web_search|(?:file|input_file|file_id|previous_response_id|conversation|video_url'
    rb'|file_search|mcp|code_interpreter|data_sources)")'
)
_NOT_TEXT = re.compile(_REFERENCE.pattern + b"|" + media.OPENAI_SIGN.pattern)

_ERROR_TYPES = {
    401: "invalid_request_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}

_ABSENT = msgspec.Raw()


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None


class _Named(msgspec.Struct, gc=False):
    id: str | None = None


class _Body(msgspec.Struct, gc=False):
    """The fields that matter to us, of all operations."""

    model: str | None = None
    stream: bool | None = None
    stream_options: msgspec.Raw = _ABSENT
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    max_output_tokens: Limit | None = None
    n: Limit | None = None
    best_of: Limit | None = None
    prompt: msgspec.Raw = _ABSENT
    input: msgspec.Raw = _ABSENT
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: str | _Named | None = None
    service_tier: str | None = None
    tools: msgspec.Raw = _ABSENT
    max_tool_calls: Limit | None = None
    user: str | None = None
    safety_identifier: str | None = None


class _Fault(msgspec.Struct):
    message: str
    type: str
    param: str | None
    code: str
    limit: Told | msgspec.UnsetType = msgspec.UNSET


_decode = msgspec.json.Decoder(_Body).decode
_decode_stream_options = msgspec.json.Decoder(_StreamOptions | None).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class OpenAI(Wire):
    """See the module."""

    name = "openai"
    model_places = frozenset({TOP, (*TOP, b'"response"')})  # events of the responses have it in their response

    # Requests

    def read(self, operation: Operation, body: bytes) -> Ask:
        if operation.is_media:
            return openai_media.read_json(operation, body)
        try:
            said = _decode(body)
        except UNREADABLE as error:
            if operation.needs_json:
                raise bodies.why(error) from None
            return Ask(input_bytes=len(body), refers_to=_named_anyhow(body))  # the provider's to judge
        bodies.check_unique(body)
        if said.background and operation.name != RESPONSES:
            raise BadBody("Only responses can be made in the background.", "background")
        units = () if said.tools is _ABSENT else bound_of(said.tools, said.max_tool_calls)
        ask = Ask(
            model=bodies.model_name(said.model),
            is_streamed=said.stream or False,
            end_user=said.user or said.safety_identifier,
            max_output_tokens=_most_output(operation, said),
            n=_answers(operation, said),
            input_bytes=len(body),
            service_tier=said.service_tier or "",
            units=units,
            finds_input=bool(units),
            is_background=said.background or False,
        )
        if refers_to := tuple(_kept_things(said, body)):
            ask.refers_to = refers_to
        if said.stream and said.stream_options is not _ABSENT:
            ask.has_stream_options = True
            ask.has_usage = _asks_for_usage(bytes(said.stream_options))
        return ask

    form_fields = openai_media.FORM_FIELDS

    def most_files(self, operation: Operation) -> int:
        return openai_media.MOST_FILES if operation.name.startswith(openai_media.IMAGES) else 1

    def read_form(self, operation: Operation, form: Form, size: int) -> Ask:
        return openai_media.read_form(operation, form, size)

    def prepare(self, operation: Operation, body: bytes, ask: Ask, provider: str, model: str | None = None) -> bytes:
        ask.provider = provider
        if model is not None:
            body = bodies.with_model(body, model)
            ask.model = model
        is_untold = ask.is_streamed and not ask.has_usage and operation.name in USAGE_ON_DEMAND
        if not is_untold or not dialect_of(provider).takes_stream_options:
            return body
        ask.hides_usage = True
        if ask.has_stream_options:
            return _with_usage_asked_for(body)
        return bodies.with_first(body, b'"stream_options":{"include_usage":true}')

    def rename(self, operation: Operation, body: bytes, model: str) -> tuple[Operation, bytes]:
        return operation, bodies.with_model(body, model)

    def input_bound(self, operation: Operation, body: bytes) -> int | None:
        images: int | None = 0
        if _NOT_TEXT.search(body):
            images = None if _REFERENCE.search(body) else media.openai_bound(body)
        return None if images is None else len(body) + images + TEMPLATE_TOKENS  # no token is shorter than a byte

    def sign(self, headers: Headers, secret: bytes) -> Headers:
        return [*headers, (b"authorization", b"Bearer " + secret)]

    # Answers

    def reader(self, operation: Operation, ask: Ask) -> OpenAIReader:
        if operation.is_media:
            return MediaReader(operation, ask)
        return OpenAIReader(operation, ask)

    def error(self, status: int, code: str, message: str, param: str | None = None, limit: Told | None = None) -> bytes:
        kind = _ERROR_TYPES.get(status) or ("server_error" if status >= 500 else "invalid_request_error")
        return _encode({"error": _Fault(message, kind, param, code, limit or msgspec.UNSET)})

    def error_event(self, operation: Operation, status: int, code: str, message: str) -> bytes:
        if operation.name != RESPONSES:
            return b"data: " + self.error(status, code, message) + b"\n\n"
        fault = {"type": "error", "code": code, "message": message, "param": None}
        return b"event: error\ndata: " + _encode(fault) + b"\n\n"


def _most_output(operation: Operation, said: _Body) -> int | None:
    if operation.name == "embeddings":
        return 0
    if operation.name == RESPONSES:
        return said.max_output_tokens
    if operation.name == "completions":
        return COMPLETION_TOKENS if said.max_tokens is None else said.max_tokens
    if said.max_tokens is None or said.max_completion_tokens is None:
        return said.max_completion_tokens if said.max_tokens is None else said.max_tokens
    return max(said.max_tokens, said.max_completion_tokens)


def _answers(operation: Operation, said: _Body) -> int:
    """How many answers are written, at most: completions are for each prompt, and may be the best of several."""
    answers = max(1, said.n or 1)
    if operation.name != "completions":
        return answers
    answers = max(answers, said.best_of or 1)
    prompt = bytes(said.prompt)
    if prompt.startswith(b"["):
        prompts = _decode_list(prompt)
        if prompts and bytes(prompts[0])[:1] in (b'"', b"["):  # else it is one prompt, in tokens
            answers *= len(prompts)
    return answers


def _kept_things(said: _Body, body: bytes) -> Iterator[tuple[str, str]]:
    """What the body names of what the provider keeps."""
    if said.previous_response_id:
        yield "previous_response_id", said.previous_response_id
    conversation = said.conversation.id if isinstance(said.conversation, _Named) else said.conversation
    if said.conversation:
        yield "conversation", conversation or ""
    if said.input is not _ABSENT:
        yield from plain_references(bytes(said.input))
    yield from references(body)


def _named_anyhow(body: bytes) -> tuple[tuple[str, str], ...]:
    """What a body names that has something of another form than we know."""
    try:
        return tuple(references(body))
    except UNREADABLE:
        return ()


def _asks_for_usage(options: bytes) -> bool:
    """Whether usage will be told without our asking, or cannot be asked for."""
    try:
        said = _decode_stream_options(options)
    except UNREADABLE:
        return True  # the provider will refuse it
    if said is None:
        return False
    bodies.check_unique(options)
    return said.include_usage is True


def _with_usage_asked_for(body: bytes) -> bytes:
    """`body`, which has stream_options, with include_usage set to true in them; all other bytes as they were."""
    span = bodies.spans(body)["stream_options"]
    options = body[span.start : span.end]
    inner = {} if options == b"null" else bodies.spans(options)
    if not inner:
        options = b'{"include_usage":true}'
    elif "include_usage" in inner:
        options = bodies.replaced(options, inner["include_usage"], b"true")
    else:
        options = bodies.with_first(options, b'"include_usage":true')
    return bodies.replaced(body, span, options)
