"""Billing periods: half open, from one local midnight to another, never chained from the period before.

Pure: no Django, no clock. A period is known by its days in the zone it is billed in; its instants follow from
them, so that an hour more or less when clocks change moves no boundary. Each is counted from the anchor: what
starts on 31 January begins again on 28 February, and on 31 March. Source: BILLING.md 2.7.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

MONDAY = date(2001, 1, 1)  # a Monday, and the first day of a month, a quarter and a year
A_MOMENT = timedelta(microseconds=1)


class Interval(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Alignment(StrEnum):
    CALENDAR = "calendar"  # from the 1st, or from Monday, whenever it was begun
    ANNIVERSARY = "anniversary"  # from the day on which it was begun


DAYS = {Interval.DAY: 1, Interval.WEEK: 7}
MONTHS = {Interval.MONTH: 1, Interval.QUARTER: 3, Interval.YEAR: 12}


@dataclass(frozen=True, order=True)
class Period:
    """The days from `first` up to, not including, `until`, of the zone `zone_name`.

    begins_at, ends_at: its instants, where it meets a period of another zone; None: its midnights.
    """

    first: date
    until: date
    zone_name: str
    begins_at: datetime | None = field(default=None, compare=False)
    ends_at: datetime | None = field(default=None, compare=False)

    @property
    def days(self) -> int:
        return (self.until - self.first).days

    @property
    def since_at(self) -> datetime:
        """Its first instant, in UTC."""
        return self.begins_at or begin_of(self.first, self.zone_name)

    @property
    def until_at(self) -> datetime:
        """The first instant after it, in UTC."""
        return self.ends_at or begin_of(self.until, self.zone_name)

    def has(self, at: datetime) -> bool:
        return self.since_at <= at < self.until_at

    def overlap(self, first: date, until: date | None) -> "Period | None":
        """The part of it from `first` up to, not including, `until` (None: without end); None: no day of it."""
        since = max(self.first, first)
        end = self.until if until is None else min(self.until, until)
        return Period(since, end, self.zone_name) if since < end else None

    def share(self, part: "Period | None") -> Fraction:
        """What of its days `part` has: 24 of 31 from 8 January. The whole period counts, not what is left of it."""
        return Fraction(part.days, self.days) if part else Fraction(0)


@dataclass(frozen=True)
class Cycle:
    """Periods one after another, without gap or overlap.

    anchor: the local day on which it was begun; with Alignment.CALENDAR it doesn't matter.
    """

    interval: Interval
    anchor: date
    zone_name: str
    alignment: Alignment = Alignment.ANNIVERSARY

    @property
    def _origin(self) -> date:
        return MONDAY if self.alignment is Alignment.CALENDAR else self.anchor

    def boundary(self, index: int) -> date:
        """The first day of the period with that number; 0 begins at the anchor, and there are some before it."""
        if self.interval in DAYS:
            return self._origin + timedelta(days=DAYS[self.interval] * index)
        return months_later(self._origin, MONTHS[self.interval] * index)

    def period(self, index: int) -> Period:
        return Period(self.boundary(index), self.boundary(index + 1), self.zone_name)

    def index_on(self, day: date) -> int:
        """The number of the period that the day is in."""
        origin = self._origin
        if self.interval in DAYS:
            return (day - origin).days // DAYS[self.interval]
        months = 12 * (day.year - origin.year) + day.month - origin.month
        index = months // MONTHS[self.interval]
        return index if self.boundary(index) <= day else index - 1


def months_later(day: date, months: int) -> date:
    """So many months on, on the same day or on the last one of a month that is too short for it."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def begin_of(day: date, zone_name: str) -> datetime:
    """The instant at which the day begins there, in UTC; where clocks skip midnight, that at which they do."""
    return datetime.combine(day, time(), ZoneInfo(zone_name)).astimezone(UTC)


def day_of(at: datetime, zone_name: str) -> date:
    """The day that it is there at an instant."""
    return at.astimezone(ZoneInfo(zone_name)).date()


def period_on(cycle: Cycle, day: date) -> Period:
    return cycle.period(cycle.index_on(day))


def period_at(cycle: Cycle, at: datetime) -> Period:
    """The period that an instant is in."""
    return period_on(cycle, day_of(at, cycle.zone_name))


def periods_between(cycle: Cycle, first: date, until: date) -> Iterator[Period]:
    """Every period with a day from `first` up to, not including, `until`: whole ones, also where only a part is."""
    index = cycle.index_on(first)
    while cycle.boundary(index) < until:
        yield cycle.period(index)
        index += 1
