"""OpenAI's chat completions."""

import secrets
import time
from dataclasses import dataclass
from typing import Any

import msgspec

from apps.sandbox.call import EVENTS, Answer, Call, Json, optional_count, required
from apps.sandbox.language import count_tokens, fill, texts_in, write
from apps.sandbox.wire import data

THINKERS = ("o1", "o3", "o4", "gpt-5")
THOUGHT = 64  # reasoning tokens of a model that thinks, unless told
A_MESSAGE = 4  # tokens around each message
AN_IMAGE = 85
CACHED_FROM = 1024  # prompts as long as this are half in the cache, in steps of 128


@dataclass
class Choice:
    """One answer: either text in pieces, or a call of a tool."""

    pieces: list[str]
    end: str
    tool: Json | None = None

    @property
    def tokens(self) -> int:
        return count_tokens(self.tool["function"]["arguments"]) + 7 if self.tool else len(self.pieces)

    @property
    def message(self) -> Json:
        message: Json = {
            "role": "assistant",
            "content": "".join(self.pieces),
            "refusal": None,
            "annotations": [],
        }
        return message | {"content": None, "tool_calls": [self.tool]} if self.tool else message

    @property
    def deltas(self) -> list[Json]:
        """The message as a stream tells it."""
        if not self.tool:
            first = {"role": "assistant", "content": "", "refusal": None}
            return [first, *({"content": piece} for piece in self.pieces)]
        function = self.tool["function"]
        begun = {"index": 0, **self.tool, "function": {**function, "arguments": ""}}
        parts = [function["arguments"][at : at + 8] for at in range(0, len(function["arguments"]), 8)]
        return [
            {"role": "assistant", "content": None, "tool_calls": [begun], "refusal": None},
            *({"tool_calls": [{"index": 0, "function": {"arguments": part}}]} for part in parts),
        ]


def complete(call: Call) -> Answer:
    """`POST /v1/chat/completions`."""
    body = call.json
    model, messages = required(body, "model", str), required(body, "messages", list)
    prompt = "\n".join(texts_in(messages))
    most = optional_count(body, "max_completion_tokens", "max_tokens")
    choices = [_choose(call, f"{prompt}{i or ''}", most) for i in range(optional_count(body, "n") or 1)]
    usage = usage_of(call, _size(messages, body.get("tools")), sum(choice.tokens for choice in choices))
    head: Json = {
        "id": f"chatcmpl-{secrets.token_hex(15)}",
        "object": "chat.completion.chunk" if body.get("stream") else "chat.completion",
        "created": int(time.time()),
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_5a4d80a1c2",
    }
    if body.get("stream"):
        frames = _frames(call, head, choices, usage)
        return Answer(frames=frames, content_type=EVENTS, model=model, usage=usage)
    told = {} if call.behaviour.hides_usage else {"usage": usage}
    listed = [
        {"index": index, "message": choice.message, "logprobs": None, "finish_reason": choice.end}
        for index, choice in enumerate(choices)
    ]
    answer = head | {"choices": listed} | told
    return Answer(answer, model=model, usage=usage, pieces=usage["completion_tokens"])


def _choose(call: Call, prompt: str, most: int | None) -> Choice:
    if tool := chosen_tool(call.json):
        arguments = msgspec.json.encode(fill(tool.get("parameters") or {"type": "object"}, prompt)).decode()
        function = {"name": tool["name"], "arguments": arguments}
        return Choice(
            [],
            "tool_calls",
            {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function},
        )
    wanted = call.json.get("response_format") or {}
    if wanted.get("type") in ("json_object", "json_schema"):
        schema = wanted.get("json_schema", {}).get("schema") or {
            "type": "object",
            "properties": {"answer": {}},
        }
        return Choice([msgspec.json.encode(fill(schema, prompt)).decode()], "stop")
    behaviour = call.behaviour
    pieces, is_cut = write(prompt, nonce=behaviour.nonce, tokens=behaviour.tokens, most=most)
    return Choice(pieces, "length" if is_cut else "stop")


def chosen_tool(body: Json) -> Json | None:
    """The function to call: one that is offered, unless its result is there already or none is wanted."""
    tools = [tool.get("function", tool) for tool in body.get("tools") or [] if tool.get("type") == "function"]
    choice = body.get("tool_choice") or "auto"
    if not tools or choice == "none":
        return None
    if isinstance(choice, dict):
        name = choice.get("function", choice).get("name")
        return next((tool for tool in tools if tool["name"] == name), tools[0])
    last = (body.get("messages") or [{}])[-1]
    return tools[0] if choice == "required" or last.get("role") != "tool" else None


def _size(messages: list[Json], tools: Any) -> int:
    text = sum(count_tokens(text) for text in texts_in(messages))
    images = sum(
        part.get("type") == "image_url"
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
    )
    offered = count_tokens(msgspec.json.encode(tools).decode()) if tools else 0
    return text + A_MESSAGE * len(messages) + AN_IMAGE * images + offered + 3


def usage_of(call: Call, asked: int, written: int, *, with_details: bool = True) -> Json:
    """Usage as chat tells it; reasoning is inside the completion's tokens, cached inside the prompt's."""
    thought, cached = thought_in(call), cached_in(call, asked)
    asked, written = max(asked, cached), written + thought
    usage: Json = {"prompt_tokens": asked, "completion_tokens": written, "total_tokens": asked + written}
    if with_details:
        usage["prompt_tokens_details"] = {"cached_tokens": cached, "audio_tokens": 0}
        usage["completion_tokens_details"] = {
            "reasoning_tokens": thought,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        }
    return usage


def thought_in(call: Call) -> int:
    """Reasoning tokens."""
    if call.behaviour.reasoning is not None:
        return call.behaviour.reasoning
    return THOUGHT if str(call.json.get("model", "")).startswith(THINKERS) else 0


def cached_in(call: Call, asked: int) -> int:
    """Input tokens that come out of the cache."""
    if call.behaviour.cached is not None:
        return call.behaviour.cached
    return asked // 2 // 128 * 128 if asked >= CACHED_FROM else 0


def _frames(call: Call, head: Json, choices: list[Choice], usage: Json) -> list[bytes]:
    wants_usage = bool((call.json.get("stream_options") or {}).get("include_usage"))
    nothing: Json = {"usage": None} if wants_usage else {}
    frames = []
    for index, choice in enumerate(choices):
        for delta, end in [*((delta, None) for delta in choice.deltas), ({}, choice.end)]:
            listed = [{"index": index, "delta": delta, "logprobs": None, "finish_reason": end}]
            frames.append(data(head | {"choices": listed} | nothing))
    if wants_usage and not call.behaviour.hides_usage:
        frames.append(data(head | {"choices": [], "usage": usage}))
    return [*frames, b"data: [DONE]\n\n"]
