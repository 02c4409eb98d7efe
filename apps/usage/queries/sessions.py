"""Sessions: requests that belong together, as the client says. An id means something within a customer only.

No table of sessions: the newest requests that have one are walked by an index, and each session that shows up
is summed by another. So a session is listed where its last request is, and a page costs what it shows.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from apps.customers.models import Customer
from apps.usage.models import Request
from apps.usage.queries.cursors import Position, as_cursor, position_of
from apps.usage.queries.explorer import PATIENCE_S, OutOfTime, patience
from apps.usage.queries.periods import Period

STRIDE = 1_000  # requests that are looked at together
MOST_STRIDES = 20  # on a page
LATEST = datetime(9000, 1, 1, tzinfo=UTC)

FIGURES = """
        request.customer_id, request.session_id,
        (array_agg(session_name ORDER BY started_at DESC) FILTER (WHERE session_name IS NOT NULL))[1],
        min(started_at), max(started_at), max(started_at + latency_ms * interval '1 ms'),
        count(*), count(*) FILTER (WHERE result = 1), count(*) FILTER (WHERE result = 2),
        count(*) FILTER (WHERE cost IS NULL AND NOT result IN (2, 4)),
        coalesce(sum(cost), 0), coalesce(sum(price), 0), count(DISTINCT end_user), min(end_user)
"""
SUMS = f"""
    SELECT
        {FIGURES},
        count(*) FILTER (
            WHERE (started_at, request.id) >= (%(at)s, %(id)s) AND started_at < %(until)s
              AND (%(user)s::text IS NULL OR end_user = %(user)s)
              AND (%(part)s = '' OR strpos(upper(request.session_id), upper(%(part)s)) > 0
                  OR strpos(upper(session_name), upper(%(part)s)) > 0)
        )
    FROM unnest(%(customers)s::uuid[], %(sessions)s::text[]) AS wanted (customer_id, session_id)
    JOIN usage_request AS request
        ON request.customer_id = wanted.customer_id AND request.session_id = wanted.session_id
    WHERE request.organization_id = %(organization)s
    GROUP BY 1, 2
"""  # noqa: S608 constants of ours

# The sessions of a user's newest requests, and of each all that it was, whoever's.
OF_USER = f"""
    WITH wanted AS MATERIALIZED (
        SELECT session_id, max(started_at) AS latest FROM (
            SELECT session_id, started_at FROM usage_request
            WHERE organization_id = %(organization)s AND customer_id = %(customer)s AND end_user = %(user)s
              AND started_at >= %(since)s AND started_at < %(until)s
            ORDER BY started_at DESC LIMIT {STRIDE}
        ) AS newest
        WHERE session_id IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(most)s
    )
    SELECT {FIGURES}
    FROM wanted JOIN usage_request AS request
        ON request.customer_id = %(customer)s AND request.session_id = wanted.session_id
    WHERE request.organization_id = %(organization)s
    GROUP BY 1, 2, wanted.latest ORDER BY wanted.latest DESC, 2
