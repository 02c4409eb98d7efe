"""Requests that fit a search, newest first, a page at a time.

A search that an index answers is one query. Any other could read every request there is before its page is
full: it looks through one stretch of time after another, each eight times as long as the one before, until the
page is full or its time is up. The page then ends where it stopped, and the next one goes on from there.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from time import monotonic
from typing import NamedTuple
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from psycopg.errors import QueryCanceled

from apps.customers.models import Customer
from apps.usage.models import Request, Result
from apps.usage.queries.bloom import bloom_filters
from apps.usage.queries.cursors import LOWEST_ID, Position, as_cursor, position_of
from apps.usage.rows import EARLIEST

PATIENCE_S = 4.0  # that a page has
FIRST_STRETCH = timedelta(days=1)
LONGEST_STRETCH = timedelta(days=100)
LONGER = 8  # times, each than the one before
AHEAD = timedelta(days=2)  # how far the clock of a proxy may be ahead; see landing.AHEAD


@dataclass(frozen=True)
class Search:
    """Which requests. What is left as it is here doesn't narrow."""

    organization_id: UUID
    customer_id: UUID | None = None
    since: datetime | None = None  # it began then, or later
    until: datetime | None = None  # it began before
    result: Result | None = None
    statuses: tuple[int, int] | None = None  # the lowest and the highest
    model: str = ""  # "*" at its end: any that begin so
    is_sold_as: bool = False  # `model` is a name that customers know; else any name of the model will do
    sold_as: str = ""  # the name that it was sold by, and no other
    endpoint: str = ""  # the operation, such as "embeddings"
    end_user: str | None = None
    has_no_user: bool = False
    proxy_key_id: UUID | None = None
    properties: dict[str, str | None] = field(default_factory=dict)  # lower-case name: value; None: any
    session_id: str = ""
    price_above: Decimal | None = None
    price_below: Decimal | None = None
    cost_above: Decimal | None = None
    cost_below: Decimal | None = None
    latency_above_ms: int | None = None
    error: str = ""  # part of its code or message
    request_id: str = ""  # ours, the client's or the provider's

    @property
    def has_index(self) -> bool:
        """Whether requests that fit are found without a look at many others."""
        if self.end_user is not None or self.session_id or self.request_id:
            return True
        others = (
            self.statuses,
            self.model,
            self.sold_as,
            self.endpoint,
            self.has_no_user,
            self.proxy_key_id,
            self.properties,
            self.price_above is not None,
            self.price_below is not None,
            self.cost_above is not None,
            self.cost_below is not None,
            self.latency_above_ms,
            self.error,
        )
        return not any(others) and (self.result is None or self.result is Result.SERVED)

    def rows(self) -> QuerySet[Request]:
        """All that fit, in no order."""
        rows = Request.objects.filter(organization_id=self.organization_id)
        if self.customer_id is not None:
            rows = rows.filter(customer_id=self.customer_id)
        elif self.end_user is not None or self.session_id:
            # Their indexes begin with the customer, who alone gives those names a meaning.
            customers = Customer.objects.filter(organization_id=self.organization_id)
            rows = rows.filter(customer_id__in=list(customers.values_list("pk", flat=True)))
        if self.since is not None:
            rows = rows.filter(started_at__gte=self.since)
        if self.until is not None:
            rows = rows.filter(started_at__lt=self.until)
        return rows.filter(*self._conditions())

    def _conditions(self) -> Iterator[Q]:
        if self.result is not None:
            yield Q(result=self.result)
        if self.statuses is not None:
            yield Q(status__range=self.statuses)
        if self.model:
            yield self._has_model()
        if self.sold_as:
            yield Q(alias=self.sold_as) | Q(alias=None, model_served=self.sold_as)
        if self.endpoint:
            yield Q(endpoint=self.endpoint)
        if self.end_user is not None:
            yield Q(end_user=self.end_user)
        if self.has_no_user:
            yield Q(end_user=None)
        if self.proxy_key_id is not None:
            yield Q(proxy_key_id=self.proxy_key_id)
        if self.session_id:
            yield Q(session_id=self.session_id)
        for name, value in self.properties.items():
            yield Q(properties__has_key=name) if value is None else Q(properties__contains={name: value})
        if self.error:
            yield Q(result__gt=Result.SERVED)  # as the index has it
            in_message = Q(error_message__icontains=self.error)
            if self.is_sold_as:  # a provider's message names what stands behind an alias: no customer is to guess it
                in_message &= Q(alias=None)
            yield in_message | Q(error_code__icontains=self.error)
        if self.request_id:
            yield self._has_id()
        yield from self._bounds()

    def _bounds(self) -> Iterator[Q]:
        bounds = {
            "price__gt": self.price_above,
            "price__lt": self.price_below,
            "cost__gt": self.cost_above,
            "cost__lt": self.cost_below,
            "latency_ms__gt": self.latency_above_ms,
        }
        for name, bound in bounds.items():
            if bound is not None:
                yield Q(**{name: bound})

    def _has_id(self) -> Q:
        by_others = Q(client_request_id=self.request_id) | Q(provider_request_id=self.request_id)
        try:
            return Q(id=UUID(self.request_id)) | by_others
        except ValueError:
            return by_others

    def _has_model(self) -> Q:
        how, name = ("startswith", self.model[:-1]) if self.model.endswith("*") else ("exact", self.model)

        def named(column: str) -> Q:
            return Q(**{f"{column}__{how}": name})

        if self.is_sold_as:
            return named("alias") | Q(alias=None) & named("model_served")
        return named("model_served") | named("model") | named("alias")


