"""The proxy: an ASGI application for the paths of providers. Everything else is handed over to Django.

Its parts are handed in (config/asgi.py does), so that tests start it with parts of their own, in
milliseconds and without Django.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from apps.bodies.keeper import Keeper
from apps.proxy.admission import Admission
from apps.proxy.asgi import Receive, Scope, Send
from apps.proxy.attempts import Circuits
from apps.proxy.background import Background
from apps.proxy.call import Call
from apps.proxy.circuit_board import CircuitBoard
from apps.proxy.grant import GrantSource
from apps.proxy.leaving import READ_ON, Patience
from apps.proxy.made import Makers
from apps.proxy.protocols import routes
from apps.proxy.upstream import Pool
from apps.proxy.vocabularies import Vocabularies
from apps.usage.spool import Spool

logger = logging.getLogger(__name__)

App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Proxy:
    """One server process's proxy.

    open_spool: called when the server starts, since each process has a spool of its own.
    elsewhere: the application for paths that are no provider's.
    max_body: bytes that a request's body may have.
    patience: how much of an answer is read on for nobody, where the organization has it so.
    makers: who made what is kept at providers; None: nothing that is kept there is within reach.
    bodies: where bodies go that are stored; None: nowhere.
    vocabularies: count tokens that no answer tells; None: those are estimated by their bytes.
    background: looks after responses in the background; None: they are refused.
    show_circuits: makes who tells others of the circuits; None: nobody does.
    max_upload: the same of a form with files: sound, images.
    """

    def __init__(
        self,
        *,
        grants: GrantSource,
        admission: Admission,
        pool: Pool,
        open_spool: Callable[[], Spool],
        elsewhere: App,
        max_body: int,
        max_upload: int | None = None,
        makers: Makers | None = None,
        background: Background | None = None,
        show_circuits: Callable[[Circuits], CircuitBoard] | None = None,
        patience: Patience = READ_ON,
        bodies: Keeper | None = None,
        vocabularies: Vocabularies | None = None,
    ) -> None:
        self.grants = grants
        self.admission = admission
        self.pool = pool
        self.makers = makers
        self.background = background
        self.patience = patience
        self.bodies = bodies
        self.vocabularies = vocabularies
        self.max_body = max_body
        self.max_upload = max_body if max_upload is None else max_upload
        self.circuits: Circuits = {}
        self._board = show_circuits(self.circuits) if show_circuits is not None else None
        self._board_task: asyncio.Task[None] | None = None
        self._open_spool = open_spool
        self._elsewhere = elsewhere
        self.spool: Spool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            match = routes.find(scope["method"], scope["raw_path"], scope["headers"])
            if match is not None:
                await Call(self, match, scope, receive, send).run()
            elif routes.is_ours(scope["raw_path"]):
                await self.refuse_path(scope, send)
            else:
                await self._elsewhere(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self.live(receive, send)

    async def live(self, receive: Receive, send: Send) -> None:
        """Start with the server, and end with it: after the last call, whose outcome must still be written."""
        await receive()
        try:
            self.spool = self._open_spool()
            self.admission.start()
            self.grants.start()
            if self.background is not None:
                self.background.start(self.spool)
            if self._board is not None:
                self._board_task = asyncio.create_task(self._board.run())
        except Exception as error:
            logger.exception("the proxy does not start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self.background is not None:
            await self.background.stop()
        if self._board is not None and self._board_task is not None:
            self._board_task.cancel()
            await self._board.take_down()
        await self.grants.stop()
        self.pool.close()
        await self.admission.stop()
        await asyncio.to_thread(self.spool.close)
        if self.vocabularies is not None:
            self.vocabularies.close()
        if self.bodies is not None:
            await asyncio.to_thread(self.bodies.close)
        await send({"type": "lifespan.shutdown.complete"})

    async def refuse_path(self, scope: Scope, send: Send) -> None:
        """A path under a provider's prefix that leads nowhere: 404 in the shape of its protocol."""
        path = scope["raw_path"]
        wire = routes.wire_for(path, scope["headers"])
        body = wire.error(404, "unknown_path", f"There is nothing at {path.decode('ascii', 'replace')[:200]}.")
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})
