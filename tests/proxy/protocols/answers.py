"""Answers as providers give them, and what they cost: the same usage in every form that a protocol has."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from apps.pricing.rating import Tokens
from apps.proxy.headers import ResponseHead
from apps.proxy.meter import Meter, Usage
from apps.proxy.protocols import routes
from apps.proxy.protocols.base import Ask, Match

JSON = b"application/json"
EVENTS = b"text/event-stream; charset=utf-8"
# Text of a model that talks of the very things that are looked for.
TRICKY = 'say "usage": {"prompt_tokens": 9} and data: [DONE]\n\nevent: message_stop "finishReason" é漢🚀'

CHAT = routes.find("POST", b"/v1/chat/completions", [])
COMPLETIONS = routes.find("POST", b"/v1/completions", [])
RESPONSES = routes.find("POST", b"/v1/responses", [])
EMBEDDINGS = routes.find("POST", b"/v1/embeddings", [])
IMAGES = routes.find("POST", b"/v1/images/generations", [])
SPEECH = routes.find("POST", b"/v1/audio/speech", [])
TRANSCRIPTIONS = routes.find("POST", b"/v1/audio/transcriptions", [])
EDITS = routes.find("POST", b"/v1/images/edits", [])
SOMETHING = routes.find("POST", b"/v1/something/new", [])  # that we know nothing of
MESSAGES = routes.find("POST", b"/v1/messages", [])
GENERATE = routes.find("POST", b"/v1beta/models/gemini-2.5-pro:generateContent", [])
STREAM_GENERATE = routes.find("POST", b"/v1beta/models/gemini-2.5-pro:streamGenerateContent", [])


USAGE = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33}
TOKENS = Tokens(input=11, output=22)
HELLO = "Hëllo wörld 🚀"  # 18 bytes of UTF-8: 5 tokens where they have to be estimated


def asked_for_usage() -> Ask:
    """Of a stream for which we asked for usage, and the client didn't."""
    return Ask(is_streamed=True, hides_usage=True, input_bytes=400)


def words(text: str, **more: object) -> dict[str, object]:
    """A chunk of a chat's stream."""
    return {"id": "chatcmpl-1", "model": "gpt-4o", "choices": [{"index": 0, "delta": {"content": text}}], **more}


def encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def events(*payloads: object, named: bool = False) -> bytes:
    """A stream of JSON events; `named`: each under its own type."""
    stream = b""
    for payload in payloads:
        if named:
            stream += b"event: " + payload["type"].encode() + b"\n"
        stream += b"data: " + (payload if isinstance(payload, bytes) else encode(payload)) + b"\n\n"
    return stream


# The forms of an answer with a given usage


def chat(usage: object) -> bytes:
    message = {"role": "assistant", "content": TRICKY}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return encode({"id": "chatcmpl-1", "model": "gpt-4o-2024-08-06", "choices": choices, "usage": usage})


