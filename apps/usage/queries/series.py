"""Usage over time."""

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models.functions import TruncDay, TruncHour, TruncMonth

from apps.usage.queries.figures import Figures, Scope, figure_sums
from apps.usage.queries.periods import Interval, Period, steps

TRUNCATIONS = {"hour": TruncHour, "day": TruncDay, "month": TruncMonth}


class Point(NamedTuple):
    """What was used from `start` (in the zone asked for) until the next point's."""

    start: datetime
    figures: Figures


def over_time(scope: Scope, interval: Interval, zone: ZoneInfo) -> list[Point]:
    """Every hour, day or month of the zone in the scope, those without requests as zeros."""
    truncate = TRUNCATIONS[interval]
    tz = ZoneInfo("UTC") if interval == "hour" else zone
    rows = scope.rows().values(start=truncate("hour", tzinfo=tz)).annotate(**figure_sums()).order_by()
    found = {row["start"]: Figures.of(row) for row in rows}
    period = Period(scope.since, scope.until)
    return [Point(start, found.get(start, Figures())) for start in steps(period, interval, zone)]
