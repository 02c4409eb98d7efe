"""A provider that costs next to nothing: fixed answers, written by hand-made protocol objects.

`python -m tests.benchmarks.mock FD`. A body that says `"stream":true` is answered in 50 chunks, one each
10 ms, or as slowly as `"pace_ms":N` says; any other at once, or after that time.
"""

import asyncio
import json
import re
import socket
import sys
from typing import Any

import uvloop

CHUNKS = 50
USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": CHUNKS,
    "total_tokens": 120 + CHUNKS,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
HEAD = {"id": "chatcmpl-0a1b2c3d4e5f", "created": 1_700_000_000, "model": "sandbox-openai"}
TOLD = b"""\
connection: keep-alive
access-control-expose-headers: X-Request-ID
openai-organization: an-organization
openai-processing-ms: 412
openai-version: 2020-10-01
x-ratelimit-limit-requests: 10000
x-ratelimit-limit-tokens: 2000000
x-ratelimit-remaining-requests: 9999
x-ratelimit-remaining-tokens: 1999867
x-ratelimit-reset-requests: 6ms
x-ratelimit-reset-tokens: 3ms
x-request-id: req_0a1b2c3d4e5f
strict-transport-security: max-age=31536000; includeSubDomains; preload
x-content-type-options: nosniff
server: cloudflare
cf-cache-status: DYNAMIC
cf-ray: 8f0a1b2c3d4e5f6a-FRA
alt-svc: h3=":443"; ma=86400
"""  # as api.openai.com answers
PACE = re.compile(rb'"pace_ms":(\d+)')


def _answer(kind: bytes, length: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\ndate: Fri, 20 Nov 2026 12:00:00 GMT\ncontent-type: " + kind + b"\n" + TOLD + length
    return head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body


def _plain() -> bytes:
    message = {"role": "assistant", "content": "A toll is paid where the road begins. " * 8, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = _compact({**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE})
    return _answer(b"application/json", b"content-length: %d" % len(body), body)


def _event(choices: list[object], **more: object) -> bytes:
    event = {**HEAD, "object": "chat.completion.chunk", "choices": choices, **more}
    return b"data: " + _compact(event) + b"\n\n"


def _compact(value: object) -> bytes:
    """JSON as providers write it."""
    return json.dumps(value, separators=(",", ":")).encode()


def _chunks() -> list[bytes]:
    """The answer's 50 chunks; the last has the end, the usage and what ends the stream."""
    delta = [{"index": 0, "delta": {"content": " toll"}, "logprobs": None, "finish_reason": None}]
    end = [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]
    events = [_event(delta, usage=None)] * (CHUNKS - 1)
    events.append(_event(end, usage=None) + _event([], usage=USAGE) + b"data: [DONE]\n\n")
    framed = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    return [*framed[:-1], framed[-1] + b"0\r\n\r\n"]


PLAIN = _plain()
STREAM_HEAD = _answer(b"text/event-stream", b"transfer-encoding: chunked", b"")
STREAM = _chunks()


class Provider(asyncio.Protocol):
    """One connection. Requests come one after the other, each with a content-length."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._received = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received = data = self._received + data if self._received else data
        head = data.find(b"\r\n\r\n")
        if head < 0:
            return
        at = data.lower().find(b"content-length:", 0, head)
        length = int(data[at + 15 : data.index(b"\r", at)]) if at >= 0 else 0
        if len(data) < head + 4 + length:
            return
        body, self._received = data[head + 4 : head + 4 + length], data[head + 4 + length :]
        pace = PACE.search(body)
        if b'"stream":true' not in body:
            if pace:
                self._loop.call_later(int(pace[1]) / 1000, self._transport.write, PLAIN)
            else:
                self._transport.write(PLAIN)
            return
        self._transport.write(STREAM_HEAD)
        self._next(0, int(pace[1]) / 1000 if pace else 0.01)

    def _next(self, number: int, pace_s: float) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(STREAM[number])
        if number + 1 < CHUNKS:
            self._loop.call_later(pace_s, self._next, number + 1, pace_s)


async def main(fd: int) -> None:
    """Serve for ever."""
    listener = socket.socket(fileno=fd)
    server = await asyncio.get_running_loop().create_server(Provider, sock=listener)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