"""  # noqa: S608 constants of ours

Key = tuple[UUID, str]  # customer, session


class Session(NamedTuple):
    """All requests of a session that are kept. Amounts in USD; those that have no price are in none."""

    customer_id: UUID
    id: str
    name: str | None  # as last told
    first_at: datetime
    last_at: datetime  # when its last request began
    ended_at: datetime  # when the last answer was complete
    requests: int
    failed: int
    refused: int
    unpriced: int
    cost: Decimal
    price: Decimal
    users: int
    a_user: str | None  # one of them


class Fits(NamedTuple):
    """Which requests a list of sessions goes by."""

    part: str = ""  # of the id or the name
    user: str | None = None


EVERY = Fits()


class SessionPage(NamedTuple):
    """Some sessions, that with the latest request first; the cursor of those after them."""

    sessions: list[Session]
    older: str | None = None
    is_cut_short: bool = False  # there may be more before the page was full: time was up


def recent_sessions(
    organization_id: UUID,
    customer_id: UUID | None = None,
    *,
    period: Period | None = None,
    wanted: str = "",
    end_user: str | None = None,
    before: str | None = None,
    limit: int = 25,
) -> SessionPage:
    """Sessions with a request in the period, and `wanted` in their id or name; `before`: a cursor.

    end_user: with a request of this user that fits; what is told of a session is all of it.
    """
    rows = Request.objects.filter(organization_id=organization_id, session_id__isnull=False)
    if customer_id is not None:
        rows = rows.filter(customer_id=customer_id)
    if period is not None:
        rows = rows.filter(started_at__gte=period.since, started_at__lt=period.until)
    if wanted:
        rows = rows.filter(Q(session_id__icontains=wanted) | Q(session_name__icontains=wanted))
    if end_user is not None:
        rows = rows.filter(end_user=end_user)
        if customer_id is None:  # its index begins with the customer
            rows = rows.filter(customer_id__in=_customers(organization_id))
    start = position_of(before) if before else None
    walk = _Walk(organization_id, start, period.until if period else None, limit, Fits(wanted, end_user))
    try:
        with patience(PATIENCE_S):
            while walk.goes_on:
                walk.take(_stride(rows, walk.reached))
    except OutOfTime:
        walk.is_cut_short = True
    return walk.page()


def sessions_of_user(
    organization_id: UUID, customer_id: UUID, end_user: str, *, period: Period, limit: int
) -> list[Session]:
    """The sessions of the user's last 1,000 requests in the period, that with the latest first. One query."""
    asked = {
        "organization": organization_id,
        "customer": customer_id,
        "user": end_user,
        "since": period.since,
        "until": period.until,
        "most": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(OF_USER, asked)
        return [Session(*row) for row in cursor.fetchall()]


def _customers(organization_id: UUID) -> list[UUID]:
    return list(Customer.objects.filter(organization_id=organization_id).values_list("pk", flat=True))


def one_session(organization_id: UUID, customer_id: UUID, session_id: str) -> Session | None:
    """The session of that id. None: none of its requests is kept."""
    return next((session for session, _ in _sums(organization_id, [(customer_id, session_id)])), None)


def requests_of_session(organization_id: UUID, customer_id: UUID, session_id: str, *, limit: int) -> list[Request]:
    """The first `limit` of its requests, in order."""
    rows = Request.objects.filter(organization_id=organization_id, customer_id=customer_id, session_id=session_id)
    return list(rows.order_by("started_at", "id")[:limit])


class _Walk:
    """From the newest request to older ones, until a page of sessions is full."""

    def __init__(
        self, organization_id: UUID, start: Position | None, until: datetime | None, limit: int, fits: Fits
    ) -> None:
        self._organization_id, self._start, self._until, self._limit = organization_id, start, until, limit
        self._fits = fits
        self._seen: set[Key] = set()
        self._found: list[tuple[Session, Position]] = []  # with the latest request of each
        self._strides = 0
        self.reached = start
        self.is_at_end = False
        self.is_cut_short = False

    @property
    def goes_on(self) -> bool:
        return not self.is_at_end and not self.is_cut_short and len(self._found) <= self._limit

    def take(self, stride: Sequence[tuple[datetime, UUID, UUID, str]]) -> None:
        """The next requests, newest first."""
        new: dict[Key, Position] = {}
        for at, request_id, customer, session in stride:
            if (customer, session) not in self._seen:
                new.setdefault((customer, session), Position(at, request_id))
        self._seen.update(new)
        keys = list(new)
        while keys and len(self._found) <= self._limit:
            some, keys = keys[: self._limit + 1], keys[self._limit + 1 :]
            self._found += self._not_shown({key: new[key] for key in some})
        if stride:
            self.reached = Position(*stride[-1][:2])
        self._strides += 1
        self.is_at_end = len(stride) < STRIDE and not keys
        self.is_cut_short = not self.is_at_end and self._strides == MOST_STRIDES

    def _not_shown(self, positions: Mapping[Key, Position]) -> list[tuple[Session, Position]]:
        """Without those that a page before had: they have a request there."""
        sums = _sums(self._organization_id, list(positions), self._start, self._until, self._fits)
        fresh = {(session.customer_id, session.id): session for session, shown in sums if not shown}
        return [(fresh[key], position) for key, position in positions.items() if key in fresh]

    def page(self) -> SessionPage:
        shown = self._found[: self._limit]
        if len(self._found) > self._limit:
            return SessionPage([session for session, _ in shown], as_cursor(shown[-1][1]))
        older = as_cursor(self.reached) if self.is_cut_short and self.reached else None
        return SessionPage([session for session, _ in shown], older, self.is_cut_short)


def _stride(rows: QuerySet[Request], reached: Position | None) -> list[tuple[datetime, UUID, UUID, str]]:
    if reached is not None:
        rows = rows.filter(started_at__lte=reached.at).exclude(started_at=reached.at, id__gte=reached.id)
    newest = rows.order_by("-started_at", "-id")
    return list(newest.values_list("started_at", "id", "customer_id", "session_id")[:STRIDE])


def _sums(
    organization_id: UUID,
    keys: Sequence[Key],
    start: Position | None = None,
    until: datetime | None = None,
    fits: Fits = EVERY,
) -> list[tuple[Session, bool]]:
    """Each session, and whether it has a request that fits at or after `start`, before `until`."""
    asked = {
        "organization": organization_id,
        "customers": [customer for customer, _ in keys],
        "sessions": [session for _, session in keys],
        "at": start.at if start else LATEST,
        "id": start.id if start else UUID(int=0),
        "until": until or LATEST,
        "user": fits.user,
        "part": fits.part,
    }
    with connection.cursor() as cursor:
        cursor.execute(SUMS, asked)
        return [(Session(*row[:-1]), bool(row[-1])) for row in cursor.fetchall()]
