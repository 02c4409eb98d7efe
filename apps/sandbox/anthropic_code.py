"""What Anthropic keeps of code that it runs, and of files: for all who call with the same key."""

import secrets
import time

from apps.sandbox.call import Answer, Call, Json, Refusal
from apps.sandbox.openai_kept import keep, look_up
from apps.sandbox.wire import Handler

TOOL = "code_execution"
FILES = "files/"


def find(method: str, path: str) -> Handler | None:
    """What answers at the paths of files."""
    if method == "POST" and path == "files":
        return put_in
    if path.startswith(FILES):
        return {"GET": show, "DELETE": forget}.get(method)
    return None


def is_code(tool: Json) -> bool:
    """Whether the tool is one that runs code."""
    return str(tool.get("type", "")).startswith(TOOL)


def container_of(body: Json) -> Json | None:
    """The container that the call's code runs in: the one it names, or a new one. Raises Refusal."""
    if not any(map(is_code, body.get("tools") or [])):
        return None
    named = body.get("container")
    named = named.get("id") if isinstance(named, dict) else named
    if named:
        return look_up(named, "container")
    container = {"id": f"container_01{secrets.token_hex(11)}", "expires_at": "2030-01-01T00:00:00Z"}
    keep(container)
    return container


def run() -> list[Json]:
    """The blocks of a run that leaves a file."""
    run_id, made = f"srvtoolu_01{secrets.token_hex(11)}", _file("plot.png", 1024)
    keep(made)
    output = {"type": "bash_code_execution_output", "file_id": made["id"]}
    result = {"type": "bash_code_execution_result", "stdout": "", "stderr": "", "return_code": 0, "content": [output]}
    asked = {"type": "server_tool_use", "id": run_id, "name": "bash_code_execution", "input": {"command": "plot"}}
    return [asked, {"type": "bash_code_execution_tool_result", "tool_use_id": run_id, "content": result}]


def put_in(call: Call) -> Answer:
    """`POST /v1/files`."""
    made = _file("file.txt", len(call.body))
    keep(made)
    return Answer(made)


def show(call: Call) -> Answer:
    """`GET /v1/files/{id}`, and what is in it."""
    found = look_up(_id_in(call))
    return Answer(raw=b"\x89PNG", content_type="image/png") if call.path.endswith("/content") else Answer(found)


def forget(call: Call) -> Answer:
    """`DELETE /v1/files/{id}`."""
    return Answer({"id": look_up(_id_in(call))["id"], "type": "file_deleted"})


def _file(name: str, size: int) -> Json:
    return {
        "id": f"file_01{secrets.token_hex(11)}",
        "type": "file",
        "filename": name,
        "mime_type": "text/plain",
        "size_bytes": size,
        "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "downloadable": True,
    }


def _id_in(call: Call) -> str:
    found = call.path.partition(f"/{FILES}")[2].partition("/")[0]
    if not found:
        raise Refusal(404, "Not found.")
    return found
