"""Calls as SDKs make them, each with a nonce in its prompt: the thread that ties three records together."""

import itertools
import json
import secrets
from collections.abc import Iterator

from tests.rig.client import Ask
from tests.rig.desk import MODELS

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


def a_nonce() -> str:
    return f"nonce-{secrets.token_hex(8)}"


def chat(key: str, *, words: str = "", is_streamed: bool = False, nonce: str = "", **fields: object) -> Ask:
    """OpenAI's chat completions."""
    nonce = nonce or a_nonce()
    body = {
        "model": MODELS["openai"],
        "messages": [{"role": "user", "content": f"{nonce} {words}"}],
        **fields,
    }
    if is_streamed:
        body["stream"] = True
    return _ask(nonce, CHAT, {"authorization": f"Bearer {key}"}, body, b"data: [DONE]" if is_streamed else b"")


def messages(key: str, *, words: str = "", is_streamed: bool = False, nonce: str = "", **fields: object) -> Ask:
    """Anthropic's messages."""
    nonce = nonce or a_nonce()
    body = {
        "model": MODELS["anthropic"],
        "max_tokens": 200,
        "messages": [{"role": "user", "content": f"{nonce} {words}"}],
        **fields,
    }
    if is_streamed:
        body["stream"] = True
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    return _ask(nonce, MESSAGES, headers, body, b"event: message_stop" if is_streamed else b"")


def gemini(key: str, *, words: str = "", is_streamed: bool = False, nonce: str = "", **fields: object) -> Ask:
    """Gemini's generateContent. Its stream has no event that ends it."""
    nonce = nonce or a_nonce()
    verb = "streamGenerateContent?alt=sse" if is_streamed else "generateContent"
    body = {"contents": [{"role": "user", "parts": [{"text": f"{nonce} {words}"}]}], **fields}
    return _ask(nonce, f"/v1beta/models/{MODELS['google']}:{verb}", {"x-goog-api-key": key}, body)


def _ask(nonce: str, target: str, headers: dict[str, str], body: dict[str, object], end: bytes = b"") -> Ask:
    headers = headers | {"content-type": "application/json", "tollgate-user-id": nonce}
    is_streamed = bool(body.get("stream")) or "stream" in target
    return Ask(nonce, target, headers, json.dumps(body).encode(), end, is_streamed)


def mixed(key: str, *, words: str = "") -> Iterator[Ask]:
    """Calls for ever, half of them streamed, over the three wires."""
    for number in itertools.count():
        is_streamed = number % 2 == 1
        match number % 10:
            case 6 | 7:
                yield messages(key, words=words, is_streamed=is_streamed)
            case 8 | 9:
                yield gemini(key, words=words, is_streamed=is_streamed)
            case 5:
                yield chat(key, words=words, is_streamed=True, stream_options={"include_usage": True})
            case _:
                yield chat(key, words=words, is_streamed=is_streamed)
