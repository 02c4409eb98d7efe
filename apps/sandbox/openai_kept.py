"""What OpenAI keeps of responses and conversations, for all who call with the same key."""

import secrets
import time

from apps.sandbox.call import Answer, Call, Json, Refusal
from apps.sandbox.wire import Handler

MOST = 10_000  # are kept
THINGS = ("responses/", "conversations/")

_kept: dict[str, Json] = {}
_ends_at: dict[str, float] = {}  # of what runs in the background, on the monotonic clock


def keep(thing: Json) -> None:
    """For as long as there is room."""
    if len(_kept) >= MOST:
        _kept.pop(next(iter(_kept)))
    _kept[thing["id"]] = thing


def begin(response: Json, runs_s: float) -> Json:
    """Have a kept response go on in the background for so long. Returns it as it is by now."""
    _ends_at[response["id"]] = time.monotonic() + runs_s
    return _as_it_is(response)


def _as_it_is(thing: Json) -> Json:
    ends_at = _ends_at.get(thing["id"], 0.0)
    if time.monotonic() >= ends_at:
        return thing
    return thing | {"status": "in_progress", "incomplete_details": None, "output": [], "usage": None, "error": None}


def find(method: str, path: str) -> Handler | None:
    """What answers at the paths of a kept thing."""
    if (method, path) == ("POST", "conversations"):
        return converse
    if not path.startswith(THINGS):
        return None
    return {"GET": show, "DELETE": forget, "POST": cancel}.get(method)


def look_up(object_id: str, param: str | None = None) -> Json:
    """The thing. Raises Refusal where there is none."""
    if object_id in _kept:
        return _kept[object_id]
    code = "previous_response_not_found" if param == "previous_response_id" else None
    raise Refusal(400 if param else 404, f"'{object_id}' not found.", code=code, param=param)


def converse(call: Call) -> Answer:
    """`POST /v1/conversations`."""
    thing: Json = {
        "id": f"conv_{secrets.token_hex(20)}",
        "object": "conversation",
        "created_at": int(time.time()),
        "metadata": call.json.get("metadata") or {},
    }
    keep(thing)
    return Answer(thing)


def show(call: Call) -> Answer:
    """`GET /v1/responses/{id}`, and lists of what is in it."""
    thing = look_up(_id_in(call))
    if call.path.endswith("items"):
        return Answer({"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None})
    return Answer(_as_it_is(thing))


def forget(call: Call) -> Answer:
    """`DELETE /v1/responses/{id}`."""
    thing = look_up(_id_in(call))
    del _kept[thing["id"]]
    return Answer({"id": thing["id"], "object": f"{thing['object']}.deleted", "deleted": True})


def cancel(call: Call) -> Answer:
    """`POST /v1/responses/{id}/cancel`: of what runs in the background half is written by then; once is enough."""
    thing = look_up(_id_in(call))
    if call.path.endswith("/cancel"):
        if not thing["background"]:
            raise Refusal(400, "Cannot cancel a synchronous response.")
        if _ends_at.pop(thing["id"], 0.0) > time.monotonic():
            thing |= {"status": "cancelled", "incomplete_details": None, "usage": _half(thing["usage"])}
    return Answer(thing)


def _half(usage: Json | None) -> Json | None:
    if usage is None:
        return None
    written = usage["output_tokens"] // 2
    return usage | {"output_tokens": written, "total_tokens": usage["input_tokens"] + written}


def _id_in(call: Call) -> str:
    rest = call.path.partition("/responses/")[2] or call.path.partition("/conversations/")[2]
    return rest.partition("/")[0]
