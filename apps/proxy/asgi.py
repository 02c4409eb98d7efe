"""The few things about ASGI that both ends of the proxy need."""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class BodyTooLarge(Exception):
    """The request's body is over the limit. It is not read to its end."""


def target_of(scope: Scope) -> bytes:
    """The path and query as they came over the wire."""
    query: bytes = scope["query_string"]
    path: bytes = scope["raw_path"]
    return b"%s?%s" % (path, query) if query else path


def client_address(scope: Scope) -> str:
    """The address of the peer of the connection."""
    client = scope.get("client")
    return client[0] if client else "127.0.0.1"


async def whole_body(receive: Receive, most: int) -> bytes:
    """The request's body. Raises BodyTooLarge as soon as it is over `most` bytes, or ClientGone."""
    message = await receive()
    if not message.get("more_body", False) and message["type"] == "http.request":
        body: bytes = message.get("body", b"")
        if len(body) > most:
            raise BodyTooLarge
        return body
    parts = bytearray()
    while True:
        if message["type"] != "http.request":
            raise ClientGone
        parts += message.get("body", b"")
        if len(parts) > most:
            raise BodyTooLarge
        if not message.get("more_body", False):
            return bytes(parts)
        message = await receive()


async def parts_of_body(receive: Receive, most: int | None = None) -> AsyncIterator[bytes]:
    """The request's body as it comes in. Raises BodyTooLarge or ClientGone."""
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if most is not None and size > most:
            raise BodyTooLarge
        if part:
            yield part
        if not message.get("more_body", False):
            return


def is_gone(send: Send) -> bool:
    """Whether the client has closed its connection: uvicorn's `send` is a method of the one who knows."""
    return bool(getattr(getattr(send, "__self__", None), "disconnected", False))
