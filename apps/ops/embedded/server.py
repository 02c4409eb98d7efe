"""A server as a child process: its lock, its start, its end."""

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO

from apps.ops.embedded.home import Home, ServerError, run_as

START_WITHIN_S = 60.0
STOP_WITHIN_S = 10.0
PR_SET_PDEATHSIG = 1

Output = int | IO[bytes]


def die_with_parent(sign: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: have the kernel send `sign` to the child when the thread that made it ends."""
    parent = os.getpid()
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def ask_kernel() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, sign)
            if os.getppid() != parent:  # it died before we asked
                os.kill(os.getpid(), sign)

    return ask_kernel


@dataclass
class Server:
    """A running server. `url` is what DATABASE_URL or REDIS_URL is set to."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals
    _stopped: bool = field(default=False, repr=False)

    def stop(self) -> None:
        """Stop it in good order; by force where that takes too long. A second call does nothing."""
        if self._stopped:
            return
        self._stopped = True
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextlib.contextmanager
def lock_of(name: str, home: Home) -> Iterator[int]:
    """A lock that the server inherits: free once no process of an earlier one is left."""
    with (home.data / f"{name}.lock").open("w") as file:
        deadline = time.monotonic() + STOP_WITHIN_S
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                raise ServerError(f"The {name} server of an earlier run in {home.data} still runs. Stop it first.")
            time.sleep(0.05)
        yield file.fileno()


def launch(
    name: str,
    command: list[str],
    url: str,
    home: Home,
    *,
    stop_signal: signal.Signals,
    is_ready: Callable[[], bool],
    output: Output,
    lock: int,
) -> Server:
    """Start a server in `home` and wait until it is ready. It inherits `lock`."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=home.data / name,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
        pass_fds=[lock],
        start_new_session=True,  # a Ctrl-C in the terminal is for us; we stop them in order
        preexec_fn=die_with_parent(stop_signal),  # noqa: PLW1509 (two system calls, no lock taken)
        **run_as(home.account),
    )
    server = Server(name, url, process, stop_signal)
    deadline = time.monotonic() + START_WITHIN_S
    try:
        while not is_ready():
            if process.poll() is not None:
                raise ServerError(
                    f"The {name} server ended at once, with status {process.returncode}.\n{_said(process)}"
                )
            if time.monotonic() > deadline:
                raise ServerError(f"The {name} server wasn't ready within {START_WITHIN_S:.0f} s.")
            time.sleep(0.02)
    except BaseException:
        server.stop()
        raise
    return server


def _said(process: subprocess.Popen[bytes]) -> str:
    """What a process that ended has printed to our pipe, if that is where it prints."""
    if process.stdout is None:
        return ""
    with process.stdout as pipe:
        return pipe.read().decode(errors="replace").strip()
