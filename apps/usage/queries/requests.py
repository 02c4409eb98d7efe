"""Single requests, newest first."""

import base64
import binascii
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from apps.usage.models import Request, Result
from apps.usage.queries.figures import ANY, Unfiltered
from apps.usage.queries.periods import Period


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
    if before and (position := _position(before)):
        at, request_id = position
        rows = rows.filter(started_at__lte=at).exclude(started_at=at, id__gte=request_id)
    found = list(rows.order_by("-started_at", "-id")[: limit + 1])
    is_last = len(found) <= limit
    return Page(found[:limit], None if is_last else _cursor(found[limit - 1]))


def _cursor(request: Request) -> str:
    microseconds = round(request.started_at.timestamp() * 1_000_000)
    return base64.urlsafe_b64encode(microseconds.to_bytes(8) + request.id.bytes).decode().rstrip("=")


def _position(cursor: str) -> tuple[datetime, UUID] | None:
    """What a cursor says; None where it is not one of ours, which is then the first page."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        seconds, microseconds = divmod(int.from_bytes(raw[:8]), 1_000_000)
        at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)
        return at, UUID(bytes=raw[8:])
    except (binascii.Error, ValueError, OverflowError, OSError):
        return None
