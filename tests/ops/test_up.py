"""`manage.py up` for real: what it starts, what it says, and that it leaves nothing behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apps.ops.installation import ROOT, open_installation

SET_BY_TESTS = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "EMAIL_URL", "DEBUG", "PORT")


class Up:
    """A `manage.py up` on its own folder and port."""

    def __init__(self, data: Path, port: int, *options: str) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("TOLLGATE_")}
        for name in SET_BY_TESTS:
            env.pop(name, None)
        self.port = port
        self.data = data
        self.printed = ""
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "up", "--port", str(port), *options],
            env={**env, "TOLLGATE_DATA": str(data)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_until_printed(self, text: str) -> None:
        for line in self.process.stdout:
            self.printed += line
            if text in line:
                return
        raise AssertionError(f"it ended with status {self.process.wait()}:\n{self.printed}")

    def wait_for_end(self) -> int:
        self.printed += self.process.communicate(timeout=60)[0]
        return self.process.returncode

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read()

    def call(self, key: str) -> dict:
        """What the printed curl does."""
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/chat/completions",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


def processes_of(data: Path) -> dict[int, str]:
    """The processes that are running on the folder, by what they were started with."""
    mark = f"TOLLGATE_DATA={data}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if command and (str(data) in command or mark in (folder / "environ").read_bytes().split(b"\0")):
                found[int(folder.name)] = command
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def assert_nothing_is_left(data: Path, *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while left := processes_of(data):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tollgate-up-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start(data: Path, port: int) -> Iterator[Callable[..., Up]]:
    """Starts `manage.py up` with options, on the test's folder; what still runs at the end is killed."""
    started: list[Up] = []

    def start(*options: str, port: int = port) -> Up:
        started.append(Up(data, port, *options))
        return started[-1]

    yield start
    for up in started:
        up.process.kill()
        with up.process:  # waits, and closes its pipe
            pass
    assert_nothing_is_left(data, within_s=10)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_life_of_starts_and_ends(data: Path, port: int, start):
    first = start()
    first.wait_until_printed('"Hello"')  # the end of what is said when all is ready
    assert f"ready: http://localhost:{port}" in first.printed
    key = first.printed.partition("Bearer ")[2].partition("'")[0]
    assert first.call(key)["usage"]["total_tokens"] > 0
    assert json.loads(first.get("/readyz"))["status"] == "ready"
    assert json.loads(first.get("/healthz")) == {"status": "ok"}
    assert b"<form" in first.get("/")  # to sign in

    of_the_first = processes_of(data)
    first.process.kill()
    first.process.wait()
    again = start("--workers", "2")  # while the first one's servers still end
    again.wait_until_printed('"Hello"')
    assert not of_the_first.keys() & processes_of(data).keys()
    assert "made demo data" not in again.printed
    assert key in again.printed
    assert again.call(key)["usage"]["total_tokens"] > 0
    commands = list(processes_of(data).items())
    assert sum("manage.py proxy" in command for _, command in commands) == 2

    (shipper,) = (pid for pid, command in commands if "manage.py ship" in command)
    os.kill(shipper, signal.SIGKILL)
    assert again.wait_for_end() == 1
    assert "tollgate: ship was killed by SIGKILL; the rest was stopped" in again.printed
    assert_nothing_is_left(data, within_s=1)

    bare = start("--no-demo")
    bare.wait_until_printed("ready: ")
    assert "Bearer" not in bare.printed
    assert "manage.py sandbox" not in " ".join(processes_of(data).values())
    bare.process.terminate()
    assert bare.wait_for_end() == 0
    assert_nothing_is_left(data, within_s=1)


def test_a_taken_port_is_said_before_anything_is_started(data: Path, start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        up = start(port=port)
        assert up.wait_for_end() == 1
    assert up.printed == f"tollgate: Port {port} is taken. Choose another: make run PORT={port + 1}\n"
    assert not (data / "postgres").exists()


def test_a_second_up_on_the_same_folder_is_refused(data: Path, start):
    with open_installation(data, "process 7, port 8000"):
        up = start()
        assert up.wait_for_end() == 1
    assert up.printed == f"tollgate: Tollgate already runs in {data} (process 7, port 8000).\n"


def test_nonsense_is_told_how_to_say_it_right(start):
    up = start("--workers", "0")
    assert up.wait_for_end() == 2
    assert "--workers: at least 1" in up.printed
