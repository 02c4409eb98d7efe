"""One coarse timer for all connections of a server, instead of one for each of their requests."""

import asyncio
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from uvicorn.server import ServerState

NEVER = 1 << 60  # more sweeps than there will be


class Patient(Protocol):
    """A connection that waits for something."""

    quiet: int  # sweeps in which it has not happened
    patience: int  # how many of them there may be

    def expire(self) -> None:
        """Called by every sweep that finds `quiet` above `patience`."""


_watched: "WeakSet[ServerState]" = WeakSet()


def keep_watch(loop: asyncio.AbstractEventLoop, server: "ServerState", sweep_s: float) -> None:
    """Sweep over the server's connections from now on, until there are none. A second call changes nothing."""
    if server not in _watched:
        _watched.add(server)
        loop.call_later(sweep_s, _sweep, loop, server, sweep_s)


def _sweep(loop: asyncio.AbstractEventLoop, server: "ServerState", sweep_s: float) -> None:
    connection: Patient
    for connection in list(server.connections):  # type: ignore[assignment]  # the guard's, all of them
        connection.quiet += 1
        if connection.quiet > connection.patience:
            connection.expire()
    if server.connections:
        loop.call_later(sweep_s, _sweep, loop, server, sweep_s)
    else:
        _watched.discard(server)
