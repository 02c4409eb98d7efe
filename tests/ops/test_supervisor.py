"""Processes under one roof: what they print, how they end, and what is left of them."""

import os
import signal
import sys
import time
from io import StringIO
from pathlib import Path

import pytest

from apps.ops.supervisor import Stopped, Supervisor

STUBBORN = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
LAST_WORDS = (
    "import signal, sys, time\n"
    "def bye(*_): print('bye', flush=True); sys.exit()\n"
    "signal.signal(signal.SIGTERM, bye); print('up', flush=True); time.sleep(60)"
)
WITH_A_CHILD = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"


@pytest.fixture
def out():
    return StringIO()


@pytest.fixture
def supervisor(out):
    with Supervisor(out) as supervisor:
        yield supervisor


def start(supervisor: Supervisor, name: str, program: str, *, stage: int = 1):
    return supervisor.start(name, [sys.executable, "-c", program], stage=stage, env=dict(os.environ))


def wait_for(supervisor: Supervisor, out: StringIO, text: str):
    assert supervisor.wait_until(lambda: text in out.getvalue(), within_s=10), out.getvalue()


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_each_line_says_whose_it_is(supervisor, out):
    start(supervisor, "web", "print('one\\ntwo', end='')")
    assert supervisor.watch().name == "web"
    assert out.getvalue() == "web      | one\nweb      | two\n"


def test_a_death_is_told_with_its_reason(supervisor):
    start(supervisor, "web", STUBBORN)
    proxy = start(supervisor, "proxy", STUBBORN)
    proxy.process.kill()
    assert supervisor.watch() is proxy
    assert proxy.end == "was killed by SIGKILL"


def test_a_program_that_ends_tells_its_status(supervisor):
    start(supervisor, "web", "raise SystemExit(3)")
    assert supervisor.watch().end == "ended with status 3"


def test_run_waits_for_the_end_and_gives_the_status(supervisor, out):
    command = [sys.executable, "-c", "print('done'); raise SystemExit(4)"]
    assert supervisor.run("prepare", command, env=dict(os.environ)) == 4
    assert out.getvalue() == "prepare  | done\n"
    assert supervisor.children == []


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_watch(supervisor, sign):
    start(supervisor, "web", STUBBORN)
    os.kill(os.getpid(), sign)
    with pytest.raises(Stopped):
        supervisor.watch()


def test_the_last_stage_is_stopped_first_and_may_say_goodbye(supervisor, out):
    start(supervisor, "postgres", LAST_WORDS, stage=0)
    start(supervisor, "proxy", LAST_WORDS, stage=3)
    start(supervisor, "web", LAST_WORDS, stage=2)
    supervisor.wait_until(lambda: out.getvalue().count("up") == 3, within_s=10)
    supervisor.stop_all()
    goodbyes = [line for line in out.getvalue().splitlines() if line.endswith("bye")]
    assert goodbyes == ["proxy    | bye", "web      | bye", "postgres | bye"]


def test_who_does_not_listen_is_killed(supervisor, out, monkeypatch):
    monkeypatch.setattr("apps.ops.supervisor.STOP_WITHIN_S", 0.3)
    child = start(supervisor, "web", STUBBORN)
    wait_for(supervisor, out, "up")
    begun = time.monotonic()
    supervisor.stop_all()
    assert child.process.returncode == -signal.SIGKILL
    assert time.monotonic() - begun < 2


def test_what_a_child_left_behind_is_killed_too(supervisor, out):
    start(supervisor, "web", WITH_A_CHILD)
    wait_for(supervisor, out, "\n")
    grandchild = int(out.getvalue().split("|")[1])
    supervisor.stop_all()
    deadline = time.monotonic() + 5
    while is_alive(grandchild):
        assert time.monotonic() < deadline
        time.sleep(0.02)
