"""Anthropic's wire: messages, plain and streamed, count_tokens, models."""

import secrets
from typing import Any

import msgspec

from apps.sandbox import anthropic_code as code
from apps.sandbox.call import EVENTS, Answer, Call, Json, Refusal, optional_count, required
from apps.sandbox.language import count_tokens, fill, texts_in, write
from apps.sandbox.openai_chat import A_MESSAGE
from apps.sandbox.wire import Handler, Wire, named

MODELS = ("claude-opus-5-5", "claude-sonnet-4-6", "claude-haiku-4-5")
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
READ_OF_CACHED = 3, 4  # of what may be cached, three quarters are read and the rest is written


class Anthropic(Wire):
    name = "anthropic"

    def find(self, method: str, path: str) -> Handler | None:
        match method, path.removeprefix("/v1/"):
            case "POST", "messages":
                return answer
            case "POST", "messages/count_tokens":
                return count
            case "GET", "models":
                return list_models
        return code.find(method, path.removeprefix("/v1/"))

    def key(self, call: Call) -> str:
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        return call.headers.get("x-api-key", "") or (key.strip() if scheme.lower() == "bearer" else "")

    def wrong_key(self, call: Call) -> Refusal:
        return Refusal(401, "invalid x-api-key" if call.key else "x-api-key header is required")

    def model(self, call: Call) -> str:
        return str(call.json.get("model", ""))

    def error(self, refusal: Refusal, call: Call) -> Json:
        kind = ERROR_TYPES.get(refusal.status, "invalid_request_error" if refusal.status < 500 else "api_error")
        if refusal.param and refusal.code == "missing_required_parameter":
            message = f"{refusal.param}: Field required"
        else:
            message = refusal.message
        error = {"type": kind, "message": message}
        return {"type": "error", "error": error, "request_id": f"req_{call.request_id}"}

    def error_frame(self, refusal: Refusal, call: Call) -> bytes:
        return named(self.error(refusal, call))

    def headers(self, call: Call) -> dict[str, str]:
        return {
            "request-id": f"req_{call.request_id}",
            "anthropic-organization-id": "5ba5ba5b-0000-4000-8000-000000000000",
            "anthropic-ratelimit-requests-limit": "4000",
            "anthropic-ratelimit-requests-remaining": "3999",
        }


def answer(call: Call) -> Answer:
    """`POST /v1/messages`."""
    body = call.json
    model, messages = required(body, "model", str), required(body, "messages", list)
    required(body, "max_tokens", int)
    most, container = optional_count(body, "max_tokens"), code.container_of(body)
    blocks, written, stop = _blocks(call, messages, most)
    usage = _usage(call, written)
    message = {
        "id": f"msg_01{secrets.token_hex(11)}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": stop,
        "stop_sequence": None,
    }
    if container is not None:
        message |= {"container": container, "content": [*code.run(), *blocks]}
    if body.get("stream"):
        frames = [named(event) for event in _events(message, usage, hides_usage=call.behaviour.hides_usage)]
        return Answer(frames=frames, content_type=EVENTS, model=model, usage=usage)
    whole = [_plain(block) for block in message["content"]]
    told = {} if call.behaviour.hides_usage else {"usage": usage}
    return Answer(message | {"content": whole} | told, model=model, usage=usage, pieces=written)


def _blocks(call: Call, messages: list[Json], most: int | None) -> tuple[list[Json], int, str]:
    """The answer's blocks with their text still in `pieces`, their tokens, and why they end."""
    body, prompt, blocks, written = call.json, "\n".join(texts_in(messages)), list[Json](), 0
    if (body.get("thinking") or {}).get("type") == "enabled":
        thoughts, _ = write(prompt + "?", nonce="", tokens=call.behaviour.reasoning, most=most)
        blocks.append({"type": "thinking", "pieces": thoughts, "signature": "EqQBCkgIAxABGAIiQ" + "A" * 48})
        written += len(thoughts)
    if tool := _chosen_tool(body):
        arguments = fill(tool.get("input_schema") or {}, prompt)
        blocks.append(
            {
                "type": "tool_use",
                "id": f"toolu_01{secrets.token_hex(11)}",
                "name": tool["name"],
                "input": arguments,
            }
        )
        return blocks, written + count_tokens(msgspec.json.encode(arguments).decode()) + 7, "tool_use"
    pieces, is_cut = write(prompt, nonce=call.behaviour.nonce, tokens=call.behaviour.tokens, most=most)
    blocks.append({"type": "text", "pieces": pieces})
    return blocks, written + len(pieces), "max_tokens" if is_cut else "end_turn"


