from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from apps.usage.queries import Scope, over_time
from apps.usage.queries.periods import Period, midnight
from apps.usage.rollup import roll_up
from tests.usage.conftest import a_call, write_spool


@pytest.fixture
def requests_at(cast, root, ship):
    """Have Acme, which is in a zone, make a request at each of these times (UTC)."""

    def make(zone: str, *times: str) -> ZoneInfo:
        cast.acme.time_zone = zone
        cast.acme.save()
        instants = [datetime.fromisoformat(time).replace(tzinfo=UTC) for time in times]
        write_spool(root, [payload for at in instants for payload in a_call(cast.globex, at=at)])
        ship()
        roll_up()
        return ZoneInfo(zone)

    return make


def days(cast, zone: ZoneInfo, first: str, last: str, interval="day") -> list[tuple[str, int]]:
    """Points from the midnight of the first day to that of the last, without those that are zero."""
    period = Period(*(midnight(date.fromisoformat(day), zone) for day in (first, last)))
    points = over_time(Scope(cast.acme.pk, *period), interval, zone)
    return [(f"{point.start:%Y-%m-%d %H:%M%z}", point.figures.requests) for point in points if point.figures.requests]


ZONES = [  # zone, two instants in UTC, and the days there that they are in
    pytest.param(
        "UTC",
        ["2026-03-09 23:59:59.999999", "2026-03-10 00:00"],
        [("2026-03-09 00:00+0000", 1), ("2026-03-10 00:00+0000", 1)],
        id="utc",
    ),
    pytest.param(
        "Asia/Kolkata",  # UTC+5:30: its days begin half-way through an hour of UTC
        ["2026-03-09 18:29:59", "2026-03-09 18:30"],
        [("2026-03-09 00:00+0530", 1), ("2026-03-10 00:00+0530", 1)],
        id="half-hour",
    ),
    pytest.param(
        "Asia/Kathmandu",
        ["2026-03-09 18:14:59", "2026-03-09 18:15"],
        [("2026-03-09 00:00+0545", 1), ("2026-03-10 00:00+0545", 1)],
        id="quarter-hour",
    ),
    pytest.param(
        "America/Los_Angeles",  # the day has 23 hours
        ["2026-03-08 07:59", "2026-03-09 06:59", "2026-03-09 07:00"],
        [("2026-03-07 00:00-0800", 1), ("2026-03-08 00:00-0800", 1), ("2026-03-09 00:00-0700", 1)],
        id="clocks-go-forward",
    ),
    pytest.param(
        "Europe/Berlin",  # the day has 25 hours
        ["2026-10-24 22:00", "2026-10-25 22:59", "2026-10-25 23:00"],
        [("2026-10-25 00:00+0200", 2), ("2026-10-26 00:00+0100", 1)],
        id="clocks-go-back",
    ),
    pytest.param(
        "America/Havana",  # clocks go back to midnight: there are two of them
        ["2026-11-01 03:59", "2026-11-01 04:00", "2026-11-01 05:00", "2026-11-02 05:00"],
        [("2026-10-31 00:00-0400", 1), ("2026-11-01 00:00-0400", 2), ("2026-11-02 00:00-0500", 1)],
        id="midnight-twice",
    ),
]


@pytest.mark.parametrize(("zone", "times", "expected"), ZONES)
def test_days_are_those_of_the_zone(cast, requests_at, zone, times, expected):
    where = requests_at(zone, *times)
    assert days(cast, where, "2026-01-01", "2027-01-01") == expected


def test_both_hours_of_the_same_name_are_told_apart(cast, requests_at):
    zone = requests_at("Europe/Berlin", "2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 01:40")
    assert days(cast, zone, "2026-10-25", "2026-10-26", "hour") == [
        ("2026-10-25 02:00+0200", 1),
        ("2026-10-25 02:00+0100", 2),
    ]


def test_hours_of_a_half_hour_zone_begin_on_its_hours(cast, requests_at):
    zone = requests_at("Asia/Kolkata", "2026-03-09 18:30", "2026-03-09 19:29", "2026-03-09 19:30")
    assert days(cast, zone, "2026-03-10", "2026-03-11", "hour") == [
        ("2026-03-10 00:00+0530", 2),
        ("2026-03-10 01:00+0530", 1),
    ]


def test_months_are_those_of_the_zone(cast, requests_at):
    zone = requests_at("Pacific/Auckland", "2026-03-31 10:59", "2026-03-31 11:00")
    assert days(cast, zone, "2026-03-01", "2026-05-01", "month") == [
        ("2026-03-01 00:00+1300", 1),
        ("2026-04-01 00:00+1300", 1),
    ]


def test_what_is_between_is_zero(cast):
    zone = ZoneInfo("America/Los_Angeles")
    day = Period(midnight(date(2026, 3, 8), zone), midnight(date(2026, 3, 9), zone))
    points = over_time(Scope(cast.acme.pk, *day), "hour", zone)
    assert [point.figures.requests for point in points] == [0] * 23
    assert [point.start.hour for point in points[:4]] == [0, 1, 3, 4]
