"""Whom the servers run as, and the folders they have."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypedDict

LONGEST_SOCKET_PATH = 107  # of a unix socket, on Linux; 103 elsewhere
POSTGRES_SOCKET = ".s.PGSQL.5432"


class ServerError(Exception):
    """An embedded server is missing or doesn't start. The message says what to do."""


class Account(NamedTuple):
    """Whom a server runs as, where we are root."""

    uid: int
    gid: int


class RunAs(TypedDict, total=False):
    """What Popen has to be told to run a process as somebody else."""

    user: int
    group: int
    extra_groups: list[int]


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
    if account and not may(account, "-x", data):
        place = _place_elsewhere(data)
    run = place / "run"
    is_run_temporary = len(os.fsencode(run / POSTGRES_SOCKET)) > LONGEST_SOCKET_PATH - 5  # PostgreSQL adds .lock
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


def may(account: Account | None, what: str, path: Path) -> bool:
    """Whether the servers' user may enter or execute `path`, as test(1) finds out."""
    return subprocess.run(["test", what, path], check=False, **run_as(account)).returncode == 0


def run_as(account: Account | None) -> RunAs:
    """Arguments of Popen to run as `account`."""
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
