"""An installation of its own: PostgreSQL, Redis, spool, sandbox, and as many processes as wanted."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row

from apps.ops.embedded import Home, Server, die_with_parent, ephemeral_home, start_postgres, start_redis
from tests.rig.cluster import give_cluster
from tests.rig.processes import ROOT, Process, ProcessFailed, listen, manage, port_of, wait_until


@dataclass(frozen=True)
class Tenant:
    """An operator, its customer, and that customer's key."""

    organization: str
    customer: str
    key_id: str
    key: str


class Installation:
    """Use as a context manager: everything in it ends with it."""

    def __init__(self, *, is_durable: bool = False) -> None:
        self._is_durable = is_durable
        self._stack = contextlib.ExitStack()
        self._numbers = itertools.count(1)
        self.home: Home
        self.postgres: Server
        self.redis: Server
        self.sandbox: Process
        self.folder: Path
        self.env: dict[str, str] = {}

    def __enter__(self) -> Self:
        with self._stack as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tollgate-rig-")))
            self.home = stack.enter_context(ephemeral_home())
            give_cluster(self.home)
            self.start_postgres()
            stack.callback(self._stop_postgres)
            self.start_redis()
            stack.callback(self._stop_redis)
            self.env = self._environment()
            self._start_sandbox()
            self._start_desk()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    # What it is made of

    def _environment(self) -> dict[str, str]:
        (self.folder / "static").mkdir()
        return {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "TOLLGATE_TESTING": "1",
            "DEBUG": "0",
            "SECRET_KEY": "only-for-tests-" + "x" * 50,
            "TOLLGATE_VAULT_KEYS": "tests:dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtMDE=",
            "EMAIL_URL": "dummymail://",
            "TOLLGATE_DATA": str(self.folder),
            "TOLLGATE_SPOOL": str(self.folder / "spool"),
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "TOLLGATE_FAIL": "",
        }

    def start_postgres(self) -> None:
        """Start PostgreSQL, or start it again."""
        with (self.home.data / "postgres.log").open("ab") as log:
            self.postgres = start_postgres(self.home, output=log, is_ephemeral=not self._is_durable)

    def start_redis(self) -> None:
        """Start Redis, or start it again: empty, at the same address."""
        with (self.home.data / "redis.log").open("ab") as log:
            self.redis = start_redis(self.home, output=log, is_ephemeral=True)

    def _stop_redis(self) -> None:
        self.redis.stop()  # the one that runs by then

    @contextlib.contextmanager
    def postgres_frozen(self) -> Iterator[None]:
        """SIGSTOP to PostgreSQL and all its backends: connections stay, and nothing answers."""
        backends = _children_of(self.postgres.process.pid)
        everybody = [self.postgres.process.pid, *backends]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in everybody:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _stop_postgres(self) -> None:
        self.postgres.stop()  # the one that runs by then

    def _start_sandbox(self) -> None:
        listener = self._stack.enter_context(listen())
        self.ledger = self.folder / "ledger"
        pace = {"TOLLGATE_SANDBOX_PACE": "0,0", "TOLLGATE_SANDBOX_LEDGER": str(self.ledger)}
        fd = listener.fileno()
        self.sandbox_port = port_of(listener)
        self.sandbox = self.start("sandbox", manage("sandbox", "--fd", str(fd)), env=pace, pass_fds=[fd])

    def _start_desk(self) -> None:
        self._desk = subprocess.Popen(
            [sys.executable, "-m", "tests.rig.desk"],
            cwd=ROOT,
            env={**os.environ, **self.env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 (two system calls, no lock taken)
        )

        def stop() -> None:
            with self._desk:
                self._desk.kill()

        self._stack.callback(stop)

    # What is done in it

    def desk(self, action: str, **arguments: Any) -> Any:
        """Have the desk do something (desk.py), and give its answer."""
        assert self._desk.stdin is not None
        assert self._desk.stdout is not None
        self._desk.stdin.write(json.dumps([action, arguments]) + "\n")
        self._desk.stdin.flush()
        answer = self._desk.stdout.readline()
        if not answer:
            raise ProcessFailed("the desk is gone; the reason is above")
        return json.loads(answer)

    def tenant(self, *, sandbox: str = "", **limits: Any) -> Tenant:
        """A new operator with one customer, which has `limits`; its provider is `sandbox`, or ours."""
        name = f"tenant{next(self._numbers)}"
        sandbox = sandbox or f"http://127.0.0.1:{self.sandbox_port}"
        return Tenant(**self.desk("add_tenant", name=name, sandbox=sandbox, **limits))

    def start(self, name: str, command: list[str], **options: Any) -> Process:
        """A process that ends with this installation."""
        env = {**self.env, **options.pop("env", {})}
        process = Process(command, env, self.folder / f"{name}.log", **options)
        self._stack.callback(lambda: process.is_running and process.kill())
        return process

    def run(self, *arguments: str, env: dict[str, str] | None = None, check: bool = True) -> str:
        """Run a command of ours to its end. Returns what it printed; raises ProcessFailed where it fails."""
        done = subprocess.run(
            manage(*arguments),
            env={**os.environ, **self.env, **(env or {})},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise ProcessFailed(f"{arguments[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def proxies(self, count: int = 1, *, fd: int, env: dict[str, str] | None = None) -> list[Process]:
        """Proxy processes that serve one inherited socket. Returns when all of them do."""
        spools = self.folder / "spool"
        before = _folders(spools)
        command = manage("proxy", "--fd", str(fd))
        started = [self.start("proxy", command, env=env or {}, pass_fds=[fd]) for _ in range(count)]

        def are_ready() -> bool:
            if dead := [process for process in started if not process.is_running]:
                raise ProcessFailed(f"a proxy ended with {dead[0].popen.returncode}:\n{dead[0].said()}")
            return len(_folders(spools) - before) >= count

        wait_until(are_ready, "proxies open their spools")
        return started

    @contextlib.contextmanager
    def shipping(self) -> Iterator[Process]:
        """The shipper, running."""
        process = self.start("ship", manage("ship"))
        try:
            yield process
        finally:
            process.stop()

    # What has come of it

    def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """What the database says."""
        with psycopg.connect(self.postgres.url, row_factory=dict_row, autocommit=True) as connection:
            return connection.execute(query, arguments or None).fetchall()  # type: ignore[arg-type]

    def provider_calls(self, *, since: float = 0.0) -> list[dict[str, Any]]:
        """The lines of the sandbox's own record: those of calls that began after `since`, of time.monotonic().

        A line is written when its call ends, which may be after its client has read the answer.
        """
        if not self.ledger.exists():
            return []
        calls = [json.loads(line) for line in self.ledger.read_text().splitlines()]
        return [call for call in calls if call["began"] > since]


def _children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _folders(folder: Path) -> set[str]:
    """Spools that were opened; those being made begin with a dot."""
    if not folder.is_dir():
        return set()
    return {child.name for child in folder.iterdir() if not child.name.startswith(".")}
