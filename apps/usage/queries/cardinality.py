"""The days on which an organization had more end users or values than have sums of their own: a warning for it."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Max, Q

from apps.usage.keeping import DayCardinality

LATELY = timedelta(days=7)


class TooMany(NamedTuple):
    """The last day of a kind, and how many may have sums of their own. None: there was no such day lately."""

    users_on: datetime | None
    most_users: int | None
    values_on: datetime | None
    most_values: int | None


def too_many(organization_id: UUID, *, at: datetime) -> TooMany | None:
    """What was counted together in the last seven days; None: nothing. One query."""
    days = DayCardinality.objects.filter(organization_id=organization_id, day__gt=at - LATELY)
    found = days.aggregate(
        users_on=Max("day", filter=Q(has_other_users=True)),
        most_users=Max("organization__keeping__most_end_users"),
        values_on=Max("day", filter=Q(has_other_values=True)),
        most_values=Max("organization__keeping__most_property_values"),
    )
    if not (found["users_on"] or found["values_on"]):
        return None
    usual = settings.USAGE_KEEPING
    for own, name in (("most_users", "most_end_users"), ("most_values", "most_property_values")):
        found[own] = usual[name] if found[own] is None else found[own]
    return TooMany(**found)
