"""Places where a test can make a process die, fail, be cancelled or pause: `TOLLGATE_FAIL=name:what:nth`.

`what` is kill (SIGKILL to ourselves), raise, cancel or sleep (half a second); `nth` counts the times the
place is reached, from 1. Unset, as always in production, `reach` does nothing.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable


class Failure(Exception):
    """Raised where a test asked for it."""


def _from(setting: str) -> Callable[[str], None]:
    if not setting:
        return lambda name: None
    wanted, what, nth = setting.split(":")
    left = int(nth)

    def reach(name: str) -> None:
        nonlocal left
        if name != wanted:
            return
        left -= 1
        if left == 0:
            _fail(name, what)

    return reach


def _fail(name: str, what: str) -> None:
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "raise":
        raise Failure(name)
    elif what == "cancel":
        raise asyncio.CancelledError(name)
    elif what == "sleep":
        time.sleep(0.5)
    else:
        raise ValueError(f"no such failure: {what}")


reach = _from(os.environ.get("TOLLGATE_FAIL", ""))
