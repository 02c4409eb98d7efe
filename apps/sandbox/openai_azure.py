"""Azure's way with OpenAI's wire: deployments in the path, an API version, and what its filters say of the text."""

from apps.sandbox.call import Answer, Call, Json, Refusal
from apps.sandbox.wire import Handler, data

RUNS = "gpt-4o-2024-11-20"  # whatever a deployment is called
CLEAN = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
PROMPT = [{"prompt_index": 0, "content_filter_results": CLEAN}]


def deployed(handler: Handler) -> Handler:
    """`handler`, as it answers at Azure's paths."""

    def answer(call: Call) -> Answer:
        if "api-key" not in call.headers:
            raise Refusal(401, "Access denied due to missing subscription key.", code="401")
        if not call.path.startswith("/openai/v1/") and not call.query.get("api-version"):
            raise Refusal(404, "Resource not found", code="404")
        if "/deployments/" in call.path and call.json:
            call.json["model"] = RUNS
        answer = handler(call)
        answer.headers |= {"x-ms-region": "Sweden Central", "apim-request-id": call.request_id}
        if call.path.endswith("/chat/completions"):
            _filter(answer)
        return answer

    return answer


def _filter(answer: Answer) -> None:
    if answer.frames:
        first: Json = {
            "choices": [],
            "created": 0,
            "id": "",
            "model": "",
            "object": "",
            "prompt_filter_results": PROMPT,
        }
        answer.frames.insert(0, data(first))
    elif isinstance(answer.body, dict):
        answer.body["prompt_filter_results"] = PROMPT
        for choice in answer.body["choices"]:
            choice["content_filter_results"] = CLEAN
