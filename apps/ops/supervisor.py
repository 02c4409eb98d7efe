"""Child processes: their output, told apart; their deaths, noticed; their end, in order."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from types import TracebackType
from typing import IO, Any, Self, TextIO

from apps.ops.embedded import Server, die_with_parent

STOP_WITHIN_S = 15.0
COLOURS = ("36", "32", "35", "34", "33", "96", "92", "95", "94")


class Stopped(Exception):
    """We were asked to stop, by Ctrl-C or a signal."""


@dataclass
class Child:
    """A process of ours. Those of the highest stage are stopped first."""

    name: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]  # the reading end of the pipe that it prints to
    stop_signal: signal.Signals
    stage: int
    colour: str
    unfinished_line: bytes = field(default=b"", repr=False)

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def end(self) -> str:
        """How it ended, in words."""
        status = self.process.returncode
        return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


class Supervisor:
    """Starts processes, passes on what they print, and stops them all at the end.

    Only for the main thread: signals come to it, and the kernel ends the children when it ends.
    """

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self.children: list[Child] = []
        self._out = out
        self._is_coloured = out.isatty() and "NO_COLOR" not in os.environ
        self._colours = cycle(COLOURS)
        self._stop_signals = 0
        self._handlers_before: dict[signal.Signals, Any] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        """Take the signals. SIGINT too, which a shell has ignored in what it runs in the background."""
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._handlers_before[sign] = signal.signal(sign, self._on_stop_signal)
        self._handlers_before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)  # to be woken
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()
        signal.set_wakeup_fd(-1)
        for sign, handler in self._handlers_before.items():
            signal.signal(sign, handler)
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _on_stop_signal(self, *_: object) -> None:
        self._stop_signals += 1

    def say(self, text: str) -> None:
        """Print a line of our own."""
        self._print("tollgate", "1", text)

    def _print(self, name: str, colour: str, text: str) -> None:
        head = f"{name:<9}|"
        if self._is_coloured:
            head = f"\x1b[{colour}m{head}\x1b[0m"
        print(f"{head} {text}", file=self._out, flush=True)

    # Starting...

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        stage: int,
        env: Mapping[str, str],
        pass_fds: Sequence[int] = (),
    ) -> Child:
        """Start one of our own programs. It is killed if we die: what it had to keep is on disk."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            pass_fds=pass_fds,
            start_new_session=True,  # a Ctrl-C in the terminal is for us; we stop them in order
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 (two system calls, no lock taken)
        )
        return self._take(name, process, signal.SIGTERM, stage)

    def adopt(self, server: Server) -> None:
        """Watch and stop a server that was started with its output piped to us."""
        self._take(server.name, server.process, server.stop_signal, stage=0)

    def _take(self, name: str, process: subprocess.Popen[bytes], stop_signal: signal.Signals, stage: int) -> Child:
        if process.stdout is None:
            raise ValueError(f"{name} doesn't print to us")
        child = Child(name, process, process.stdout, stop_signal, stage, next(self._colours))
        self.children.append(child)
        os.set_blocking(child.output.fileno(), False)
        self._selector.register(child.output, selectors.EVENT_READ, child)
        return child

    # Watching...

    def run(self, name: str, command: Sequence[str], *, env: Mapping[str, str]) -> int:
        """Run a program to its end; returns its status. Raises Stopped when we were asked to stop."""
        child = self.start(name, command, stage=1, env=env)
        while child.is_running:
            self.watch_for(1.0)
        self._read(child)
        self._hear_no_more(child)
        self.children.remove(child)
        return child.process.returncode

    def wait_until(self, is_true: Callable[[], bool], *, within_s: float) -> bool:
        """Watch until `is_true`; False when it isn't in time, or a child died. Raises Stopped."""
        deadline = time.monotonic() + within_s
        while not self.dead() and time.monotonic() < deadline:
            if is_true():
                return True
            self.watch_for(0.2)
        return False

    def watch(self) -> Child:
        """Pass on output until a child dies; returns it. Raises Stopped when we were asked to stop."""
        while not (dead := self.dead()):
            self.watch_for(60.0)
        for child in dead:
            self._read(child)  # its last words
        return dead[0]

    def dead(self) -> list[Child]:
        """The children that ended."""
        return [child for child in self.children if not child.is_running]

    def watch_for(self, seconds: float) -> None:
        """Pass on what the children print, until something happens or the time is over. Raises Stopped."""
        self._pass_on_output(seconds)
        if self._stop_signals:
            raise Stopped

    def _pass_on_output(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 512)
            else:
                self._read(key.data)

    def _read(self, child: Child) -> None:
        """Pass on all that can be read without waiting."""
        if child.output.closed:
            return
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(child.output.fileno(), 65536):
                *lines, child.unfinished_line = (child.unfinished_line + chunk).split(b"\n")
                for line in lines:
                    self._print(child.name, child.colour, line.decode(errors="replace"))
            self._hear_no_more(child)  # its end: nobody holds the pipe any more

    def _hear_no_more(self, child: Child) -> None:
        if not child.output.closed:
            if child.unfinished_line:
                self._print(child.name, child.colour, child.unfinished_line.decode(errors="replace"))
            self._selector.unregister(child.output)
            child.output.close()

    # Stopping...

    def stop_all(self) -> None:
        """Stop the children, the last stage first; by force after a while, or when asked a second time."""
        asked_before = self._stop_signals
        for stage in sorted({child.stage for child in self.children}, reverse=True):
            group = [child for child in self.children if child.stage == stage]
            for child in group:
                if child.is_running:
                    child.process.send_signal(child.stop_signal)
            deadline = time.monotonic() + STOP_WITHIN_S
            while any(child.is_running for child in group):
                if time.monotonic() > deadline or self._stop_signals > asked_before:
                    for child in group:
                        _kill(child)
                self._pass_on_output(0.2)
            for child in group:
                _kill(child)  # what it left of its own children
                self._read(child)
                self._hear_no_more(child)
        self.children.clear()


def _kill(child: Child) -> None:
    """Kill it, and all that it started: they are a session of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.process.pid, signal.SIGKILL)
