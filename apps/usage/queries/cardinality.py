"""The days on which an organization had more end users or values than have sums of their own: a warning for it."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db.models import Max, Q

from apps.usage.keeping import DayCardinality, keeping_of

LATELY = timedelta(days=7)


class TooMany(NamedTuple):
    """The last day of a kind, and how many may have sums of their own. None: there was no such day lately."""

    users_on: datetime | None
    most_users: int | None
    values_on: datetime | None
    most_values: int | None


def too_many(organization_id: UUID, *, at: datetime) -> TooMany | None:
    """What was counted together in the last seven days; None: nothing."""
    days = DayCardinality.objects.filter(organization_id=organization_id, day__gt=at - LATELY)
    found = days.aggregate(
        users=Max("day", filter=Q(has_other_users=True)), values=Max("day", filter=Q(has_other_values=True))
    )
    if not any(found.values()):
        return None
    keeping = keeping_of(organization_id)
    return TooMany(found["users"], keeping.most_end_users, found["values"], keeping.most_property_values)
