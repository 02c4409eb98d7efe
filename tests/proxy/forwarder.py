"""A process of its own, so that its memory can be measured: our server, our client, and nothing between.

python -m tests.proxy.forwarder ORIGIN      prints its port, forwards every request there
"""

import asyncio
import sys

import uvloop

from apps.proxy.asgi import is_gone
from apps.proxy.upstream import Origin, Pool

from .guarded import GuardedProtocol, served


class Forwarder:
    """Passes requests on and answers back, as they come."""

    def __init__(self, origin: Origin) -> None:
        self._pool = Pool()
        self._origin = origin

    async def __call__(self, scope, receive, send) -> None:
        body = b""
        while (message := await receive()).get("more_body"):
            body = message["body"]  # what came before is dropped: only memory is of interest
        if message["type"] == "http.disconnect":
            return
        exchange = await self._pool.send(self._origin, b"POST", scope["raw_path"], [], body + message["body"])
        try:
            headers = [header for header in exchange.headers if header[0] == b"content-length"]
            await send({"type": "http.response.start", "status": exchange.status, "headers": headers})
            while not is_gone(send) and (part := await exchange.read()):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            exchange.close()


async def main(origin: str) -> None:
    async with served(Forwarder(Origin.parse(origin)), GuardedProtocol, timeout_keep_alive=60) as port:
        print(port, flush=True)  # its parent waits for it
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
