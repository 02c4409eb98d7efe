"""PostgreSQL: a cluster made on the first start, with one database and one user of it."""

import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import psycopg

from apps.ops.embedded.binaries import find_postgres, usable
from apps.ops.embedded.home import POSTGRES_SOCKET, Home, ServerError, run_as
from apps.ops.embedded.memory import memory_here, memory_settings
from apps.ops.embedded.server import Output, Server, launch, lock_of

DATABASE = USER = "tollgate"


def start_postgres(home: Home, *, output: Output, is_ephemeral: bool = False) -> Server:
    """A PostgreSQL on `home`, made on the first start. Ephemeral: fast, and what it holds may be lost."""
    postgres = usable(find_postgres() / "postgres", home)
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
    else:
        settings |= memory_settings(memory_here())
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    with lock_of("postgres", home) as lock:
        for leftover in (cluster / "postmaster.pid", *home.run.glob(f"{POSTGRES_SOCKET}*")):
            leftover.unlink(missing_ok=True)  # its process is gone, or we hadn't got the lock
        return launch(
            "postgres",
            [str(postgres), "-D", str(cluster), *options],
            f"postgres://{USER}@/{DATABASE}?host={quote(str(home.run))}",
            home,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, keeps everything
            is_ready=lambda: _is_up(cluster) and _has_database(home.run),
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
        **run_as(home.account),
    )
    if done.returncode != 0:
        raise ServerError(f"initdb failed:\n{done.stdout.decode(errors='replace')}")
    unfinished.rename(cluster)


def _is_up(cluster: Path) -> bool:
    """What PostgreSQL says of itself in its lock file, so that we don't knock before it opens."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def _has_database(run: Path) -> bool:
    """Whether PostgreSQL answers; makes our database in it where there is none."""
    try:
        with psycopg.connect(host=str(run), user=USER, dbname="postgres", autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")
    except psycopg.OperationalError:
        return False
    return True
