"""`manage.py up`: all of Tollgate on this machine, by one command.

In order: the folder is taken, the port bound, PostgreSQL and Redis started where none are given, the
database prepared, and then the processes of Tollgate. Every answer to "what if" is the same: say so,
stop all of it, exit non-zero. Knows no Django, and so stays small and starts at once.
"""

import argparse
import contextlib
import errno
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

from apps.ops.demo_card import read_demo_card
from apps.ops.embedded import ServerError, prepare_home, start_postgres, start_redis
from apps.ops.installation import ROOT, AlreadyRuns, Installation, data_folder, open_installation, read_values
from apps.ops.supervisor import Stopped, Supervisor

READY_WITHIN_S = 90.0


class UpError(Exception):
    """Tollgate can't start, or can't go on. The message says why, and what to do."""


@dataclass(frozen=True)
class Options:
    """What `manage.py up` was asked for."""

    host: str
    port: int
    workers: int
    with_demo: bool


def main(arguments: Sequence[str]) -> int:
    """Run Tollgate until it is stopped; returns the status to exit with."""
    options = _options(arguments)
    try:
        with open_installation(data_folder(), f"process {os.getpid()}, port {options.port}") as installation:
            _run(installation, options)
    except (AlreadyRuns, ServerError, UpError) as error:
        sys.stderr.write(f"tollgate: {error}\n")
        return 1
    return 0


def _options(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="manage.py up", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8000, help="where the world sees us (8000)")
    parser.add_argument("--host", default="127.0.0.1", help="on which address; 0.0.0.0: on all (127.0.0.1)")
    parser.add_argument("--workers", type=int, default=1, help="how many proxy processes (1)")
    parser.add_argument("--no-demo", action="store_true", help="no demo data, no sandbox provider")
    given = parser.parse_args(arguments)
    if given.workers < 1:
        parser.error("--workers: at least 1")
    return Options(given.host, given.port, given.workers, with_demo=not given.no_demo)


def _run(installation: Installation, options: Options) -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_bind(options.host, options.port))
        sandbox = stack.enter_context(_bind_sandbox(installation)) if options.with_demo else None
        supervisor = stack.enter_context(Supervisor())
        try:
            env = _start_servers(supervisor, installation, options, sandbox)
            _prepare(supervisor, env, options)
            _start_processes(supervisor, env, options, listener, sandbox)
            listener.close()
            _wait_until_ready(supervisor, env, options)
            supervisor.say(_welcome(installation, options))
            dead = supervisor.watch()
            raise UpError(f"{dead.name} {dead.end}; the rest was stopped")
        except Stopped:
            supervisor.say("stopping")


# The ports


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not kept waiting by the last run
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise UpError(f"Port {port} is taken. Choose another: make run PORT={port + 1}") from None
        raise UpError(f"Can't listen on {host} port {port}: {error.strerror}") from None
    return listener


def _bind_sandbox(installation: Installation) -> socket.socket:
    """A port of this machine for the sandbox, the same as last time where it is free."""
    note = installation.data / "sandbox-port"
    wanted = int(note.read_text()) if note.is_file() else 0
    try:
        listener = _bind("127.0.0.1", wanted)
    except UpError:
        listener = _bind("127.0.0.1", 0)
    note.write_text(str(listener.getsockname()[1]))
    return listener


# PostgreSQL and Redis, and the values that every process gets