class FoundPage(NamedTuple):
    """Requests, newest first, and the cursors of the pages beside this one; None: there is none."""

    requests: list[Request]
    older: str | None = None
    newer: str | None = None
    searched_to: datetime | None = None  # time was up here, before the page was full; None: it was not


def found_page(
    search: Search,
    *,
    at: datetime,
    before: str | None = None,
    after: str | None = None,
    limit: int = 50,
    patience_s: float = PATIENCE_S,
) -> FoundPage:
    """The newest requests that fit, or those `before` or `after` a cursor; a cursor that isn't one is none.

    As fast on the last page as on the first, and the same however many arrive meanwhile. Takes `patience_s` at
    most; see `searched_to`.
    """
    if after and (position := position_of(after)):
        return _newer(search, position, at, limit, patience_s)
    start = position_of(before) if before else None
    found, searched_to = _older(search, start, at, limit + 1, patience_s)
    older = None
    if len(found) > limit:
        older = _cursor(found[limit - 1])
    elif searched_to is not None:
        older = as_cursor(Position(searched_to, LOWEST_ID))
    found = found[:limit]
    newer = None
    if start is not None:  # there was a page before this one
        newer = _cursor(found[0]) if found else as_cursor(start)
    return FoundPage(found, older, newer, searched_to)


def _older(
    search: Search, start: Position | None, at: datetime, limit: int, patience_s: float
) -> tuple[list[Request], datetime | None]:
    """At most `limit`, and where the search stopped for lack of time."""
    deadline = monotonic() + patience_s
    top = start.at if start else at + AHEAD
    rows = search.rows()
    if start is not None:
        rows = rows.filter(started_at__lte=start.at).exclude(started_at=start.at, id__gte=start.id)
    found: list[Request] = []
    reached = top
    try:
        with patience(patience_s), bloom_filters() if search.request_id else nullcontext():
            for until, since in _stretches(search, top):
                reached = until or top
                if monotonic() > deadline:
                    return found, reached
                stretch = rows.filter(**_between(since, until)).order_by("-started_at", "-id")
                found += stretch[: limit - len(found)]
                if len(found) == limit:
                    break
    except OutOfTime:
        return found, reached
    return found, None


def _stretches(search: Search, top: datetime) -> Iterator[tuple[datetime | None, datetime | None]]:
    """Where to look: until when and since when, the newest first, without a gap. None: as far as there are any."""
    if search.has_index:
        yield None, None
        return
    if search.until is not None:
        top = min(top, search.until)
    bottom = search.since or EARLIEST
    until, length = None, FIRST_STRETCH
    while length < LONGEST_STRETCH:
        since = (until or top) - length
        if since <= bottom:
            break
        yield until, since
        until, length = since, length * LONGER
    yield until, None


def _between(since: datetime | None, until: datetime | None) -> dict[str, datetime]:
    return {name: value for name, value in (("started_at__gte", since), ("started_at__lt", until)) if value is not None}


def _newer(search: Search, position: Position, at: datetime, limit: int, patience_s: float) -> FoundPage:
    rows = search.rows().filter(started_at__gte=position.at)
    rows = rows.exclude(started_at=position.at, id__lte=position.id)
    try:
        with patience(patience_s):
            found = list(rows.order_by("started_at", "id")[: limit + 1])
    except OutOfTime:
        found = []
    if len(found) <= limit:  # these are the newest: with some more, as the first page has them
        return found_page(search, at=at, limit=limit, patience_s=patience_s)
    found = found[:limit][::-1]
    return FoundPage(found, _cursor(found[-1]), _cursor(found[0]))


class OutOfTime(Exception):
    """The database had no answer in time."""


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """A transaction in which a query may take so long. Raises OutOfTime where one would take longer."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {max(1, round(seconds * 1000))}")
            yield
            cursor.execute("SET LOCAL statement_timeout = DEFAULT")  # this may be part of a longer one
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise OutOfTime from error
        raise


def _cursor(request: Request) -> str:
    return as_cursor(Position(request.started_at, request.id))
