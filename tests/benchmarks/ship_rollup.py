"""How fast requests get from the spool to PostgreSQL, and from there into the hours.

`python -m tests.benchmarks.ship_rollup [ROWS] [--json]` runs it on an embedded PostgreSQL of its own, as durable
as in production; `measure` runs on whatever database the settings name, which must be empty.
"""

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

from apps.kit.ids import uuid7
from apps.pricing.rating import Tokens
from apps.usage.record import REPORTED, SERVED, Intent, Outcome, encode
from apps.usage.segment import SegmentWriter, framed

SEGMENT = 16 * 1024 * 1024
MODELS = [
    ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
]
USERS = 50  # of each customer
PLANS = ("free", "pro", "enterprise")


@dataclass(frozen=True)
class Speed:
    """How long a number of rows took."""

    rows: int
    seconds: float
    own_cpu: float  # of this process
    postgres_cpu: float  # of all the server's

    def __str__(self) -> str:
        own, theirs = (seconds / self.rows * 1e6 for seconds in (self.own_cpu, self.postgres_cpu))
        speed = f"{self.rows} rows in {self.seconds:.1f} s: {self.rows / self.seconds:,.0f} rows/s"
        return f"{speed}; CPU a row: {own:.1f} µs here, {theirs:.1f} µs in PostgreSQL"


def records(rows: int, organization: UUID, customers: list[UUID], *, until: datetime) -> Iterator[bytes]:
    """Calls of the last day, by some users of some customers, half of them with two properties."""
    rng = random.Random(1)
    step = timedelta(days=1) / rows
    keys = {customer: uuid4().bytes for customer in customers}
    for number in range(rows):
        customer = rng.choice(customers)
        provider, model, served = rng.choice(MODELS)
        call_id = uuid7().bytes
        properties = [("Plan", rng.choice(PLANS)), ("Feature", f"f{number % 7}")] if number % 2 else []
        at = until - timedelta(days=1) + step * number
        intent = Intent(
            call_id,
            int(at.timestamp() * 1_000_000),
            organization.bytes,
            customer.bytes,
            keys[customer],
            customer.bytes,
            provider,
            "chat.completions",
            model,
            number % 3 == 0,
            Decimal("20.0000"),
            f"user-{rng.randrange(USERS)}",
            properties,
            client_ip="203.0.113.9",
        )
        outcome = Outcome(
            call_id,
            SERVED,
            200,
            rng.randrange(200, 4000),
            served,
            150,
            REPORTED,
            Tokens(input=rng.randrange(4000), cache_read=rng.randrange(500), output=rng.randrange(900)),
            Decimal(rng.randrange(10**9)).scaleb(-12),
            Decimal(rng.randrange(10**9)).scaleb(-12),
            77,
            provider_request_id=f"chatcmpl-{number:032x}",
        )
        yield encode(intent)
        yield encode(outcome)


def write_spool(root: Path, payloads: Iterator[bytes]) -> None:
    """The spool of a process that is gone, without the waiting for the disk that a live one does."""
    spool_id = uuid7()
    directory = root / spool_id.hex
    directory.mkdir(parents=True)
    (directory / "lock").touch()
    number, frames, size = 1, [], 0
    writer = SegmentWriter(directory, spool_id, number, SEGMENT)
    for payload in payloads:
        frame = framed(payload)
        if not writer.has_room(size + len(frame)):
            writer.append(b"".join(frames))
            writer.close()
            number, frames, size = number + 1, [], 0
            writer = SegmentWriter(directory, spool_id, number, SEGMENT)
        frames.append(frame)
        size += len(frame)
    writer.append(b"".join(frames))
    writer.finish()


def measure(rows: int) -> Speed:
    """Ship and roll up so many requests of a new organization, and tell how long it took until all was done.

    Both work at the same time, as in production: the shipper on what the spool holds, one worker on what is shipped.
    """
    from apps.accounts.services import create_organization
    from apps.customers.services import add_customer
    from apps.usage.ship import Shipper

    name = f"Bench {uuid4().hex[:8]}"
    organization = create_organization(name, owner_email=f"{uuid4().hex}@example.com")
    customers = [add_customer(organization, name=f"Customer {number}", by=None).pk for number in range(20)]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as worker:
        root = Path(folder)
        write_spool(root, records(rows, organization.pk, customers, until=datetime.now(UTC)))
        began, own, theirs = time.perf_counter(), time.process_time(), postgres_cpu()
        rolled_up = worker.submit(_roll_up_all, rows)
        shipped = Shipper(root).ship()
        assert (shipped, rolled_up.result()) == (rows, rows)
        return Speed(rows, time.perf_counter() - began, time.process_time() - own, postgres_cpu() - theirs)


def _roll_up_all(rows: int) -> int:
    """What the worker does, without waiting for the beat."""
    from apps.usage.rollup import roll_up

    done = 0
    while done < rows:
        done += roll_up()
        time.sleep(0.05)
    return done


def postgres_cpu() -> float:
    """Seconds that all processes of the server have used."""
    from django.db import connection

    connection.ensure_connection()
    stats = {
        path.parent.name: path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat")
    }
    postmaster = stats[str(connection.connection.info.backend_pid)][1]
    of_server = [fields for pid, fields in stats.items() if postmaster in (pid, fields[1])]
    ended = sum(int(ticks) for ticks in stats[postmaster][13:15])  # what they had used
    return (ended + sum(int(ticks) for fields in of_server for ticks in fields[11:13])) / os.sysconf("SC_CLK_TCK")


def main(*arguments: str) -> None:
    from apps.ops.embedded import ephemeral_home, start_postgres

    is_json = "--json" in arguments
    rows = next((int(argument) for argument in arguments if argument.isdigit()), 1_000_000)
    with ephemeral_home() as home, (home.data / "postgres.log").open("wb") as log:
        server = start_postgres(home, output=log)
        try:
            os.environ |= {
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "DATABASE_URL": server.url,
                "REDIS_URL": "redis://localhost:1",
                "DEBUG": "0",
                "SECRET_KEY": "of-a-benchmark-" + "x" * 50,
                "TOLLGATE_VAULT_KEYS": "bench:dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtMDE=",
            }
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            speeds = {}
            for part in (rows // 10, rows):
                speeds[part] = measure(part)
                if not is_json:
                    print(speeds[part], flush=True)
            if is_json:
                print(json.dumps([asdict(speed) for speed in speeds.values()]))
        finally:
            server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
