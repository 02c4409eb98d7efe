"""Gemini's wire: generateContent, streamGenerateContent (events or an array), embeddings, countTokens."""

import secrets
from typing import Any

import msgspec

from apps.sandbox.call import Answer, Call, Json, Refusal, optional_count, required
from apps.sandbox.language import count_tokens, fill, texts_in, vector, write
from apps.sandbox.wire import Handler, Wire

MODELS = ("gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-embedding-001")
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
THOUGHT = 48


class Gemini(Wire):
    name = "gemini"

    def find(self, method: str, path: str) -> Handler | None:
        if method == "GET" and path.endswith("/models"):
            return list_models
        match method, path.rpartition(":")[2]:
            case "POST", "generateContent":
                return generate
            case "POST", "streamGenerateContent":
                return stream
            case "POST", "embedContent":
                return embed
            case "POST", "batchEmbedContents":
                return embed_all
            case "POST", "countTokens":
                return count
        return None

    def key(self, call: Call) -> str:
        return call.headers.get("x-goog-api-key", "") or call.query.get("key", "")

    def wrong_key(self, call: Call) -> Refusal:
        if not call.key:
            return Refusal(
                403,
                "Method doesn't allow unregistered callers (callers without established identity). "
                "Please use API Key or other form of API consumer identity to call this API.",
            )
        return Refusal(400, "API key not valid. Please pass a valid API key.", code="API_KEY_INVALID")

    def model(self, call: Call) -> str:
        return _model(call)

    def error(self, refusal: Refusal, call: Call) -> Json:
        status = STATUSES.get(refusal.status, "INVALID_ARGUMENT" if refusal.status < 500 else "INTERNAL")
        error: Json = {"code": refusal.status, "message": refusal.message, "status": status}
        if refusal.code == "API_KEY_INVALID":
            kind = "type.googleapis.com/google.rpc.ErrorInfo"
            service = {"service": "generativelanguage.googleapis.com"}
            error["details"] = [
                {"@type": kind, "reason": refusal.code, "domain": "googleapis.com", "metadata": service}
            ]
        return {"error": error}

    def error_frame(self, refusal: Refusal, call: Call) -> bytes:
        return b"data: " + msgspec.json.encode(self.error(refusal, call)) + b"\r\n\r\n"

    def headers(self, call: Call) -> dict[str, str]:
        milliseconds = int(call.behaviour.first_s * 1000)
        return {"vary": "Origin, X-Origin, Referer", "server-timing": f"gfet4t7; dur={milliseconds}"}


def _model(call: Call) -> str:
    return call.path.rpartition("/")[2].partition(":")[0]


def generate(call: Call) -> Answer:
    """`POST …:generateContent`."""
    parts, written, end = _parts(call)
    usage = _usage(call, written)
    whole = [{"text": "".join(part["text"] for part in parts)}] if "text" in parts[0] else parts
    body = _chunk(call, whole, None if call.behaviour.hides_usage else usage, end, secrets.token_urlsafe(16))
    return Answer(body, model=_model(call), usage=usage, pieces=written)


def stream(call: Call) -> Answer:
    """`POST …:streamGenerateContent`; with `alt=sse` as events, else as one array that grows."""
    parts, written, end = _parts(call)
    answer_id = secrets.token_urlsafe(16)
    chunks = []
    for number, part in enumerate(parts, start=1):
        is_last = number == len(parts)
        usage = _usage(call, written if is_last else number)
        told = None if call.behaviour.hides_usage else usage
        chunks.append(msgspec.json.encode(_chunk(call, [part], told, end if is_last else None, answer_id)))
    usage = _usage(call, written)
    if call.query.get("alt") == "sse":
        frames = [b"data: " + chunk + b"\r\n\r\n" for chunk in chunks]
        return Answer(frames=frames, content_type="text/event-stream", model=_model(call), usage=usage)
    frames = [(b",\r\n" if i else b"[") + chunk for i, chunk in enumerate(chunks)]
    return Answer(frames=[*frames, b"\n]"], content_type="application/json", model=_model(call), usage=usage)


