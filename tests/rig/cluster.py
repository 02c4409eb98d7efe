"""A PostgreSQL cluster that has our tables, for every server of the tests to start on a copy of.

Making the tables takes longer than most test files: it is done once for a state of the migrations, and kept
beside pytest's own cache, which may be deleted at any time.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from apps.ops.embedded import Home, ephemeral_home, start_postgres
from apps.ops.embedded.binaries import find_postgres
from tests.rig.processes import ROOT, manage

KEPT = ROOT / ".pytest_cache" / "cluster"
MADE_OF = ("apps/*/migrations/*.py", "apps/*/*fields.py", "config/settings.py", "requirements.lock")


def give_cluster(home: Home) -> None:
    """Put a cluster into `home`, which has none: the database `tollgate` in it is migrated."""
    with _locked():
        checksum = _checksum()
        kept = KEPT / checksum
        if not kept.exists():
            for outdated in KEPT.glob("*/"):
                shutil.rmtree(outdated)
            _make(kept)
        cluster = home.data / "postgres" / "cluster"
        shutil.copytree(kept, cluster)
    if home.account:
        for path in (cluster, *cluster.rglob("*")):
            os.chown(path, *home.account)


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """One at a time: xdist's workers ask together."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _checksum() -> str:
    """Of all that makes the tables what they are."""
    digest = hashlib.sha256(str(find_postgres()).encode())
    for path in sorted(path for pattern in MADE_OF for path in ROOT.glob(pattern)):
        digest.update(f"{path.relative_to(ROOT)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _make(kept: Path) -> None:
    """Migrate an empty cluster; it appears as `kept` once it is whole."""
    with ephemeral_home() as home:
        with (home.data / "postgres.log").open("wb") as log:
            server = start_postgres(home, output=log, is_ephemeral=True)
        try:
            given = {"DEBUG": "1", "DATABASE_URL": server.url, "REDIS_URL": "redis://none"}
            command = manage("migrate", "--verbosity", "0", "--skip-checks")
            subprocess.run(command, env={**os.environ, **given}, cwd=ROOT, check=True)
        finally:
            server.stop()
        unfinished = kept.with_suffix(".unfinished")
        shutil.copytree(home.data / "postgres" / "cluster", unfinished)
        unfinished.rename(kept)
