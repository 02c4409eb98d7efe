"""OpenAI's Responses API."""

import secrets
import time
from typing import Any

import msgspec

from apps.sandbox import openai_kept
from apps.sandbox.call import EVENTS, Answer, Call, Json, Refusal, optional_count, required
from apps.sandbox.language import count_tokens, fill, texts_in, write
from apps.sandbox.openai_chat import A_MESSAGE, cached_in, chosen_tool, thought_in
from apps.sandbox.wire import named

TIERS = ("flex", "priority")  # that are given when they are asked for


def respond(call: Call) -> Answer:
    """`POST /v1/responses`."""
    body = call.json
    model, given = required(body, "model", str), required(body, "input", (str, list))
    if previous := body.get("previous_response_id"):
        openai_kept.look_up(previous, "previous_response_id")
    if conversation := body.get("conversation"):
        openai_kept.look_up(conversation if isinstance(conversation, str) else conversation["id"], "conversation")
    item, pieces, is_cut = _item(call, given)
    usage = _usage(call, given, _written(item, pieces))
    response = _response(body, model) | {
        "status": "incomplete" if is_cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "service_tier": tier if (tier := body.get("service_tier")) in TIERS else "default",
        "output": [*_searches(call), item],
        "usage": None if call.behaviour.hides_usage else usage,
    }
    is_background = bool(body.get("background"))
    if call.behaviour.ends_with == "fail" and is_background:
        error = {"code": "server_error", "message": "The model failed."}
        response |= {"status": "failed", "error": error, "output": [], "usage": None}
    if body.get("store", True) or is_background:
        openai_kept.keep(response)
    if is_background and not body.get("stream"):
        begun = openai_kept.begin(response, call.behaviour.runs_s)
        return Answer(begun, model=model, usage=usage)
    if body.get("stream"):
        frames = _frames(response, item, pieces)
        if is_background:
            openai_kept.begin(response, len(frames) * call.behaviour.pace_s)
        return Answer(frames=frames, content_type=EVENTS, model=model, usage=usage)
    return Answer(response, model=model, usage=usage, pieces=usage["output_tokens"])


def _searches(call: Call) -> list[Json]:
    """What was looked for on the web, and a page that was opened, where the call has the tool for it."""
    number = min(call.behaviour.searches, 100)
    if not number or not any(tool.get("type") == "web_search" for tool in call.json.get("tools") or ()):
        return []
    actions = [{"type": "search", "query": f"question {at}"} for at in range(number)]
    return [
        {"id": f"ws_{secrets.token_hex(20)}", "type": "web_search_call", "status": "completed", "action": action}
        for action in (*actions, {"type": "open_page", "url": "https://example.com/"})
    ]


def _item(call: Call, given: Any) -> tuple[Json, list[str], bool]:
    """What is put out, its pieces, and whether the limit cut it short."""
    prompt = "\n".join(texts_in(given))
    has_result = isinstance(given, list) and given[-1].get("type") == "function_call_output"
    tool = None if has_result else chosen_tool(call.json)
    if tool:
        arguments = msgspec.json.encode(fill(tool.get("parameters") or {"type": "object"}, prompt)).decode()
        item = {
            "id": f"fc_{secrets.token_hex(20)}",
            "type": "function_call",
            "status": "completed",
            "arguments": arguments,
            "call_id": f"call_{secrets.token_hex(12)}",
            "name": tool["name"],
        }
        return item, [arguments[at : at + 8] for at in range(0, len(arguments), 8)], False
    most = optional_count(call.json, "max_output_tokens")
    pieces, is_cut = write(prompt, nonce=call.behaviour.nonce, tokens=call.behaviour.tokens, most=most)
    item = {
        "id": f"msg_{secrets.token_hex(20)}",
        "type": "message",
        "status": "incomplete" if is_cut else "completed",
        "role": "assistant",
        "content": [_part("".join(pieces))],
    }
    return item, pieces, is_cut


def _part(text: str) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _written(item: Json, pieces: list[str]) -> int:
    return count_tokens(item["arguments"]) + 7 if item["type"] == "function_call" else len(pieces)


def _usage(call: Call, given: Any, written: int) -> Json:
    messages = len(given) if isinstance(given, list) else 1
    asked = sum(map(count_tokens, texts_in(given))) + A_MESSAGE * messages
    asked += count_tokens(call.json.get("instructions") or "")
    if tools := call.json.get("tools"):
        asked += count_tokens(msgspec.json.encode(tools).decode())
    thought, cached = thought_in(call), cached_in(call, asked)
    asked, written = max(asked, cached), written + thought
    return {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": asked + written,
    }


def _response(body: Json, model: str) -> Json:
    return {
        "id": f"resp_{secrets.token_hex(20)}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": bool(body.get("background")),
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
    }


def _frames(response: Json, item: Json, pieces: list[str]) -> list[bytes]:
    begun = response | {"status": "in_progress", "incomplete_details": None, "output": [], "usage": None}
    begun["service_tier"] = "auto"  # until it is known
    *searches, _ = response["output"]
    at = len(searches)
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *(
            {"type": f"response.output_item.{state}", "output_index": place, "item": search}
            for place, search in enumerate(searches)
            for state in ("added", "done")
        ),
        *(_call_events(item, pieces, at) if item["type"] == "function_call" else _text_events(item, pieces, at)),
        {"type": "response.output_item.done", "output_index": at, "item": item},
        {"type": f"response.{response['status']}", "response": response},
    ]
    return [named(event | {"sequence_number": number}) for number, event in enumerate(events)]


def _call_events(item: Json, pieces: list[str], at: int) -> list[Json]:
    begun = item | {"status": "in_progress", "arguments": ""}
    place = {"item_id": item["id"], "output_index": at}
    kind = "response.function_call_arguments"
    return [
        {"type": "response.output_item.added", "output_index": at, "item": begun},
        *({"type": f"{kind}.delta", **place, "delta": piece} for piece in pieces),
        {"type": f"{kind}.done", **place, "name": item["name"], "arguments": item["arguments"]},
    ]


def _text_events(item: Json, pieces: list[str], at: int) -> list[Json]:
    begun = item | {"status": "in_progress", "content": []}
    place = {"item_id": item["id"], "output_index": at, "content_index": 0}
    text = "".join(pieces)
    return [
        {"type": "response.output_item.added", "output_index": at, "item": begun},
        {"type": "response.content_part.added", **place, "part": _part("")},
        *({"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []} for piece in pieces),
        {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": _part(text)},
    ]


def error_frame(refusal: Refusal) -> bytes:
    """An error in the middle of a stream."""
    return named(
        {
            "type": "error",
            "code": "server_error",
            "message": refusal.message,
            "param": None,
            "sequence_number": 0,
        }
    )
