"""The short way through for the parts of a stream: from the provider's connection to the client's, in one turn.

Most parts of a stream are whole events that tell nothing of usage. To wake the call for each of them, only to
have it write what came, would cost as much as all the rest. Knows no Django.
"""

from collections.abc import Callable

from apps.kit.failpoints import reach
from apps.proxy.asgi import Send
from apps.proxy.meter import Meter


def passer(send: Send, meter: Meter) -> Callable[[bytes], bool] | None:
    """What passes a part on where nothing speaks against it, and says whether it did; None: nothing can here.

    A client that has gone or takes its time, and whatever tells usage, are for the call itself.
    """
    cycle = getattr(send, "__self__", None)
    if cycle is None or not hasattr(cycle, "pass_on"):
        return None

    def pass_on(part: bytes) -> bool:
        if not cycle.takes_more() or not meter.passes(part):
            return False
        reach("mid_stream")
        cycle.pass_on(part)
        return True

    return pass_on
