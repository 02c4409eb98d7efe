"""OpenAI's wire: what is in `openai_chat.py` and `openai_responses.py`; completions, embeddings, models."""

import base64
import secrets
import struct
import time
from typing import Any

from apps.sandbox import openai_azure, openai_chat, openai_kept, openai_media, openai_responses
from apps.sandbox.call import EVENTS, Answer, Call, Json, Refusal, optional_count, required
from apps.sandbox.language import count_tokens, vector, write
from apps.sandbox.openai_chat import usage_of
from apps.sandbox.wire import Handler, Wire, data, masked

MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-5", "gpt-5-mini", "o4-mini", "text-embedding-3-small")
ERROR_TYPES = {
    401: "invalid_request_error",
    403: "insufficient_permissions",
    404: "invalid_request_error",
    429: "requests",
    500: "server_error",
    503: "service_unavailable",
}
ERROR_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


class OpenAI(Wire):
    name = "openai"

    def find(self, method: str, path: str) -> Handler | None:
        if path.startswith("/openai/"):
            rest = path.removeprefix("/openai").removeprefix("/v1").removeprefix("/deployments/")
            known = self.find(method, "/v1/" + (rest.removeprefix("/") if rest[0] == "/" else rest.partition("/")[2]))
            return openai_azure.deployed(known) if known else None
        match method, path.removeprefix("/v1/"):
            case "POST", "chat/completions":
                return openai_chat.complete
            case "POST", "responses":
                return openai_responses.respond
            case "POST", "completions":
                return complete
            case "POST", "embeddings":
                return embed
            case "POST", "audio/speech":
                return openai_media.speak
            case "POST", "audio/transcriptions" | "audio/translations":
                return openai_media.hear
            case "POST", "images/generations" | "images/edits" | "images/variations":
                return openai_media.draw
            case "POST", "moderations":
                return openai_media.moderate
            case "GET", "models":
                return list_models
            case "GET", rest if rest.startswith("models/"):
                return show_model
        return openai_kept.find(method, path.removeprefix("/v1/"))

    def key(self, call: Call) -> str:
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        return key.strip() if scheme.lower() == "bearer" else call.headers.get("api-key", "")

    def wrong_key(self, call: Call) -> Refusal:
        if not call.key:
            return Refusal(
                401,
                "You didn't provide an API key. You need to provide your API key in an Authorization header "
                "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            )
        return Refusal(401, f"Incorrect API key provided: {masked(call.key)}.", code="invalid_api_key")

    def model(self, call: Call) -> str:
        return call.path.rpartition("/")[2] if "/models/" in call.path else str(call.json.get("model", ""))

    def error(self, refusal: Refusal, call: Call) -> Json:
        kind = ERROR_TYPES.get(refusal.status, "server_error" if refusal.status > 500 else "invalid_request_error")
        code = refusal.code or ERROR_CODES.get(refusal.status)
        if refusal.status == 401 and not call.key:
            code = None
        return {"error": {"message": refusal.message, "type": kind, "param": refusal.param, "code": code}}

    def error_frame(self, refusal: Refusal, call: Call) -> bytes:
        if call.path.endswith("/responses"):
            return openai_responses.error_frame(refusal)
        return data(self.error(refusal, call))

    def headers(self, call: Call) -> dict[str, str]:
        return {
            "x-request-id": f"req_{call.request_id}",
            "openai-version": "2020-10-01",
            "openai-processing-ms": str(int(call.behaviour.first_s * 1000)),
            "x-ratelimit-limit-requests": "10000",
            "x-ratelimit-remaining-requests": "9999",
            "x-ratelimit-reset-requests": "6ms",
        }


def complete(call: Call) -> Answer:
    """`POST /v1/completions`, the one before chat."""
    body = call.json
    model, prompt = required(body, "model", str), required(body, "prompt", (str, list))
    prompts = prompt if isinstance(prompt, list) and prompt and isinstance(prompt[0], str) else [prompt]
    most = optional_count(body, "max_tokens") or 16
    head: Json = {
        "id": f"cmpl-{secrets.token_hex(14)}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": "fp_5a4d80a1c2",
    }
    written = [
        write(str(one), nonce=call.behaviour.nonce, tokens=call.behaviour.tokens, most=most)
        for one in prompts
        for _ in range(optional_count(body, "n") or 1)
    ]
    usage = usage_of(
        call,
        sum(_size(one) for one in prompts),
        sum(len(pieces) for pieces, _ in written),
        with_details=False,
    )
    if body.get("stream"):
        wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        nothing: Json = {"usage": None} if wants_usage else {}
        frames = [
            data(head | {"choices": [_choice(index, text, end)]} | nothing)
            for index, (pieces, is_cut) in enumerate(written)
            for text, end in [*((piece, None) for piece in pieces), ("", "length" if is_cut else "stop")]
        ]
        if wants_usage and not call.behaviour.hides_usage:
            frames.append(data(head | {"choices": [], "usage": usage}))
        frames.append(b"data: [DONE]\n\n")
        return Answer(frames=frames, content_type=EVENTS, model=model, usage=usage)
    choices = [
        _choice(index, "".join(pieces), "length" if is_cut else "stop")
        for index, (pieces, is_cut) in enumerate(written)
    ]
    told = {} if call.behaviour.hides_usage else {"usage": usage}
    answer = head | {"choices": choices} | told
    return Answer(answer, model=model, usage=usage, pieces=usage["completion_tokens"])


def _choice(index: int, text: str, end: str | None) -> Json:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": end}


def _size(text: Any) -> int:
    return count_tokens(text) if isinstance(text, str) else len(text)


def embed(call: Call) -> Answer:
    """`POST /v1/embeddings`."""
    body = call.json
    model, given = required(body, "model", str), required(body, "input", (str, list))
    is_batch = isinstance(given, list) and bool(given) and isinstance(given[0], (str, list))
    texts = given if is_batch else [given]
    dimensions = optional_count(body, "dimensions") or 1536
    items = [
        {"object": "embedding", "index": index, "embedding": _encoded(body, vector(str(text), dimensions))}
        for index, text in enumerate(texts)
    ]
    size = sum(_size(text) for text in texts)
    usage = {"prompt_tokens": size, "total_tokens": size}
    answer: Json = {"object": "list", "data": items, "model": model}
    return Answer(answer if call.behaviour.hides_usage else answer | {"usage": usage}, model=model, usage=usage)


def _encoded(body: Json, values: list[float]) -> list[float] | str:
    if body.get("encoding_format") != "base64":
        return values
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def list_models(call: Call) -> Answer:
    """`GET /v1/models`."""
    return Answer({"object": "list", "data": [_model(name) for name in MODELS]})


def show_model(call: Call) -> Answer:
    """`GET /v1/models/{model}`."""
    name = call.path.rpartition("/")[2]
    if name not in MODELS:
        raise Refusal(404, f"The model '{name}' does not exist", code="model_not_found", param="model")
    return Answer(_model(name))


def _model(name: str) -> Json:
    return {"id": name, "object": "model", "created": 1_715_367_049, "owned_by": "system"}
