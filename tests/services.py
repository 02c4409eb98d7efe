"""Real PostgreSQL and Redis for the tests, started before the settings are read (`-p tests.services`).

With DATABASE_URL or REDIS_URL set, that server is used instead: pytest-django makes databases
`test_…` of its own in the one, and the other's databases 0 to 15 are emptied. Under xdist the workers share
PostgreSQL, where pytest-django gives each a database (of our own PostgreSQL, a copy of one that is migrated), and
each has a Redis of its own.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from apps.ops.embedded import Home, Server, ephemeral_home, start_postgres, start_redis
from tests.rig.cluster import give_cluster

TEMPLATE = "tollgate_migrated"

_running = contextlib.ExitStack()


@pytest.hookimpl(wrapper=True)  # a wrapper comes before pytest-django's hook, which reads the settings
def pytest_load_initial_conftests() -> Generator[None]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    _set_values_of_tests()
    _offer_servers(worker)
    return (yield)


@pytest.hookimpl(tryfirst=True)  # xdist has one of its own
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: much of what is tested here is other processes, which a worker waits for."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    _running.close()


def _set_values_of_tests() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ["TOLLGATE_TESTING"] = "1"
    os.environ["SECRET_KEY"] = "only-for-tests-" + "x" * 50
    os.environ["TOLLGATE_VAULT_KEYS"] = "tests:dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtMDE="
    os.environ["EMAIL_URL"] = "memorymail://"
    os.environ["DEBUG"] = "0"
    data = _running.enter_context(tempfile.TemporaryDirectory(prefix="tollgate-tests-"))
    os.environ["TOLLGATE_DATA"] = data
    Path(data, "static").mkdir()  # as collectstatic would; WhiteNoise warns where there is none


def _offer_servers(worker: str) -> None:
    needs_postgres = not os.environ.get("DATABASE_URL")
    given_redis = os.environ.get("REDIS_URL", "")
    needs_redis = not given_redis or "TOLLGATE_TESTS_OWN_REDIS" in os.environ  # the controller's isn't shared
    if needs_postgres or needs_redis:
        home = _running.enter_context(ephemeral_home())
    if needs_postgres:
        postgres = _start_migrated_postgres(home)
        _running.callback(postgres.stop)
        os.environ["DATABASE_URL"] = postgres.url
        os.environ["TOLLGATE_TESTS_TEMPLATE"] = TEMPLATE  # conftest.py has databases copied from it
    if needs_redis:
        with (home.data / "redis.log").open("wb") as log:
            redis = start_redis(home, output=log, is_ephemeral=True)
        _running.callback(redis.stop)
        os.environ["REDIS_URL"] = redis.url
        os.environ["TOLLGATE_TESTS_OWN_REDIS"] = "1"
    elif worker:
        os.environ["REDIS_URL"] = _numbered(given_redis, int(worker.removeprefix("gw")) % 16)


def _start_migrated_postgres(home: Home) -> Server:
    """A server with an empty database, and a migrated one for templates: PostgreSQL copies none that is in use."""
    give_cluster(home)
    with (home.data / "postgres.log").open("wb") as log:
        server = start_postgres(home, output=log, is_ephemeral=True)
    with psycopg.connect(server.url.replace("/tollgate?", "/postgres?"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE tollgate RENAME TO {TEMPLATE}")
        connection.execute("CREATE DATABASE tollgate")
    return server


def _numbered(url: str, database: int) -> str:
    """The URL of a Redis with its database's number: `redis://host/3`, `unix:///path?db=3`."""
    if url.startswith("unix:"):
        return f"{url.partition('?')[0]}?db={database}"
    return re.sub(r"(://[^/?]+)(/\d*)?", rf"\g<1>/{database}", url, count=1)