def _start_servers(
    supervisor: Supervisor, installation: Installation, options: Options, sandbox: socket.socket | None
) -> dict[str, str]:
    home = prepare_home(installation.data)
    made_up = installation.secrets()
    if not os.environ.get("DATABASE_URL"):
        postgres = start_postgres(home, output=PIPE)
        supervisor.adopt(postgres)
        made_up["DATABASE_URL"] = postgres.url
    if not os.environ.get("REDIS_URL"):
        redis = start_redis(home, output=PIPE)
        supervisor.adopt(redis)
        made_up["REDIS_URL"] = redis.url
    if sandbox:
        made_up["TOLLGATE_SANDBOX_URL"] = f"http://127.0.0.1:{sandbox.getsockname()[1]}"
    web_socket = home.run / "web.sock"
    web_socket.unlink(missing_ok=True)  # left by a run that was killed
    made_up["TOLLGATE_WEB_ORIGIN"] = f"unix:{web_socket}"
    if not os.environ.get("TOLLGATE_URL"):
        made_up["TOLLGATE_URL"] = f"http://localhost:{options.port}"
    installation.keep(made_up)
    return {**os.environ, **made_up, "TOLLGATE_DATA": str(installation.data), "PYTHONUNBUFFERED": "1"}


# Our own processes


def _manage(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def _prepare(supervisor: Supervisor, env: dict[str, str], options: Options) -> None:
    demo = [] if options.with_demo else ["--no-demo"]
    if supervisor.run("prepare", _manage("prepare", *demo), env=env) != 0:
        raise UpError("the database could not be prepared; the reason is above")


def _start_processes(
    supervisor: Supervisor,
    env: dict[str, str],
    options: Options,
    listener: socket.socket,
    sandbox: socket.socket | None,
) -> None:
    """Stages are stopped from the last: no call is cut off from what it needs."""
    as_root = "ignore:You're running the worker with superuser"  # nothing of it is reachable or unpickled
    celery = [sys.executable, "-W", as_root, "-m", "celery", "-A", "config", "--quiet"]
    schedule = Path(env["TOLLGATE_DATA"], "beat-schedule")
    supervisor.start("ship", _manage("ship"), stage=1, env=env)
    # Threads, since its tasks wait for PostgreSQL; and so it is one process, which dies as one.
    worker = [*celery, "worker", "--pool=threads", "--concurrency=4", "--loglevel=WARNING"]
    supervisor.start("worker", worker, stage=1, env=env)
    beat = [*celery, "beat", f"--schedule={schedule}", "--pidfile=", "--loglevel=WARNING"]
    supervisor.start("beat", beat, stage=2, env=env)
    if sandbox:
        fd = sandbox.fileno()
        supervisor.start("sandbox", _manage("sandbox", "--fd", str(fd)), stage=2, env=env, pass_fds=[fd])
    supervisor.start("web", _manage("web"), stage=2, env=env)
    fd = listener.fileno()
    for number in range(1, options.workers + 1):
        name = "proxy" if options.workers == 1 else f"proxy {number}"
        supervisor.start(name, _manage("proxy", "--fd", str(fd)), stage=3, env=env, pass_fds=[fd])


def _wait_until_ready(supervisor: Supervisor, env: dict[str, str], options: Options) -> None:
    web_socket = Path(env["TOLLGATE_WEB_ORIGIN"].removeprefix("unix:"))
    if supervisor.wait_until(
        lambda: web_socket.exists() and _answer("/readyz", options) is None, within_s=READY_WITHIN_S
    ):
        return
    if dead := supervisor.dead():
        raise UpError(f"{dead[0].name} {dead[0].end}; the reason is above")
    raise UpError(f"not ready after {READY_WITHIN_S:.0f} s: {_answer('/readyz', options)}")


def _answer(path: str, options: Options) -> str | None:
    """None where the answer is 200, else what it says."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(options.host, options.host)  # noqa: S104
    try:
        urllib.request.urlopen(f"http://{host}:{options.port}{path}", timeout=2).close()
    except urllib.error.HTTPError as error:
        return error.read(2000).decode(errors="replace")
    except OSError as error:
        return str(error)
    return None


def _welcome(installation: Installation, options: Options) -> str:
    env = {**read_values(installation.data / "env"), **os.environ}
    lines = [f"ready: {env['TOLLGATE_URL']}"]
    if options.with_demo and (card := read_demo_card(installation.data)):
        lines += card.lines(env["TOLLGATE_URL"])
    return "\n".join(lines)