def _parts(call: Call) -> tuple[list[Json], int, str]:
    """The answer's parts, its tokens, and why it ends."""
    body = call.json
    contents = required(body, "contents", list)
    prompt = "\n".join(texts_in(contents))
    if function := _chosen_function(body, contents):
        arguments = fill(
            function.get("parameters") or function.get("parametersJsonSchema") or {"type": "object"}, prompt
        )
        part = {"functionCall": {"name": function["name"], "args": arguments}}
        return [part], count_tokens(msgspec.json.encode(arguments).decode()) + 7, "STOP"
    most = optional_count(body.get("generationConfig") or {}, "maxOutputTokens")
    pieces, is_cut = write(prompt, nonce=call.behaviour.nonce, tokens=call.behaviour.tokens, most=most)
    return [{"text": piece} for piece in pieces or [""]], len(pieces), "MAX_TOKENS" if is_cut else "STOP"


def _chosen_function(body: Json, contents: list[Json]) -> Json | None:
    functions = [one for tool in body.get("tools") or [] for one in tool.get("functionDeclarations") or []]
    mode = ((body.get("toolConfig") or {}).get("functionCallingConfig") or {}).get("mode", "AUTO")
    last = contents[-1].get("parts") or [] if contents else []
    has_result = any("functionResponse" in part for part in last)
    return functions[0] if functions and mode != "NONE" and (mode == "ANY" or not has_result) else None


def _usage(call: Call, written: int) -> Json:
    """Usage as Gemini tells it: thoughts come on top of the candidates, cached tokens do not."""
    asked, behaviour = _size(call.json), call.behaviour
    thought = behaviour.reasoning if behaviour.reasoning is not None else THOUGHT if "pro" in _model(call) else 0
    cached = behaviour.cached or 0
    asked = max(asked, cached)
    usage: Json = {
        "promptTokenCount": asked,
        "candidatesTokenCount": written,
        "totalTokenCount": asked + written + thought,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": asked}],
    }
    if cached:
        usage["cachedContentTokenCount"] = cached
        usage["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": cached}]
    if thought:
        usage["thoughtsTokenCount"] = thought
    return usage


def _size(body: Json) -> int:
    texts = [*texts_in(body.get("contents") or []), *texts_in(body.get("systemInstruction") or {})]
    tools = count_tokens(msgspec.json.encode(body["tools"]).decode()) if body.get("tools") else 0
    return sum(map(count_tokens, texts)) + tools + 1


def _chunk(call: Call, parts: list[Json], usage: Json | None, end: str | None, answer_id: str) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if end:
        candidate["finishReason"] = end
    told = {"usageMetadata": usage} if usage else {}
    return {"candidates": [candidate], **told, "modelVersion": _model(call), "responseId": answer_id}


def embed(call: Call) -> Answer:
    """`POST …:embedContent`."""
    content = required(call.json, "content", dict)
    return Answer({"embedding": {"values": _vector(call.json)}}, model=_model(call), usage=_embedded([content]))


def embed_all(call: Call) -> Answer:
    """`POST …:batchEmbedContents`."""
    requests = required(call.json, "requests", list)
    vectors = [{"values": _vector(request)} for request in requests]
    usage = _embedded([request.get("content") for request in requests])
    return Answer({"embeddings": vectors}, model=_model(call), usage=usage)


def _vector(request: Json) -> list[float]:
    text = "\n".join(texts_in(request.get("content") or {}))
    return vector(text, optional_count(request, "outputDimensionality") or 768)


def _embedded(contents: list[Any]) -> Json:
    """Embeddings tell no usage on this wire; this is for the ledger."""
    return {"promptTokenCount": sum(count_tokens(text) for content in contents for text in texts_in(content))}


def count(call: Call) -> Answer:
    """`POST …:countTokens`, which is free."""
    body = call.json.get("generateContentRequest") or call.json
    size = _size(body)
    return Answer({"totalTokens": size, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": size}]})


def list_models(call: Call) -> Answer:
    """`GET …/models`."""
    methods = ["generateContent", "streamGenerateContent", "countTokens"]
    listed = [{"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": methods} for name in MODELS]
    return Answer({"models": listed})
