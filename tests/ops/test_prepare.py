"""`manage.py prepare`: what has to be there before anything is served."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from apps.ops.installation import ROOT


@pytest.fixture
def database_url(worker_id: str) -> Iterator[str]:
    """A new database, empty to the last table."""
    server, name = os.environ["DATABASE_URL"], f"prepare_{worker_id}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
        before, _, after = server.rpartition("/tollgate?")
        yield f"{before}/{name}?{after}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif("host=" not in os.environ.get("DATABASE_URL", ""), reason="makes databases in our own server only")
def test_of_two_at_once_one_prepares_and_the_other_finds_all_done(database_url: str, tmp_path: Path):
    command = [sys.executable, str(ROOT / "manage.py"), "prepare", "--no-demo"]
    env = {**os.environ, "DATABASE_URL": database_url, "TOLLGATE_DATA": str(tmp_path)}
    both = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=300)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said == [
        "",
        "making the tables\ncollected the static files\ncopied the list prices of the providers\n",
    ]
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) > 1000 FROM pricing_modelprice").fetchone() == (True,)
        assert connection.execute("SELECT count(*) FROM accounts_organization").fetchone() == (0,)
