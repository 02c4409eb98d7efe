"""What an organization's pages cost: the server's time and the queries of each, as its owner gets them."""

import statistics
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.db import connection
from django.db.models import Sum
from django.http import HttpResponseBase
from django.test import Client
from django.test.utils import override_settings
from django.urls import NoReverseMatch, reverse

from apps.accounts.models import Organization, Role
from apps.usage.models import DailyTotal, DailyUsage
from apps.usage.queries.users import ORDERS

MOST_MS = 150
MOST_QUERIES = 12


class Measured(NamedTuple):
    """A page, and what it took: times in ms, the first visit apart from the others."""

    page: str
    status: int
    first_ms: float
    median_ms: float
    p95_ms: float
    queries: int

    @property
    def is_met(self) -> bool:
        return self.status == 200 and self.p95_ms <= MOST_MS and self.queries <= MOST_QUERIES


def measure_pages(organization: Organization, *, visits: int, only: str = "") -> Iterator[Measured]:
    """Visit each page so many times, and once before; `only`: those whose names have this in them."""
    owner = organization.members.filter(role=Role.OWNER).select_related("user").order_by("pk")[0].user
    with override_settings(ALLOWED_HOSTS=["*"], SECURE_SSL_REDIRECT=False):
        client = Client(headers={"host": "localhost"})
        client.force_login(owner, backend=settings.AUTHENTICATION_BACKENDS[0])
        for name, url in _pages(organization):
            if url and only in name:
                yield _measured(client, name, url, visits)


def _measured(client: Client, name: str, url: str, visits: int) -> Measured:
    answer, first, _ = _visit(client, url)
    found = [_visit(client, url) for _ in range(visits)]
    times = sorted(took for _, took, _ in found)
    p95 = times[min(len(times) - 1, round(0.95 * len(times)))]
    return Measured(name, answer.status_code, first, statistics.median(times), p95, max(n for _, _, n in found))


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
    for period in ("today", "7d", "30d", "month", "last_month"):
        yield f"overview, {period}", _url("dashboard", period=period)
    for order in sorted(ORDERS):
        yield f"users by {order}", _url("users", period="30d", sort=f"-{order}")
    yield "users, 90d", _url("users", period="90d")
    totals = DailyTotal.objects.filter(organization=organization)
    biggest = totals.values_list("customer_id").annotate(sum=Sum("requests")).order_by("-sum")[:1]
    for customer_id, _ in biggest:
        yield from _pages_of(organization, customer_id)
    for name in ("profitability", "requests", "sessions"):
        for period in ("30d", "month"):
            yield f"{name}, {period}", _url(name, period=period)


def _pages_of(organization: Organization, customer_id: Any) -> Iterator[tuple[str, str]]:
    """Of the biggest customer, and of three of its users: much, some and little used."""
    yield "users of a customer", _url("users", period="30d", customer=customer_id)
    yield "users of a model", _url("users", period="30d", model="gpt-4o-2024-08-06")
    yield "users of a plan", _url("users", period="30d", name="Plan", value="pro")
    yield "users by part of the name", _url("users", period="30d", q="777")
    yield "users who cost much", _url("users", period="30d", above="1")
    yield "customer", _url("customer-detail", customer_id)
    yield "customer's requests", _url("customer-requests", customer_id)
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
