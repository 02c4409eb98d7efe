"""Usage over time, by something: a series for each customer, user, model, key, provider, or value of a property."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet

from apps.usage.queries.figures import Figures, Scope, figure_sums
from apps.usage.queries.groups import COLUMNS, Dimension
from apps.usage.queries.periods import Interval, Period, steps
from apps.usage.queries.series import Point, beginning_of, same_step


class By(NamedTuple):
    """What usage is grouped by: a dimension, or the property that is `named`."""

    dimension: Dimension | None = None
    named: str = ""

    @property
    def column(self) -> str:
        return "value" if self.dimension is None else COLUMNS[self.dimension]

    def rows(self, scope: Scope) -> QuerySet[Any]:
        """What sums up to the scope."""
        return scope.property_rows(self.named) if self.dimension is None else scope.sum_rows(self.dimension)


def grouped_over_time(
    scope: Scope, by: By, values: Sequence[UUID | str | None], interval: Interval, zone: ZoneInfo
) -> dict[UUID | str | None, list[Point]]:
    """For each of these values, every hour, day or month of the zone in the scope; zeros where there was nothing.

    A scope of whole days has days only, of its own zone: for hours, or another zone's days, tell its ends in UTC.
    """
    rows, moment = by.rows(scope), "day" if scope.is_of_days else "hour"
    named = [value for value in values if value is not None]
    wanted = rows.filter(**{f"{by.column}__in": named})
    if len(named) < len(values):
        wanted |= rows.filter(**{by.column: None})
    start = beginning_of(interval, moment, zone)
    sums = wanted.values(group=F(by.column), start=start).annotate(**figure_sums()).order_by()
    found = {(row["group"], same_step(row["start"], interval, zone)): Figures.of(row) for row in sums}
    starts = list(steps(Period(scope.since, scope.until), interval, zone))
    return {
        value: [Point(at, found.get((value, same_step(at, interval, zone)), Figures())) for at in starts]
        for value in values
    }
