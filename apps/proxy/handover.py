"""Everything that isn't for a provider goes to the web process: console, portal, API, sign-in.

Django runs in processes of its own (WSGI, threads), so that rendering a page never holds up a call.
In production a load balancer may split by path instead; then no web origin is set here.
"""

import logging
from collections.abc import AsyncIterator

from apps.proxy.asgi import Headers, Receive, Scope, Send, client_address, parts_of_body, target_of
from apps.proxy.upstream import Origin, Pool, UpstreamError

logger = logging.getLogger(__name__)

HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
OURS_TO_SAY = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"forwarded", b"x-real-ip"))
NO_WEB = b'{"error":{"message":"There is nothing at this address.","type":"invalid_request_error","code":"not_found"}}'
WEB_IS_AWAY = b"Tollgate's pages are not available at the moment. Calls to providers are not affected."


class Handover:
    """Forwards requests to the web process as they are, with the client's address added."""

    def __init__(self, pool: Pool, web: Origin | None) -> None:
        self._pool = pool
        self._web = web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._web is None:
            await _answer(send, 404, b"application/json", NO_WEB)
            return
        try:
            exchange = await self._pool.send(
                self._web,
                scope["method"].encode(),
                target_of(scope),
                _request_headers(scope),
                _body(scope, receive),
            )
        except UpstreamError as error:
            logger.error("the web process cannot be reached: %s: %s", type(error).__name__, error)
            await _answer(send, 502, b"text/plain; charset=utf-8", WEB_IS_AWAY)
            return
        try:
            headers = [header for header in exchange.headers if header[0] not in HOP_BY_HOP]
            await send({"type": "http.response.start", "status": exchange.status, "headers": headers})
            while chunk := await exchange.read():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            exchange.close()


def _request_headers(scope: Scope) -> Headers:
    """The request's headers; who was before us in the chain is kept, the peer we see is added at its end."""
    headers: Headers = []
    before: list[bytes] = []
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            before.append(value)
        if name not in HOP_BY_HOP and name not in OURS_TO_SAY:
            headers.append((name, value))
    proto = next((value for name, value in scope["headers"] if name == b"x-forwarded-proto"), b"")
    headers.append((b"x-forwarded-for", b", ".join([*before, client_address(scope).encode()])))
    headers.append((b"x-forwarded-proto", proto or scope["scheme"].encode()))
    return headers


def _body(scope: Scope, receive: Receive) -> bytes | AsyncIterator[bytes]:
    has_body = any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
    return parts_of_body(receive) if has_body else b""


async def _answer(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