def chat_stream(usage: object, *, nulls: bool = True) -> bytes:
    """As OpenAI does with include_usage: null at each chunk, then one with usage and without choices."""
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-4o-2024-08-06"}
    deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": word}, None) for word in (TRICKY[:30], TRICKY[30:])]
    deltas += [({}, "stop")]
    chunks: list[object] = []
    for delta, reason in deltas:
        chunk = {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        chunks.append({**chunk, "usage": None} if nulls else chunk)
    return events(*chunks, {**base, "choices": [], "usage": usage}, b"[DONE]")


def response(usage: object) -> bytes:
    output = [{"type": "message", "content": [{"type": "output_text", "text": TRICKY}]}]
    return encode({"id": "resp_1", "object": "response", "model": "gpt-5", "output": output, "usage": usage})


def response_stream(usage: object, ending: str = "response.completed") -> bytes:
    answer = {"id": "resp_1", "object": "response", "model": "gpt-5"}
    return events(
        {"type": "response.created", "response": {**answer, "usage": None, "error": None}},
        {"type": "response.output_text.delta", "item_id": "msg_1", "delta": TRICKY},
        {"type": "response.output_text.done", "item_id": "msg_1", "text": TRICKY},
        {"type": ending, "response": {**answer, "output": [{"text": TRICKY}], "usage": usage}},
        named=True,
    )


def message(usage: object) -> bytes:
    content = [{"type": "text", "text": TRICKY}]
    return encode({"id": "msg_1", "type": "message", "model": "claude-sonnet-4-5", "content": content, "usage": usage})


def message_stream(usage: dict[str, object]) -> bytes:
    """The input is told at the start, the output at the end, where some of the input is told again."""
    start = {**usage, "output_tokens": 1}
    end = {
        name: usage[name] for name in usage if name not in ("cache_creation", "service_tier", "speed", "inference_geo")
    }
    opening = {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-5", "content": [], "usage": start}
    return events(
        {"type": "message_start", "message": opening},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TRICKY}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": end},
        {"type": "message_stop"},
        named=True,
    )


def generated(usage: object) -> bytes:
    candidates = [{"content": {"parts": [{"text": TRICKY}], "role": "model"}, "finishReason": "STOP"}]
    answer = {"candidates": candidates, "usageMetadata": usage, "modelVersion": "gemini-2.5-pro", "responseId": "g1"}
    return encode(answer)


def _generated_parts(usage: dict[str, object]) -> list[object]:
    """The usage so far at each part, the whole at the last."""
    base = {"modelVersion": "gemini-2.5-pro", "responseId": "g1"}
    so_far = {"promptTokenCount": usage.get("promptTokenCount", 0), "totalTokenCount": 1}
    text = [{"content": {"parts": [{"text": TRICKY}], "role": "model"}, "index": 0}]
    end = [{"content": {"parts": [{"text": "."}], "role": "model"}, "finishReason": "STOP", "index": 0}]
    return [
        {"candidates": text, "usageMetadata": so_far, **base},
        {"candidates": end, "usageMetadata": usage, **base},
    ]


def generated_stream(usage: dict[str, object]) -> bytes:
    return events(*_generated_parts(usage))


def generated_array(usage: dict[str, object]) -> bytes:
    return b"[" + b",\n".join(encode(part) for part in _generated_parts(usage)) + b"]"


# Through the meter


class Metered(NamedTuple):
    """What came out of a meter, and after which chunk it knew the end."""

    passed: bytes
    usage: Usage
    final_after: int | None


def head(content_type: bytes, encoding: bytes = b"") -> ResponseHead:
    return ResponseHead([], content_type, encoding, None)


def metered(
    match: Match,
    chunks: list[bytes],
    content_type: bytes = JSON,
    encoding: bytes = b"",
    *,
    ask: Ask | None = None,
    status: int = 200,
    is_cut: bool = False,
) -> Metered:
    """An answer that comes in these chunks. `is_cut`: the connection is lost after them."""
    meter = Meter(match.wire, match.operation, ask or Ask(input_bytes=400), head(content_type, encoding), status)
    passed, final_after = b"", None
    for number, chunk in enumerate(chunks):
        passed += meter.feed(chunk)
        if meter.is_final and final_after is None:
            final_after = number
    if not is_cut:
        passed += meter.feed(b"")
    return Metered(passed, meter.finish(), final_after)


def in_two(stream: bytes) -> Iterator[list[bytes]]:
    """The stream in two chunks, cut at each position."""
    for position in range(1, len(stream)):
        yield [stream[:position], stream[position:]]


def byte_by_byte(stream: bytes) -> list[bytes]:
    return [stream[position : position + 1] for position in range(len(stream))]


def with_line_ends(stream: bytes, end: bytes) -> bytes:
    return stream.replace(b"\n", end)


# What was used


class Case(NamedTuple):
    """A usage as a protocol tells it, and the kinds it means."""

    wire: str
    usage: dict[str, object]
    tokens: Tokens
    provider: str = ""
    charged: Mapping[str, Any] = {}  # units, service_tier, provider_cost: what the usage tells beside the tokens
