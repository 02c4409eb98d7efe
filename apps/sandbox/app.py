"""A mock provider that speaks OpenAI's, Anthropic's and Gemini's wire: an ASGI application, on its own.

Base URLs as the real ones: `http://host/v1` for OpenAI's SDK, `http://host` for the other two. API keys begin
with `sk-sandbox` or `sandbox-`, or are named in `TOLLGATE_SANDBOX_KEYS`. What goes slowly or goes wrong on
demand is in `behaviour.py`.
"""

import asyncio
import os
import zlib
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from apps.sandbox import ledger
from apps.sandbox.anthropic import Anthropic
from apps.sandbox.behaviour import behaviour_of
from apps.sandbox.call import Answer, Call, Refusal
from apps.sandbox.gemini import Gemini
from apps.sandbox.language import texts_in
from apps.sandbox.openai import OpenAI
from apps.sandbox.wire import Wire

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

KEYS = tuple(filter(None, os.environ.get("TOLLGATE_SANDBOX_KEYS", "").split(",")))
PREFIXES = ("sk-sandbox", "sandbox-")
GZIP_FROM = 500  # bytes of an answer
LOREM = {
    400: "The request is not valid.",
    401: "The API key is wrong.",
    403: "This key may not do that.",
    404: "The model does not exist or you do not have access to it.",
    429: "Rate limit reached. Please try again later.",
    500: "The server had an error while processing your request.",
    503: "That model is currently overloaded with other requests.",
    529: "Overloaded",
}

OPENAI, ANTHROPIC, GEMINI = OpenAI(), Anthropic(), Gemini()
LEDGER = ledger.from_environment()


class Dropped(Exception):
    """Raised to make the server cut the connection."""


class ClientLeft(Exception):
    """There is nobody to answer any more."""


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["type"] == "http":
        await _answer(scope, receive, send)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    call = Call(
        method=scope["method"],
        path=scope["path"],
        query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
    )
    try:
        call.body = await _read(receive)
    except ClientLeft:  # in the middle of its request: nobody has asked for anything
        return
    wire = _wire_of(call)
    try:
        answer = _handle(call, wire)
    except Refusal as refusal:
        answer = Answer(wire.error(refusal, call), status=refusal.status, model=wire.model(call))
        if refusal.retry_after is not None:
            answer.headers["retry-after"] = str(refusal.retry_after)
    answer.headers |= wire.headers(call)
    await _Delivery(call, answer, wire, receive, send).run()


async def _read(receive: Receive) -> bytes:
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def _wire_of(call: Call) -> Wire:
    is_verb = ":" in call.path.rpartition("/models/")[2]  # the SDK says /v1/ or /v1beta/, as it pleases
    if call.path.startswith("/v1beta/") or is_verb or "x-goog-api-key" in call.headers:
        return GEMINI
    if call.path.startswith("/v1/messages") or "anthropic-version" in call.headers:
        return ANTHROPIC
    return OPENAI


def _handle(call: Call, wire: Wire) -> Answer:
    """The whole answer, decided before any of it goes out. Raises Refusal."""
    if call.method == "GET" and call.path == "/":
        return Answer({"sandbox": "Speaks OpenAI's, Anthropic's and Gemini's wire formats."})
    call.key = wire.key(call)
    if not (call.key.startswith(PREFIXES) or (call.key and call.key in KEYS)):
        raise wire.wrong_key(call)
    handler = wire.find(call.method, call.path)
    if handler is None:
        raise Refusal(404, f"Invalid URL ({call.method} {call.path})", code="unknown_url")
    if call.method == "POST" and not call.headers.get("content-type", "").startswith("multipart/"):
        call.json = _parse(call.body) if call.body else {}
    call.behaviour = behaviour_of(wire.model(call), "\n".join(_prose(call)))
    _refuse_if_asked(call)
    try:
        return handler(call)
    except (AttributeError, IndexError, KeyError, TypeError) as error:  # no schema is checked: it shows here
        raise Refusal(400, f"The body is not of the form that {call.path} takes. ({error!r})") from error


def _prose(call: Call) -> list[str]:
    """All the text that the client wrote, wherever this wire keeps it."""
    body = call.json
    places = ("messages", "input", "prompt", "system", "instructions", "contents", "content", "requests")
    return [text for place in places if place in body for text in texts_in(body[place])]


