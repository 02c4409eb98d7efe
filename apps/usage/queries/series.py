"""Usage over time."""

from datetime import UTC, date, datetime
from typing import Any, NamedTuple
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
    if interval == "hour" or not scope.is_of_days:
        rows, moment = scope.rows(), "hour"
    else:
        rows, moment = scope.sum_rows(), "day"
    sums = rows.values(start=beginning_of(interval, moment, zone)).annotate(**figure_sums()).order_by()
    # By their time in UTC: of two zones, Python takes times in the hour that clocks repeat for different ones.
    # Days by their date: of a midnight that comes twice, PostgreSQL means the second.
    found = {same_step(row["start"], interval, zone): Figures.of(row) for row in sums}
    period = Period(scope.since, scope.until)
    return [
        Point(start, found.get(same_step(start, interval, zone), Figures())) for start in steps(period, interval, zone)
    ]


def beginning_of(interval: Interval, moment: str, zone: ZoneInfo) -> Any:
    """When the interval of a row begins; moment: "hour" or "day", what the row is of."""
    beginnings = {
        "hour": F("hour"),
        "day": F("day") if moment == "day" else TruncDay("hour", tzinfo=zone),
        "month": TruncMonth(moment, tzinfo=zone),
    }
    return beginnings[interval]


def same_step(start: datetime, interval: Interval, zone: ZoneInfo) -> datetime | date:
    """By which the beginnings of an interval are the same, in Python and in SQL."""
    return start.astimezone(UTC) if interval == "hour" else start.astimezone(zone).date()
