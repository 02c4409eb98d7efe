"""Spools to write, and what ships and rolls them up."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from apps.customers.models import Customer
from apps.kit.ids import uuid7
from apps.pricing.rating import Tokens
from apps.usage.record import REPORTED, SERVED, Awaited, Intent, Outcome, encode
from apps.usage.ship import Shipper
from apps.usage.spool import Spool

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def microseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


def an_intent(customer: Customer, *, at: datetime = NOON, **fields) -> Intent:
    """A call of the customer that was let in."""
    values = {
        "id": uuid7().bytes,
        "started_at_us": microseconds(at),
        "organization_id": customer.organization_id.bytes,
        "customer_id": customer.id.bytes,
        "proxy_key_id": customer.id.bytes,
        "provider_key_id": None,
        "provider": "openai",
        "endpoint": "chat.completions",
        "model": "gpt-4o-mini",
        "is_streamed": False,
        "markup_percent": Decimal(20),
    }
    return Intent(**values | fields)


def an_awaited(intent: Intent, **fields) -> Awaited:
    """That the call goes on at the provider."""
    values = {
        "id": intent.id,
        "object_id": "resp_1",
        "target": "/responses/resp_1",
        "provider_key_id": None,
        "input_bytes": 80,
        "most_input": 1104,
        "most_output": 4096,
    }
    return Awaited(**values | fields)


def an_outcome(intent: Intent, **fields) -> Outcome:
    """How that call ended: served, unless told otherwise."""
    values = {
        "id": intent.id,
        "result": SERVED,
        "status": 200,
        "latency_ms": 800,
        "model_served": "gpt-4o-mini-2024-07-18",
        "usage_source": REPORTED,
        "tokens": Tokens(input=1000, cache_read=200, output=300),
        "cost": Decimal("0.000345"),
        "price": Decimal("0.000414"),
    }
    return Outcome(**values | fields)


def a_call(customer: Customer, *, at: datetime = NOON, outcome: dict | None = None, **fields) -> list[bytes]:
    """The two payloads of a call."""
    intent = an_intent(customer, at=at, **fields)
    return [encode(intent), encode(an_outcome(intent, **outcome or {}))]


class LiveSpool:
    """The spool of a process that goes on: this one."""

    def __init__(self, root: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._spool = Spool.open(root, segment_bytes=16 * 1024)
        self.directory = self._spool.directory

    def write(self, *payloads: bytes) -> None:
        """Durable when it returns."""

        async def write() -> None:
            await self._spool.write(*payloads, is_outcome=True)

        self._loop.run_until_complete(write())

    @property
    def segment(self) -> int:
        """The one that is written."""
        return self._spool.stats().segment

    def close(self) -> None:
        self._spool.close()
        self._loop.close()


def write_spool(root: Path, payloads: Iterable[bytes], *, segment_bytes: int = 1024 * 1024) -> Path:
    """A spool of a process that ended after it had written the payloads."""

    async def write() -> Path:
        spool = Spool.open(root, segment_bytes=segment_bytes)
        await asyncio.gather(*(spool.write(payload, is_outcome=True) for payload in payloads))
        spool.close()
        return spool.directory

    return asyncio.run(write())


@pytest.fixture
def root(tmp_path: Path, settings) -> Path:
    """Where the spools of this test are."""
    settings.SPOOL_DIRECTORY = tmp_path / "spools"
    return settings.SPOOL_DIRECTORY


@pytest.fixture
def live_spool(root: Path) -> Iterator[LiveSpool]:
    """A spool that is being written."""
    spool = LiveSpool(root)
    yield spool
    spool.close()


@pytest.fixture
def ship(root: Path) -> Callable[[], int]:
    """Ship as a process that was just started does."""
    return lambda: Shipper(root).ship()


def manage(*arguments: str, fail: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, on the test's database; `fail` is TOLLGATE_FAIL."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=os.environ | {"DATABASE_URL": database_url(), "TOLLGATE_FAIL": fail} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def database_url() -> str:
    """The test's database, as the environment would name it."""
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
