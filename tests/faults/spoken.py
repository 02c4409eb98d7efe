"""The three wires as a provider speaks them: an answer in one piece, the same as a stream, what each part of it tells.

What is used by how much came is worked out here in a way of its own, by Python's JSON and by counting.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from apps.usage.models import UsageSource
from tests.faults.failing import ANSWER, IN, OUT, USAGE, WORDS
from tests.rig.calls import chat, gemini, messages
from tests.rig.client import Ask

TIMES = 4  # the words come


class Used(NamedTuple):
    """Where the counts come from; tokens in (None: by the size of what was asked), tokens out."""

    source: UsageSource
    tokens_in: int | None
    tokens_out: int


NOTHING = Used(UsageSource.NONE, 0, 0)


class Spoken(NamedTuple):
    """One wire."""

    name: str
    make: Callable[..., Ask]
    answer: bytes
    events: tuple[bytes, ...]
    text_key: bytes
    begins_error: bytes  # how our own error in its stream begins
    used: Callable[[list[Any], int], Used]  # by the events that came whole, and tokens of the text that did
    is_final: Callable[[list[Any]], bool]
    hidden: bytes = b""  # the event that we asked for, and take out again
    word: bytes = b""  # an event of the stream that has text

    @property
    def stream(self) -> bytes:
        return b"".join(self.events)

    def used_by(self, came: bytes) -> Used:
        """What is charged when so much of the stream has come."""
        return self.used(whole_events(came), -(-self.written(came) // 4))

    def written(self, came: bytes) -> int:
        """Bytes of text, of an event that was cut as well."""
        return sum(len(part.partition(b'"')[0]) for part in came.split(b'"%b": "' % self.text_key)[1:])

    def ends_in(self, came: bytes) -> bool:
        """Whether the end has come; where events are held until they are whole, only with its empty line."""
        return self.is_final(whole_events(came)) and (not self.hidden or came.endswith(b"\n\n"))


def whole_events(came: bytes) -> list[Any]:
    """What can be read of the data: an event counts once its JSON is there, whether or not its line has ended."""
    found: list[Any] = []
    for line in came.splitlines():
        data = line.removeprefix(b"data: ")
        if data == line:
            continue
        try:
            found.append(json.loads(data) if data != b"[DONE]" else "[DONE]")
        except ValueError:
            continue
    return found


def event(said: Any, *, is_named: bool = False) -> bytes:
    name = f"event: {said['type']}\n" if is_named else ""
    return f"{name}data: {json.dumps(said)}\n\n".encode()


# OpenAI: usage comes in an event of its own, since we ask for it


def chunk(**said: Any) -> bytes:
    return event({"id": "c-1", "model": "sandbox-openai", **said})


def used_of_openai(events: list[Any], written: int) -> Used:
    if any(isinstance(said, dict) and said.get("usage") for said in events):
        return Used(UsageSource.REPORTED, IN, OUT)
    return Used(UsageSource.ESTIMATED, None, written) if written else NOTHING


WORD = chunk(choices=[{"index": 0, "delta": {"content": WORDS}, "finish_reason": None}])
TOLD = chunk(choices=[], usage=USAGE)
OPENAI = Spoken(
    "openai",
    chat,
    ANSWER,
    (*[WORD] * TIMES, chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]), TOLD, b"data: [DONE]\n\n"),
    b"content",
    b'data: {"error"',
    used_of_openai,
    lambda events: "[DONE]" in events,
    hidden=TOLD,
    word=WORD,
)


# Anthropic: the start tells the input, the end the output


def used_of_anthropic(events: list[Any], written: int) -> Used:
    types = {said["type"] for said in events}
    if "message_delta" in types:
        return Used(UsageSource.REPORTED, IN, OUT)
    return Used(UsageSource.ESTIMATED, IN, max(1, written)) if "message_start" in types else NOTHING


MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "sandbox-anthropic"}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": WORDS}}
ANTHROPIC = Spoken(
    "anthropic",
    messages,
    json.dumps(
        MESSAGE
        | {"content": [{"type": "text", "text": WORDS * TIMES}], "stop_reason": "end_turn"}
        | {"usage": {"input_tokens": IN, "output_tokens": OUT}}
    ).encode(),
    tuple(
        event(said, is_named=True)
        for said in (
            {"type": "message_start", "message": MESSAGE | {"usage": {"input_tokens": IN, "output_tokens": 1}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *[DELTA] * TIMES,
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": OUT}},
            {"type": "message_stop"},
        )
    ),
    b"text",
    b"event: error\n",
    used_of_anthropic,
    lambda events: {"type": "message_stop"} in events,
    word=event(DELTA, is_named=True),
)


# Gemini: every part tells what was used so far, and none says that it is the last


def part(tokens_out: int, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": [{"text": WORDS}], "role": "model"}, "index": 0, **more}
    usage = {"promptTokenCount": IN, "candidatesTokenCount": tokens_out, "totalTokenCount": IN + tokens_out}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "sandbox-gemini", "responseId": "g-1"}


def used_of_gemini(events: list[Any], written: int) -> Used:
    if not events:
        return Used(UsageSource.ESTIMATED, None, written) if written else NOTHING
    told = events[-1]["usageMetadata"]["candidatesTokenCount"]
    if "finishReason" in events[-1]["candidates"][0]:
        return Used(UsageSource.REPORTED, IN, told)
    return Used(UsageSource.ESTIMATED, IN, max(told, written))


GEMINI = Spoken(
    "gemini",
    gemini,
    json.dumps(part(OUT, finishReason="STOP")).encode(),
    (*[event(part(OUT // TIMES * number)) for number in range(1, TIMES)], event(part(OUT, finishReason="STOP"))),
    b"text",
    b'data: {"error"',
    used_of_gemini,
    lambda events: False,
    word=event(part(1)),
)

WIRES = [OPENAI, ANTHROPIC, GEMINI]
