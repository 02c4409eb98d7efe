"""What was refused, and why: the history of limits that held."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, Max, Min

from apps.usage.models import Request, Result


class Refusals(NamedTuple):
    """Calls that were refused for the same reason."""

    code: str  # such as "rate_limit_exceeded"; see proxy.stops
    status: int
    requests: int
    first_at: datetime
    last_at: datetime


def refusals(
    organization_id: UUID, customer_id: UUID | None = None, *, start: datetime, end: datetime
) -> list[Refusals]:
    """Refused calls from `start` on and before `end`, by reason, the most frequent first."""
    rows = Request.objects.filter(
        organization_id=organization_id, started_at__gte=start, started_at__lt=end, result=Result.REFUSED
    )
    if customer_id is not None:
        rows = rows.filter(customer_id=customer_id)
    grouped = rows.values_list("error_code", "status").annotate(
        requests=Count("*"), first_at=Min("started_at"), last_at=Max("started_at")
    )
    return [Refusals(*row) for row in grouped.order_by("-requests", "error_code", "status")]
