"""Usage over time."""

from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import F
from django.db.models.functions import TruncDay, TruncMonth

from apps.usage.queries.figures import Figures, Scope, figure_sums
from apps.usage.queries.periods import Interval, Period, steps


class Point(NamedTuple):
    """What was used from `start` (in the zone asked for) until the next point's."""

    start: datetime
    figures: Figures


def over_time(scope: Scope, interval: Interval, zone: ZoneInfo) -> list[Point]:
    """Every hour, day or month of the zone in the scope, those without requests as zeros."""
    beginnings = {
        "hour": F("hour"),
        "day": TruncDay("hour", tzinfo=zone),
        "month": TruncMonth("hour", tzinfo=zone),
    }
    rows = scope.rows().values(start=beginnings[interval]).annotate(**figure_sums()).order_by()
    # By their time in UTC: of two zones, Python takes times in the hour that clocks repeat for different ones.
    found = {row["start"].astimezone(UTC): Figures.of(row) for row in rows}
    period = Period(scope.since, scope.until)
    return [Point(start, found.get(start.astimezone(UTC), Figures())) for start in steps(period, interval, zone)]
