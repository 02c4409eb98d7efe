"""How fast requests that are in PostgreSQL get into the sums: with one worker and with two, and with some killed.

`python -m tests.benchmarks.roll_up [REQUESTS] [--kills N] [--data FOLDER] [--json]`, 1,000,000 if not told. It seeds
them as `manage.py seed_usage` does, on an embedded PostgreSQL of its own, as durable as in production: as many days of
1,000 customers with 100,000 users as make 111,000 requests a day. Each run begins with nothing rolled up.

--data: keep the data there, and seed only what is missing; 10,000,000 requests take some 10 GB.
"""

import contextlib
import json
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random

from apps.ops.embedded import Home, Server, ephemeral_home, prepare_home, start_postgres
from tests.benchmarks.ship_rollup import Speed, postgres_cpu
from tests.benchmarks.table import Bar, print_table
from tests.rig.rollers import kill_at_random, start_rollers

LEAST_A_SECOND = 50_000.0  # two workers
LEAST_GAIN = 1.4  # of two workers over one
REQUESTS_A_DAY = 10_000_000 // 90
CUSTOMERS, USERS = 1_000, 100_000
SLUG = "rolled-up"
LONGEST_S = 3.0  # before a worker is killed: longer than a transaction


def seeded(requests: int) -> int:
    """Have so many requests at least. Returns how many there are."""
    from django.core.management import call_command

    from apps.accounts.models import Organization
    from apps.accounts.services import create_organization
    from apps.usage.models import Request

    organization = Organization.objects.filter(slug=SLUG).first()
    organization = organization or create_organization("Rolled up", slug=SLUG, owner_email="owner@example.com")
    missing = requests - Request.objects.count()
    if missing > 0:
        days = max(1, round(missing / REQUESTS_A_DAY))
        sizes = {"requests": missing, "customers": CUSTOMERS, "users": USERS, "days": days}
        call_command("seed_usage", organization=organization.slug, **sizes, verbosity=0, stdout=sys.stderr)
    return Request.objects.count()


def forget_sums() -> None:
    """As if nothing had been rolled up."""
    from django.db import connection

    from apps.usage.measures import ROLLUPS

    tables = [rollup.table for rollup in ROLLUPS] + ["usage_knownvalue", "usage_daycardinality"]
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables)}")
        cursor.execute("UPDATE usage_batch SET rolled_up_at = NULL")
        cursor.execute("VACUUM ANALYZE usage_batch")
        cursor.execute("CHECKPOINT")


def speed(url: str, workers: int) -> Speed:
    """Roll up all of it with so many workers, processes that were started before."""
    forget_sums()
    rollers = start_rollers(url, workers)
    began, theirs = time.perf_counter(), postgres_cpu()
    for roller in rollers:
        roller.begin()
    rows = sum(roller.wait() for roller in rollers)
    return Speed(rows, time.perf_counter() - began, 0.0, postgres_cpu() - theirs)


def is_exact_after(url: str, kills: int) -> bool:
    """Roll up with two workers, so many of which are killed on the way. Whether the audit finds no difference."""
    from apps.usage.audit import audit

    forget_sums()
    done = kill_at_random(url, kills=kills, workers=2, longest_s=LONGEST_S, chance=Random(), told=_nobody)
    found = audit()
    for difference in (*found.differences[:10], *found.wrong_batches[:10]):
        print(difference, file=sys.stderr)
    return found.is_equal and not found.waiting and done == kills


def _nobody(_: int) -> None:
    pass


@contextlib.contextmanager
def _server(data: str | None) -> Iterator[Server]:
    """A PostgreSQL that this process's settings name."""
    with contextlib.ExitStack() as stack:
        home: Home = prepare_home(Path(data)) if data else stack.enter_context(ephemeral_home())
        log = stack.enter_context((home.data / "postgres.log").open("ab"))
        server = start_postgres(home, output=log)
        stack.callback(server.stop)
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": server.url,
            "REDIS_URL": "redis://localhost:1",
            "DEBUG": "0",
            "SECRET_KEY": "of-a-benchmark-" + "x" * 50,
            "TOLLGATE_VAULT_KEYS": "bench:dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtMDE=",
        }
        yield server


def _bars(one: Speed, two: Speed, exact: bool | None) -> list[Bar]:
    gain = (two.rows / two.seconds) / (one.rows / one.seconds)
    bars = [
        Bar("requests rolled up a second, one worker", one.rows / one.seconds, "", note=_told(one)),
        Bar("  two workers", two.rows / two.seconds, "", least=LEAST_A_SECOND, note=_told(two)),
        Bar("  two workers over one", gain, "x", least=LEAST_GAIN),
    ]
    return bars if exact is None else [*bars, Bar("  workers killed, and sums not exact", not exact, "", most=0)]


def _told(speed: Speed) -> str:
    cpu = speed.postgres_cpu / speed.rows * 1e6
    return f"{speed.rows:,} in {speed.seconds:.1f} s; CPU each: {cpu:.1f} µs in PostgreSQL"


def main() -> int:
    """Measure and print. 0: every bar was reached; 1: one was missed."""
    parser = ArgumentParser(description="How fast requests are rolled up.")
    parser.add_argument("requests", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="then kill so many workers, and audit")
    parser.add_argument("--data", metavar="FOLDER", help="keep what is seeded there")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with _server(options.data) as server:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        print(f"{seeded(options.requests):,} requests", file=sys.stderr)
        one, two = speed(server.url, 1), speed(server.url, 2)
        exact = is_exact_after(server.url, options.kills) if options.kills else None
    bars = _bars(one, two, exact)
    if options.json:
        print(json.dumps([asdict(bar) for bar in bars]))
    else:
        print_table(bars)
    return 0 if all(bar.is_met for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
