"""What an organization's pages cost: the server's time and the queries of each, as its owner gets them."""

import gc
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from celery.signals import before_task_publish
from django.conf import settings
from django.db import connection
from django.db.models import Sum
from django.http import HttpResponseBase
from django.test import Client
from django.test.utils import override_settings
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from apps.accounts.models import Organization, Role
from apps.usage.models import DailyTotal, DailyUsage, Request
from apps.usage.queries.cursors import Position, as_cursor
from apps.usage.snapshots import Asked, keep_snapshots, take_snapshot
from apps.usage.user_faces import COLUMNS

REQUESTS_A_PAGE = 50
MOST_MS = 150
MOST_QUERIES = 12


class Measured(NamedTuple):
    """A page, and what it took, in ms: the first visit, what a worker made of it, and all visits after that."""

    page: str
    status: int
    first_ms: float
    kept_ms: float  # to take the snapshots that the first one asked for; 0: it asked for none
    least_ms: float
    median_ms: float
    p95_ms: float
    cpu_ms: float  # of a visit, ours and PostgreSQL's where it runs beside us: what it takes on a machine at rest
    queries: int

    @property
    def is_met(self) -> bool:
        return self.status == 200 and self.p95_ms <= MOST_MS and self.queries <= MOST_QUERIES


def measure_pages(organization: Organization, *, visits: int, only: str = "") -> Iterator[Measured]:
    """Visit each page so many times, and once before; `only`: those whose names have this in them.

    What a worker keeps before anybody looks is kept before.
    """
    owner = organization.members.filter(role=Role.OWNER).select_related("user").order_by("pk")[0].user
    keep_snapshots(at=timezone.now())
    with override_settings(ALLOWED_HOSTS=["*"], SECURE_SSL_REDIRECT=False):
        client = Client(headers={"host": "localhost"})
        client.force_login(owner, backend=settings.AUTHENTICATION_BACKENDS[0])
        with _collector_spared():
            for name, url in _pages(organization):
                if url and only in name:
                    yield _measured(client, name, url, visits)


