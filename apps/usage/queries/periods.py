"""Stretches of time as people say them, in the zone of an organization: always from a midnight, half open."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

Interval = Literal["hour", "day", "month"]
PERIODS = ("today", "7d", "30d", "90d", "month", "last_month")


class Period(NamedTuple):
    """From `since` up to, not including, `until`; aware."""

    since: datetime
    until: datetime


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When the day begins there; where clocks skip midnight, the instant that they skip to."""
    return datetime.combine(day, time(), zone)


def named_period(name: str, at: datetime, zone: ZoneInfo) -> Period:
    """One of PERIODS as of `at`; those that are not over end with the day of `at`. Raises ValueError."""
    today = at.astimezone(zone).date()
    end = midnight(today + timedelta(days=1), zone)
    match name:
        case "today":
            return Period(midnight(today, zone), end)
        case "7d":
            return Period(midnight(today - timedelta(days=6), zone), end)
        case "30d":
            return Period(midnight(today - timedelta(days=29), zone), end)
        case "90d":
            return Period(midnight(today - timedelta(days=89), zone), end)
        case "month":
            return Period(midnight(today.replace(day=1), zone), end)
        case "last_month":
            first = today.replace(day=1)
            return Period(midnight(previous_month(first), zone), midnight(first, zone))
        case _:
            raise ValueError(f"no such period: {name}")


def previous_month(day: date) -> date:
    """The first day of the month before."""
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def next_month(day: date) -> date:
    """The first day of the month after."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def steps(period: Period, interval: Interval, zone: ZoneInfo) -> Iterator[datetime]:
    """The beginning of each hour, day or month of the zone that the period touches, in order.

    Hours are counted in UTC, so that the two hours of one name when clocks go back are two.
    """
    if interval == "hour":
        hour = period.since.astimezone(zone).replace(minute=0, second=0, microsecond=0).astimezone(UTC)
        while hour < period.until:
            yield hour.astimezone(zone)
            hour += timedelta(hours=1)
        return
    day = period.since.astimezone(zone).date()
    if interval == "month":
        day = day.replace(day=1)
    while midnight(day, zone) < period.until:
        yield midnight(day, zone)
        day = next_month(day) if interval == "month" else day + timedelta(days=1)
