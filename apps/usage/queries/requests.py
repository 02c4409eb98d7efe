"""Single requests, newest first."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from apps.usage.models import Request, Result
from apps.usage.queries.bloom import bloom_filters
from apps.usage.queries.cursors import Position, as_cursor, instant, position_of
from apps.usage.queries.figures import ANY, Unfiltered
from apps.usage.queries.periods import Period

AROUND = timedelta(seconds=5)  # the time in an id: what it is of began then


class Page(NamedTuple):
    """Some requests, and the cursor of the page after them; None: these were the last."""

    requests: list[Request]
    next: str | None


def recent_requests(
    organization_id: UUID,
    customer_id: UUID | None = None,
    *,
    before: str | None = None,
    limit: int = 50,
    result: Result | None = None,
    error_code: str = "",
    period: Period | None = None,
    end_user: str | Unfiltered | None = ANY,
) -> Page:
    """The newest requests, or those before the cursor `before`. As fast on the last page as on the first.

    result: only those that ended so, such as Result.REFUSED. error_code: only those with this one; "": any.
    period: only those that began in it. end_user: only this one's; None: those that name nobody.
    """
    rows = Request.objects.filter(organization_id=organization_id)
    if result is not None:
        rows = rows.filter(result=result)
    if error_code:
        rows = rows.filter(error_code=error_code)
    if customer_id is not None:
        rows = rows.filter(customer_id=customer_id)
    if end_user is not ANY:
        rows = rows.filter(end_user=end_user)
    if period is not None:
        rows = rows.filter(started_at__gte=period.since, started_at__lt=period.until)
    if before and (position := position_of(before)):
        at, request_id = position
        rows = rows.filter(started_at__lte=at).exclude(started_at=at, id__gte=request_id)
    found = list(rows.order_by("-started_at", "-id")[: limit + 1])
    is_last = len(found) <= limit
    return Page(found[:limit], None if is_last else _cursor(found[limit - 1]))


def one_request(
    organization_id: UUID, customer_id: UUID | None, request_id: UUID, *, started_at: datetime | None = None
) -> Request | None:
    """The request of that id; customer_id: only where it is this customer's. None: there is none.

    started_at: when it began, where that is known: then it is found by its key. Without, the id itself tells of
    most when they were made (kit.ids); the others are looked for everywhere.
    """
    rows = Request.objects.filter(organization_id=organization_id, id=request_id)
    if customer_id is not None:
        rows = rows.filter(customer_id=customer_id)
    if started_at is not None and (found := rows.filter(started_at=started_at).first()):
        return found
    if request_id.version == 7:
        made_at = instant((request_id.int >> 80) * 1000)  # its first 48 bits are milliseconds
        around = rows.filter(started_at__range=(made_at - AROUND, made_at + AROUND))
        if found := around.first():
            return found
    with bloom_filters():
        return next(iter(rows[:1]), None)


def _cursor(request: Request) -> str:
    return as_cursor(Position(request.started_at, request.id))
