"""The days that a page is about: one of the usual periods, or those that somebody chose. In the organization's zone."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from apps.usage.faces import DEFAULT_PERIOD, LABELS
from apps.usage.queries.periods import Interval, Period, midnight, named_period

DAY = timedelta(days=1)
EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)
MOST_DAYS = 366 * 5
CHOSEN = "custom"
NOTHING: Mapping[str, str] = MappingProxyType({})


class PeriodChoice(NamedTuple):
    """A usual period, and the query string that shows it."""

    label: object
    query: str
    is_chosen: bool


@dataclass(frozen=True)
class Range:
    """From the first to the last day, both included. `name`: one of LABELS, or CHOSEN."""

    name: str
    first: date
    last: date
    zone: ZoneInfo

    @property
    def period(self) -> Period:
        return Period(midnight(self.first, self.zone), midnight(self.last + DAY, self.zone))

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def months(self) -> Decimal:
        """How long it is, each day being its part of its own month: what of a monthly fee is due for it."""
        days = (self.first + number * DAY for number in range(self.days))
        parts = sum((Fraction(1, monthrange(day.year, day.month)[1]) for day in days), Fraction(0))
        return Decimal(parts.numerator) / parts.denominator

    @property
    def interval(self) -> Interval:
        """In which steps a chart of it is drawn."""
        if self.days <= 2:
            return "hour"
        return "day" if self.days <= 100 else "month"

    def choices(self, others: Mapping[str, str] = NOTHING) -> list[PeriodChoice]:
        """The usual periods, each with the query string that shows it and asks for `others` besides."""
        return [
            PeriodChoice(label, urlencode({"period": name} | dict(others)), name == self.name)
            for name, label in LABELS.items()
        ]

    def query(self) -> dict[str, str]:
        """What a query string says of it: by name, so that a bookmark goes with the time, or by its days."""
        if self.name != CHOSEN:
            return {"period": self.name}
        return {"since": self.first.isoformat(), "until": self.last.isoformat()}

    @property
    def as_asked(self) -> tuple[str, date, date, str]:
        """What snapshots are asked for with: the zone, the days, and by which name they were chosen."""
        return self.zone.key, self.first, self.last, "" if self.name == CHOSEN else self.name

    @property
    def query_string(self) -> str:
        return urlencode(self.query())


def chosen_range(asked: Mapping[str, str], at: datetime, zone: ZoneInfo) -> Range:
    """What a query string asks for. Days go before a name that has others; nonsense is the usual one."""
    name = asked.get("period", "")
    usual = _named(name if name in LABELS else DEFAULT_PERIOD, at, zone)
    first, last = _day(asked.get("since")) or usual.first, _day(asked.get("until")) or usual.last
    if (first, last) == (usual.first, usual.last) or not is_sensible(first, last):
        return usual
    return Range(CHOSEN, first, last, zone)


def is_sensible(first: date, last: date) -> bool:
    """Whether it is a range, and not too long for a chart."""
    return EARLIEST <= first <= last <= LATEST and (last - first).days < MOST_DAYS


def _named(name: str, at: datetime, zone: ZoneInfo) -> Range:
    since, until = named_period(name, at, zone)
    return Range(name, since.astimezone(zone).date(), (until - DAY / 2).astimezone(zone).date(), zone)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