@contextmanager
def _collector_spared() -> Iterator[None]:
    """As in a process that serves pages: what is loaded by now is not looked through for garbage."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _measured(client: Client, name: str, url: str, visits: int) -> Measured:
    with _tasks_asked_for() as asked:
        answer, first, _ = _visit(client, url)
    began = time.perf_counter()
    taken = [take_snapshot(Asked.of_text(each)) for each in asked]
    kept = (time.perf_counter() - began) * 1000 if any(taken) else 0.0
    cpu = _cpu_ms()
    found = [_visit(client, url) for _ in range(visits)]
    cpu = (_cpu_ms() - cpu) / visits
    times = sorted(took for _, took, _ in found)
    p95 = times[min(len(times) - 1, round(0.95 * len(times)))]
    queries = max(n for _, _, n in found)
    return Measured(name, answer.status_code, first, kept, times[0], statistics.median(times), p95, cpu, queries)


@contextmanager
def _tasks_asked_for() -> Iterator[list[str]]:
    """The arguments of usage.take_snapshot that are enqueued meanwhile: here, what workers do is done at once."""
    asked: list[str] = []

    def note(body: Any = None, **_: Any) -> None:
        asked.extend(body[0])

    before_task_publish.connect(note, sender="usage.take_snapshot")
    try:
        yield asked
    finally:
        before_task_publish.disconnect(note, sender="usage.take_snapshot")


def _cpu_ms() -> float:
    """Of this process and of the database's that serves it, where that is one of this machine."""
    theirs = 0.0
    if not connection.settings_dict["HOST"] or connection.settings_dict["HOST"].startswith("/"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        with suppress(OSError):
            told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            theirs = (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")
    return (time.process_time() + theirs) * 1000


def _visit(client: Client, url: str) -> tuple[HttpResponseBase, float, int]:
    queries = 0

    def counting(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        nonlocal queries
        queries += 1
        return execute(sql, params, many, context)

    with connection.execute_wrapper(counting):
        began = time.perf_counter()
        answer = client.get(url)
        took = (time.perf_counter() - began) * 1000
    return answer, took, queries


def _pages(organization: Organization) -> Iterator[tuple[str, str]]:
    for period in ("today", "7d", "30d", "90d", "month", "last_month"):
        yield f"overview, {period}", _url("dashboard", period=period)
    for column in COLUMNS:
        yield f"users by {column.order}", _url("users", period="30d", sort=f"-{column.order}")
    today = timezone.now().astimezone(ZoneInfo(organization.time_zone)).date()
    chosen = {"since": str(today - timedelta(days=69)), "until": str(today)}  # as nobody keeps them
    for order in ("-cost", "customer", "-latency_p95_ms", "-growth"):
        yield f"users of 90 days by {order.lstrip('-')}", _url("users", period="90d", sort=order)
    yield "users of 70 chosen days", _url("users", **chosen)
    yield "users, page 1,000", _url("users", period="30d", sort="-last_at", page=1000)
    yield "users' distribution", _url("users-spread", period="30d")
    totals = DailyTotal.objects.filter(organization=organization)
    biggest = totals.values_list("customer_id").annotate(sum=Sum("requests")).order_by("-sum")[:1]
    for customer_id, _ in biggest:
        yield from _pages_of(organization, customer_id)
    for period in ("30d", "90d", "month", "last_month"):
        yield f"profitability, {period}", _url("insights", period=period)
    yield "profitability, 70 chosen days", _url("insights", **chosen)
    yield "customers", _url("customers")
    yield "customers by price", _url("customers", sort="price")
    yield "requests, page 1", _url("requests", period="all")
    if cursor := _cursor_of(organization, page=10_000):
        yield "requests, page 10,000", _url("requests", period="all", before=cursor)
        yield "requests not served, from there", _url("requests", period="all", result="failed", before=cursor)
    yield "sessions, 30d", _url("sessions", period="30d")


def _cursor_of(organization: Organization, *, page: int) -> str:
    """Where the page begins, of all requests; "" where there are not so many."""
    rows = Request.objects.filter(organization=organization).order_by("-started_at", "-id")
    found = rows.values_list("started_at", "id")[(page - 1) * REQUESTS_A_PAGE - 1 :][:1]
    return "".join(as_cursor(Position(*each)) for each in found)


def _pages_of(organization: Organization, customer_id: Any) -> Iterator[tuple[str, str]]:
    """Of the biggest customer, and of three of its users: much, some and little used."""
    for order in ("-cost", "-margin"):
        yield f"users of a customer by {order[1:]}", _url("users", period="30d", customer=customer_id, sort=order)
    of = {
        "of a model": {"model": "gpt-4o-2024-08-06"},
        "of a plan": {"name": "Plan", "value": "pro"},
        "by part of the name": {"q": "777"},
        "who cost much": {"above": "0.05"},
        "of a model, by name and cost": {"model": "gpt-4o-2024-08-06", "q": "7", "above": "0.01"},
    }
    for name, asked in of.items():
        for order in ("-cost", "-tokens_per_request"):
            yield f"users {name} by {order[1:]}", _url("users", period="30d", sort=order, **asked)
    yield "customer", _url("customer-detail", customer_id)
    yield "customer's requests", _url("requests", period="all", customer=customer_id)
    rows = DailyUsage.objects.filter(organization=organization, customer_id=customer_id).exclude(end_user=None)
    found = list(rows.values_list("end_user").annotate(sum=Sum("requests")).order_by("-sum"))
    for name, number in (("much", 0), ("some", len(found) // 10), ("little", len(found) - 1)):
        if found:
            yield f"user, {name} used", _url("user-detail", customer_id, id=found[number][0], period="30d")


def _url(page: str, /, *args: Any, **asked: Any) -> str:
    """Of a page of the console; "" where there is none of the name."""
    try:
        return f"{reverse(f'console:{page}', args=args)}?{urlencode(asked)}"
    except NoReverseMatch:
        return ""
