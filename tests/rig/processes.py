"""Processes of ours as children of a test: started, waited for, frozen, killed."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from apps.ops.embedded import die_with_parent

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 120.0  # two cores may have a dozen processes starting


class ProcessFailed(Exception):
    """A process ended that should not have, or did not begin to serve."""


def wait_until(is_so: Callable[[], bool], what: str, within_s: float = READY_WITHIN_S) -> None:
    """Look every few milliseconds, later ten times a second. Raises ProcessFailed after `within_s`."""
    deadline = time.monotonic() + within_s
    pause_s = 0.01
    while not is_so():
        if time.monotonic() > deadline:
            raise ProcessFailed(f"waited {within_s:.0f} s in vain: {what}")
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.2, 0.1)  # what is looked at is often the database, by a new connection


def listen() -> socket.socket:
    """A listening socket on a free loopback port, for processes to inherit: it outlives each of them."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    return listener


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


class Process:
    """A child; dies with us, whatever happens to us."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        output: Path,
        *,
        pass_fds: Sequence[int] = (),
        cwd: Path = ROOT,
    ) -> None:
        self.output = output
        with output.open("ab") as file:
            self._began_at = file.tell()  # others of its name wrote before
            self.popen = subprocess.Popen(
                command,
                env={**os.environ, **env},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
                preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 (two system calls, no lock taken)
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    def kill(self) -> None:
        """`kill -9`, and wait for the end."""
        self.popen.kill()
        self.popen.wait()

    def stop(self, within_s: float = 20.0) -> int:
        """Ask it to end. Returns its status; kills it where it takes too long."""
        if self.is_running:
            self.popen.terminate()
        try:
            return self.popen.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ProcessFailed(f"{self.popen.args!r} did not stop within {within_s:.0f} s") from None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """SIGSTOP: it keeps its connections and answers nothing."""
        self.popen.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.popen.send_signal(signal.SIGCONT)

    def cpu_s(self) -> float:
        """CPU seconds so far, of all its threads, in user and kernel."""
        with contextlib.suppress(OSError):  # to the nanosecond, where the kernel keeps count
            tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
            return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident memory now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000

    def said(self) -> str:
        """The end of what it printed (it, and others that have run under its name meanwhile)."""
        with self.output.open("rb") as file:
            file.seek(self._began_at)
            return file.read().decode(errors="replace")[-4000:]


def manage(*arguments: str) -> list[str]:
    """A command of ours."""
    return [sys.executable, str(ROOT / "manage.py"), *arguments]
