"""What OpenAI keeps of responses, conversations and files, for all who call with the same key."""

import secrets
import time

from apps.sandbox.call import Answer, Call, Json, Refusal
from apps.sandbox.wire import Handler

MOST = 10_000  # are kept
THINGS = ("responses/", "conversations/", "files/", "vector_stores/")

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
    if method == "POST" and path in MADE:
        return MADE[path]
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


def put_in(call: Call) -> Answer:
    """`POST /v1/files`."""
    thing: Json = {
        "id": f"file-{secrets.token_hex(12)}",
        "object": "file",
        "bytes": len(call.body),
        "created_at": int(time.time()),
        "filename": "file.txt",
        "purpose": "user_data",
        "status": "processed",
    }
    keep(thing)
    return Answer(thing)


def make_store(call: Call) -> Answer:
    """`POST /v1/vector_stores`."""
    thing: Json = {
        "id": f"vs_{secrets.token_hex(12)}",
        "object": "vector_store",
        "created_at": int(time.time()),
        "name": call.json.get("name"),
        "status": "completed",
        "usage_bytes": 0,
        "file_counts": {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0},
        "metadata": {},
    }
    keep(thing)
    return Answer(thing)


MADE: dict[str, Handler] = {"conversations": converse, "files": put_in, "vector_stores": make_store}


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
    found = (call.path.partition(f"/{thing}")[2] for thing in THINGS)
    return next(filter(None, found), "").partition("/")[0]
