"""A real uvicorn with our guard, and an application that keeps what it was given."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from apps.proxy.guard import GuardedProtocol

Sends = list[dict[str, Any]]
OK: Sends = [
    {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]},
    {"type": "http.response.body", "body": b"ok", "more_body": False},
]


@dataclass
class Seen:
    """A request as the application got it."""

    method: str
    path: str
    raw_path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    is_disconnected: bool = False


@dataclass
class Recorder:
    """Reads each request to its end, keeps it, answers "ok"."""

    seen: list[Seen] = field(default_factory=list)

    async def __call__(self, scope, receive, send) -> None:
        headers = scope["headers"]
        request = Seen(scope["method"], scope["path"], scope["raw_path"], scope["query_string"], list(headers))
        self.seen.append(request)
        more_body = True
        while more_body:
            message = await receive()
            if message["type"] == "http.disconnect":
                request.is_disconnected = True
                return
            request.body += message["body"]
            more_body = message["more_body"]
        assert headers == request.headers, "the headers changed after the application had got them"
        for message in OK:
            await send(message)


class Quick(GuardedProtocol):
    """The guard with its patience made short."""

    head_timeout = 0.2
    body_timeout = 0.2
    write_timeout = 0.3
    linger = 0.1
    sweep_s = 0.02


@contextlib.asynccontextmanager
async def served(
    app, protocol: type[GuardedProtocol] = Quick, *, timeout_keep_alive: float = 0.2
) -> AsyncIterator[int]:
    """The port of a server with `protocol` before `app`: uvicorn's parts, put together as its Server does."""
    config = uvicorn.Config(
        app,
        ws="none",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        timeout_keep_alive=timeout_keep_alive,
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: protocol(config=config, server_state=state, app_state={}, _loop=loop), "127.0.0.1", 0, backlog=2048
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        while state.connections:  # noqa: ASYNC110 - they tell nobody
            await asyncio.sleep(0.001)
        await asyncio.gather(*state.tasks)


async def talk(port: int, *parts: bytes, pause_s: float = 0.0, wait_s: float = 5.0) -> bytes:
    """Send the parts on one connection and return all that comes back until the server closes it.

    After `wait_s` without a byte the connection is taken to stay open, and what came is returned.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    sending = asyncio.create_task(_send(writer, parts, pause_s))
    try:
        while data := await asyncio.wait_for(reader.read(65536), wait_s):
            answer += data
    except (ConnectionError, TimeoutError) as end:
        answer += b"<%b>" % type(end).__name__.encode()
    finally:
        sending.cancel()
        writer.close()
    return answer


async def _send(writer: asyncio.StreamWriter, parts: tuple[bytes, ...], pause_s: float) -> None:
    with contextlib.suppress(ConnectionError, RuntimeError):  # the latter is how uvloop says that it is closed
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)


def statuses(answer: bytes) -> list[int]:
    """Of all the answers on a connection."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answer)]


def is_closed(answer: bytes) -> bool:
    """Whether the server ended the connection in good order."""
    return not answer.endswith((b"Error>", b"Timeout>"))
