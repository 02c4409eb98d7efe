"""What becomes of an answer whose client has gone: read on, within bounds, to learn its usage; or cut off.

Most providers go on writing, and charging, whether or not anybody listens. Only the end of the answer tells
how much; of one that is cut off the usage is estimated. Knows no Django.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from apps.proxy.asgi import Send
from apps.proxy.upstream import Exchange


class Patience(NamedTuple):
    """How much of an answer is read for nobody."""

    seconds: float = 300.0
    bytes: int = 8 * 1024 * 1024


READ_ON = Patience()


class Drain:
    """Begins when the client has gone. `end` it with the answer.

    patience: None: the answer is cut off now.
    """

    def __init__(self, exchange: Exchange, patience: Patience | None) -> None:
        self._exchange = exchange
        self._room = patience.bytes if patience else 0
        self._timer: asyncio.TimerHandle | None = None
        self.is_over = False  # the answer was cut off by us
        if patience is None:
            self._cut()
        else:
            self._timer = asyncio.get_running_loop().call_later(patience.seconds, self._cut)

    def __repr__(self) -> str:
        return f"<Drain {'over' if self.is_over else f'{self._room} bytes more'}>"

    def take(self, size: int) -> None:
        """So much more was read."""
        self._room -= size
        if self._room < 0:
            self._cut()

    def end(self) -> None:
        """The answer has ended, one way or the other."""
        if self._timer is not None:
            self._timer.cancel()

    def _cut(self) -> None:
        if not self._exchange.is_complete:
            self.is_over = True
            self._exchange.close()


def tell_when_gone(send: Send, callback: Callable[[], None] | None) -> None:
    """Have `callback` called once the client closes its connection before the end of its answer (cycle.Cycle).

    None: nobody asks any more. To be said in the end: the two would keep each other from being freed.
    """
    cycle = getattr(send, "__self__", None)
    if cycle is not None and hasattr(cycle, "on_gone"):
        cycle.on_gone = callback
        if callback is not None and cycle.disconnected:
            callback()
