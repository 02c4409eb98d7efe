"""The provider's own record of what it answered: a line of JSON a call, for whoever checks the bill."""

import os
import time

import msgspec

from apps.sandbox.call import Answer, Call


class Ledger:
    """Appends to the file named by `TOLLGATE_SANDBOX_LEDGER`; does nothing where none is named."""

    def __init__(self, path: str) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600) if path else None

    def write(self, call: Call, answer: Answer, wire: str, *, sent: int, end: str) -> None:
        """Note a call: one write, so that lines of several processes don't mix.

        Times are on the machine's monotonic clock.

        sent: pieces of the stream that went out. end: "complete", "error", "cut" (the client left),
        or what the sandbox was asked to do to the answer.
        """
        if self._file is None:
            return
        line = {
            "id": call.request_id,
            "nonce": call.behaviour.nonce,
            "key": call.key[-4:],
            "wire": wire,
            "path": call.path,
            "model": answer.model,
            "status": answer.status,
            "usage": answer.usage,
            "sent": sent,
            "of": len(answer.frames) or 1,
            "end": end,
            "began": call.began,
            "ended": time.monotonic(),
        }
        os.write(self._file, msgspec.json.encode(line) + b"\n")


def from_environment() -> Ledger:
    """The ledger that this process keeps."""
    return Ledger(os.environ.get("TOLLGATE_SANDBOX_LEDGER", ""))
