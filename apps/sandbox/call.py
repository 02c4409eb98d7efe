"""A call to the sandbox, and the answer to it: what the wires take and give."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from apps.sandbox.behaviour import USUAL, Behaviour

Json = dict[str, Any]

EVENTS = "text/event-stream; charset=utf-8"


class Refusal(Exception):
    """The call is answered with an error; each wire has its own shape for it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.retry_after = retry_after


@dataclass
class Call:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    json: Json = field(default_factory=dict)
    key: str = ""
    behaviour: Behaviour = USUAL
    request_id: str = field(default_factory=lambda: secrets.token_hex(12))
    began: float = field(default_factory=time.monotonic)


@dataclass
class Answer:
    """Either `body` (or `raw`), or `frames`: the pieces of a stream as they go out, one after the other."""

    body: Json | list[Any] | None = None
    raw: bytes | None = None  # in the place of a JSON body
    frames: list[bytes] = field(default_factory=list)
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    model: str = ""
    usage: Json = field(default_factory=dict)  # as the wire tells it, whether or not the client is told
    pieces: int = 0  # of text in a plain answer: it comes as late as if each had been waited for

    @property
    def is_streamed(self) -> bool:
        return bool(self.frames)


def required(body: Json, name: str, kind: type | tuple[type, ...]) -> Any:
    """A field that the call can't do without. Raises Refusal."""
    if name not in body:
        message = f"Missing required parameter: '{name}'."
        raise Refusal(400, message, code="missing_required_parameter", param=name)
    if not isinstance(body[name], kind):
        raise Refusal(400, f"Invalid type for '{name}'.", code="invalid_type", param=name)
    return body[name]


def optional_count(body: Json, *names: str) -> int | None:
    """The first of these fields that holds a number. Raises Refusal where it can't be one of tokens."""
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise Refusal(400, f"Invalid type for '{name}'.", code="invalid_type", param=name)
        if value < 1:
            message = f"Invalid '{name}': must be at least 1."
            raise Refusal(400, message, code="integer_below_min_value", param=name)
        return value
    return None
