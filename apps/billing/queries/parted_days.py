"""A customer's requests by the days of two zones: which of the one are in which of the other."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from apps.usage.measures import IS_ROLLED_UP, REFUSED
from apps.usage.models import TOKEN_KINDS

MEASURES = ("requests", "price", *TOKEN_KINDS)
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
PARTS = f"""
    SELECT date_trunc('day', started_at, %(old)s) AS before, provider, model_served, coalesce(alias, model_served),
        date_trunc('day', started_at, %(new)s) AS now, count(*) FILTER (WHERE result <> {REFUSED}),
        coalesce(sum(price), 0), {", ".join(f"coalesce(sum({kind}_tokens), 0)" for kind in TOKEN_KINDS)}
    FROM usage_request WHERE customer_id = %(customer)s AND started_at >= %(since)s AND {IS_ROLLED_UP}
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""  # noqa: S608 constants of ours

Measured = Mapping[str, int | Decimal]  # each of MEASURES


class Used(NamedTuple):
    """A model on a day as it was counted."""

    day: datetime
    provider: str
    model: str
    sold_as: str


Parts = dict[Used, dict[datetime, Measured]]  # by the days as they are now, in order


def parted_days(customer_id: UUID, old: str, new: str, *, since: datetime | None) -> Parts:
    """The requests that roll-ups have, from an instant on, by days of the zone `old` and, within, of `new`."""
    values: dict[str, UUID | str | datetime] = {
        "customer": customer_id,
        "old": old,
        "new": new,
        "since": since or BEGINNING,
    }
    found: Parts = {}
    with connection.cursor() as cursor:
        cursor.execute(PARTS, values)
        for before, provider, model, sold_as, now, requests, price, *tokens in cursor.fetchall():
            counts = [int(requests), price, *map(int, tokens)]
            measured = dict(zip(MEASURES, counts, strict=True))
            found.setdefault(Used(before, provider, model, sold_as), {})[now] = measured
    return found


def prices_of(parts: Parts) -> dict[datetime, dict[datetime, Decimal]]:
    """What all models come to: by day as it was, and day as it is now."""
    found: dict[datetime, dict[datetime, Decimal]] = {}
    for used, days in parts.items():
        of_day = found.setdefault(used.day, {})
        for day, measured in days.items():
            of_day[day] = of_day.get(day, Decimal(0)) + Decimal(measured["price"])
    return {before: dict(sorted(days.items())) for before, days in found.items()}