def _parse(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        message = f"We could not parse the JSON body of your request. ({error})"
        raise Refusal(400, message) from None


def _refuse_if_asked(call: Call) -> None:
    behaviour = call.behaviour
    if behaviour.error is None:
        return
    message = LOREM.get(behaviour.error, "The sandbox was asked for this error.")
    if behaviour.echoes_key:
        message += f" Your key is {call.key}."
    retry_after = behaviour.retry_after
    if retry_after is None and behaviour.error in (429, 503, 529):
        retry_after = 1
    raise Refusal(behaviour.error, message, retry_after=retry_after)


class _Delivery:
    """One answer on its way out: late, in pieces, compressed, or not to the end, as its behaviour says."""

    def __init__(self, call: Call, answer: Answer, wire: Wire, receive: Receive, send: Send) -> None:
        self._call, self._answer, self._wire = call, answer, wire
        self._receive, self._send = receive, send
        self._behaviour = call.behaviour
        self._sent = 0
        self._zip = zlib.compressobj(6, zlib.DEFLATED, 31) if self._should_zip() else None

    def _should_zip(self) -> bool:
        takes_it = "gzip" in self._call.headers.get("accept-encoding", "")
        return takes_it and (not self._answer.is_streamed or self._behaviour.is_gzipped)

    async def run(self) -> None:
        end = "cut"
        try:
            if self._answer.is_streamed:
                await self._stream()
            else:
                await self._whole()
            end = "complete" if self._answer.status < 400 else "error"
        except ClientLeft:
            return
        except Dropped:
            end = "dropped"
            raise
        finally:
            LEDGER.write(self._call, self._answer, self._wire.name, sent=self._sent, end=end)

    async def _whole(self) -> None:
        body = msgspec.json.encode(self._answer.body) if self._answer.raw is None else self._answer.raw
        if self._zip and len(body) >= GZIP_FROM:
            self._answer.headers["content-encoding"] = "gzip"
            body = self._zip.compress(body) + self._zip.flush()
        if self._answer.status < 400:
            await self._wait(self._behaviour.first_s + self._behaviour.pace_s * self._answer.pieces)
        await self._break(begun=False)
        await self._start({"content-length": str(len(body))})
        if self._behaviour.ends_with == "drop" and self._answer.status < 400:
            await self._send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            raise Dropped
        self._sent = 1
        await self._send({"type": "http.response.body", "body": body})

    async def _stream(self) -> None:
        frames = self._answer.frames
        if self._zip:
            self._answer.headers["content-encoding"] = "gzip"
        await self._wait(self._behaviour.first_s)
        await self._start({"cache-control": "no-cache"})
        for number, frame in enumerate(frames):
            if number == len(frames) // 2:
                await self._break(begun=True)
            if number:
                await self._wait(self._behaviour.pace_s)
            await self._piece(frame)
            self._sent = number + 1
        tail = self._zip.flush() if self._zip else b""
        await self._send({"type": "http.response.body", "body": tail})

    async def _start(self, headers: dict[str, str]) -> None:
        headers = {"content-type": self._answer.content_type} | self._answer.headers | headers
        listed = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": self._answer.status, "headers": listed})

    async def _piece(self, frame: bytes) -> None:
        if self._zip:
            frame = self._zip.compress(frame) + self._zip.flush(zlib.Z_SYNC_FLUSH)
        await self._send({"type": "http.response.body", "body": frame, "more_body": True})

    async def _break(self, *, begun: bool) -> None:
        """Do what was asked to be done half way."""
        match self._behaviour.ends_with:
            case "stall":
                await self._wait(3600)
            case "drop" if begun:
                raise Dropped
            case "fail" if begun:
                refusal = Refusal(529, LOREM[529])
                await self._piece(self._wire.error_frame(refusal, self._call))
                raise Dropped

    async def _wait(self, seconds: float) -> None:
        """Let time pass. Raises ClientLeft as soon as the client leaves."""
        if seconds <= 0:
            return
        leaving = asyncio.ensure_future(self._left())
        try:
            await asyncio.wait_for(asyncio.shield(leaving), seconds)
        except TimeoutError:
            return
        finally:
            leaving.cancel()
        raise ClientLeft

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