def _chosen_tool(body: Json) -> Json | None:
    tools, choice = body.get("tools") or [], body.get("tool_choice") or {"type": "auto"}
    tools = [tool for tool in tools if not code.is_code(tool)]
    if not tools or choice["type"] == "none":
        return None
    if choice["type"] == "tool":
        return next((tool for tool in tools if tool["name"] == choice.get("name")), tools[0])
    content = body["messages"][-1].get("content") if body["messages"] else None
    parts = content if isinstance(content, list) else []
    has_result = any(part.get("type") == "tool_result" for part in parts)
    return tools[0] if choice["type"] == "any" or not has_result else None


def _plain(block: Json) -> Json:
    match block["type"]:
        case "text":
            return {"type": "text", "text": "".join(block["pieces"])}
        case "thinking":
            text = "".join(block["pieces"])
            return {"type": "thinking", "thinking": text, "signature": block["signature"]}
    return block


def _usage(call: Call, written: int) -> Json:
    """Usage as Anthropic tells it: what the cache read and wrote comes on top of the input tokens."""
    asked, cacheable, is_hour = _sizes(call.json)
    read = (
        cacheable * READ_OF_CACHED[0] // READ_OF_CACHED[1] if call.behaviour.cached is None else call.behaviour.cached
    )
    made = max(0, cacheable - read)
    return {
        "input_tokens": asked - cacheable,
        "cache_creation_input_tokens": made,
        "cache_read_input_tokens": read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 0 if is_hour else made,
            "ephemeral_1h_input_tokens": made if is_hour else 0,
        },
        "output_tokens": written,
        "service_tier": "standard",
    }


def _sizes(body: Json) -> tuple[int, int, bool]:
    """The prompt's tokens, those before the last cache mark, and whether it asks for an hour."""
    size = cacheable = 0
    is_hour = False
    for block in _parts_of(body):
        size += sum(map(count_tokens, texts_in(block))) + (1 if isinstance(block, dict) else 0)
        if isinstance(block, dict) and (mark := block.get("cache_control")):
            cacheable, is_hour = size, mark.get("ttl") == "1h"
    if tools := body.get("tools"):
        size += count_tokens(msgspec.json.encode(tools).decode())
    return size + A_MESSAGE * len(body["messages"]), cacheable, is_hour


def _parts_of(body: Json) -> list[Any]:
    """The system prompt's and the messages' blocks, in the order they are read."""
    contents = [body.get("system") or [], *(message.get("content", "") for message in body["messages"])]
    return [part for content in contents for part in (content if isinstance(content, list) else [content])]


def _events(message: Json, usage: Json, *, hides_usage: bool) -> list[Json]:
    begun = message | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    ended = {name: usage[name] for name in usage if name not in ("cache_creation", "service_tier")}
    if hides_usage:
        begun["usage"], ended = {"input_tokens": 0, "output_tokens": 0}, {"output_tokens": 0}
    events: list[Json] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(message["content"]):
        empty, deltas = _told(block)
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        if index == 0:
            events.append({"type": "ping"})
        events += ({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        events.append({"type": "content_block_stop", "index": index})
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    if "container" in message:
        stop["container"] = message["container"]
    return [*events, {"type": "message_delta", "delta": stop, "usage": ended}, {"type": "message_stop"}]


def _told(block: Json) -> tuple[Json, list[Json]]:
    """A block as a stream tells it: empty, then bit by bit."""
    match block["type"]:
        case "text":
            return {"type": "text", "text": ""}, [{"type": "text_delta", "text": one} for one in block["pieces"]]
        case "thinking":
            thoughts = [{"type": "thinking_delta", "thinking": one} for one in block["pieces"]]
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {"type": "thinking", "thinking": "", "signature": ""}, [*thoughts, signed]
    if "input" not in block:  # what a tool gave is told at once
        return block, []
    text = msgspec.json.encode(block["input"]).decode()
    parts = ["", *(text[at : at + 8] for at in range(0, len(text), 8))]
    return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in parts]


def count(call: Call) -> Answer:
    """`POST /v1/messages/count_tokens`, which is free."""
    required(call.json, "model", str)
    required(call.json, "messages", list)
    return Answer({"input_tokens": _sizes(call.json)[0]})


def list_models(call: Call) -> Answer:
    """`GET /v1/models`, as Anthropic lists them."""
    listed = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2025-09-29T00:00:00Z"} for name in MODELS
    ]
    return Answer({"data": listed, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]})
