"""Shippers killed at every step, PostgreSQL cut off, PostgreSQL away: in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from django.db import connection

from apps.usage.models import Batch, Request, Spool
from apps.usage.rollup import roll_up
from apps.usage.ship import Shipper
from tests.faults.size import size
from tests.usage.conftest import a_call, database_url, manage, write_spool

pytestmark = pytest.mark.django_db(transaction=True)

SPOOLS, CALLS = 3, 40


@pytest.fixture
def spools(cast, root) -> None:
    for _ in range(SPOOLS):
        write_spool(root, [payload for _ in range(CALLS) for payload in a_call(cast.globex)])


def ship(root, fail: str = "") -> int:
    return manage("ship", "--once", fail=fail, TOLLGATE_SPOOL=str(root)).returncode


def is_shipped_once() -> bool:
    requests = Request.objects.count()
    return requests == SPOOLS * CALLS == sum(Batch.objects.values_list("rows", flat=True))


PLACES = ("ship_after_copy", "ship_after_batch_row", "ship_after_commit")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("nth", [1, 3])
def test_shipper_killed_anywhere_ships_each_request_once(spools, root, place, nth):
    assert ship(root, f"{place}:kill:{nth}") == -signal.SIGKILL
    assert Request.objects.count() == CALLS * (nth if place == "ship_after_commit" else nth - 1)
    assert ship(root) == 0
    assert is_shipped_once()


def test_shipper_killed_while_it_deletes_leaves_nothing_behind_in_the_end(spools, root):
    ship(root)
    kept = {"TOLLGATE_SPOOL": str(root), "TOLLGATE_SPOOL_RETENTION": "0"}
    killed = manage("ship", "--once", fail="ship_before_delete:kill:2", **kept)
    assert (killed.returncode, len(list(root.iterdir()))) == (-signal.SIGKILL, SPOOLS - 1)
    manage("ship", "--once", **kept)
    assert list(root.iterdir()) == []
    assert is_shipped_once()


@contextmanager
def shipping(root, *, url: str = "") -> Iterator[subprocess.Popen[str]]:
    """`manage.py ship` as it runs in production, told to end at the end."""
    environment = os.environ | {"DATABASE_URL": url or database_url(), "TOLLGATE_SPOOL": str(root)}
    command = [sys.executable, "manage.py", "ship", "--poll", "0.05"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition, patience_s: float = 20) -> None:
    ends_at = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_shipper_that_is_told_to_end_ends_well(spools, root, number):
    with shipping(root) as process:
        until(lambda: Request.objects.count() == SPOOLS * CALLS)
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_postgresql_that_is_away_is_told_once_and_waited_for(spools, root, tmp_path):
    with shipping(root, url=f"postgres://nobody@/nothing?host={tmp_path}") as process:
        first = process.stderr.readline()
        time.sleep(1)
        process.terminate()
        _, rest = process.communicate(timeout=10)
    assert first.startswith("WARNING apps.usage.ship: PostgreSQL takes no requests, the spools keep them: ")
    assert (process.returncode, rest) == (0, "")


def terminate_others() -> int:
    """End every other connection to the test's database, in the middle of whatever it does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return cursor.fetchone()[0]


def test_connections_cut_off_again_and_again_lose_and_double_nothing(cast, root, live_spool):
    shipper = Shipper(root, batch_rows=7)

    def run() -> None:
        shipper.run(poll_s=0.005)
        connection.close()

    thread = Thread(target=run)
    thread.start()
    cuts, written = 0, 0
    while cuts < size(4, 20):
        for _ in range(20):
            live_spool.write(*a_call(cast.globex))
        written += 20
        until(lambda: terminate_others() > 0)
        cuts += 1
    until(lambda: Request.objects.count() == written)
    shipper.stop()
    thread.join()
    assert sum(Batch.objects.values_list("rows", flat=True)) == written
    assert roll_up() == written
    assert Spool.objects.count() == 1
