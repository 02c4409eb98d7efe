"""Periods that tile time, in any zone."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.periods import (
    Alignment,
    Cycle,
    Interval,
    begin_of,
    period_at,
    period_on,
    periods_between,
)

ZONES = ["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "America/Sao_Paulo", "Pacific/Apia", "Asia/Tehran"]
cycles = st.builds(
    Cycle,
    st.sampled_from(Interval),
    st.dates(date(2015, 1, 1), date(2030, 12, 31)),
    st.sampled_from(ZONES),
    st.sampled_from(Alignment),
)

FIRST_DAYS = [  # interval, alignment, anchor, day, the period that it is in
    pytest.param("month", "anniversary", "2022-12-31", "2023-02-28", ("2023-02-28", "2023-03-31"), id="month's end"),
    pytest.param("month", "anniversary", "2022-12-31", "2023-02-27", ("2023-01-31", "2023-02-28"), id="the day before"),
    pytest.param("month", "calendar", "2022-12-31", "2023-02-27", ("2023-02-01", "2023-03-01"), id="calendar month"),
    pytest.param("quarter", "calendar", "2022-12-31", "2024-05-20", ("2024-04-01", "2024-07-01"), id="quarter"),
    pytest.param("quarter", "anniversary", "2023-11-30", "2024-03-01", ("2024-02-29", "2024-05-30"), id="from 30 Nov"),
    pytest.param("year", "anniversary", "2024-02-29", "2025-03-01", ("2025-02-28", "2026-02-28"), id="from 29 Feb"),
    pytest.param("year", "anniversary", "2024-02-29", "2028-02-29", ("2028-02-29", "2029-02-28"), id="29 Feb again"),
    pytest.param("year", "calendar", "2024-02-29", "2028-02-29", ("2028-01-01", "2029-01-01"), id="calendar year"),
    pytest.param("week", "calendar", "2024-02-29", "2026-11-22", ("2026-11-16", "2026-11-23"), id="Monday to Sunday"),
    pytest.param("week", "anniversary", "2026-11-18", "2026-11-17", ("2026-11-11", "2026-11-18"), id="before it began"),
    pytest.param("day", "calendar", "2024-02-29", "2026-11-22", ("2026-11-22", "2026-11-23"), id="day"),
]


@pytest.mark.parametrize(("interval", "alignment", "anchor", "day", "period"), FIRST_DAYS)
def test_the_period_a_day_is_in(interval, alignment, anchor, day, period):
    cycle = Cycle(Interval(interval), date.fromisoformat(anchor), "UTC", Alignment(alignment))
    found = period_on(cycle, date.fromisoformat(day))
    assert (str(found.first), str(found.until)) == period


INSTANTS = [  # zone, first day, its first instant: from the issue's own table
    ("America/New_York", "2022-03-01", "2022-03-01T05:00:00+00:00"),
    ("America/New_York", "2022-04-01", "2022-04-01T04:00:00+00:00"),
    ("Asia/Kolkata", "2022-02-01", "2022-01-31T18:30:00+00:00"),
    ("America/Bogota", "2022-02-01", "2022-02-01T05:00:00+00:00"),
    ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00+00:00"),  # clocks skip its midnight
    ("America/Havana", "2026-11-01", "2026-11-01T04:00:00+00:00"),  # has two, the first counts
]


@pytest.mark.parametrize(("zone", "day", "instant"), INSTANTS)
def test_a_day_begins_at_its_own_midnight(zone, day, instant):
    assert begin_of(date.fromisoformat(day), zone).isoformat() == instant


@given(cycles, st.integers(-50, 50))
def test_periods_follow_one_another_without_gap_or_overlap(cycle, index):
    period, following = cycle.period(index), cycle.period(index + 1)
    assert period.until == following.first
    assert period.until_at == following.since_at
    assert period.first < period.until
    assert cycle.index_on(period.first) == index
    assert cycle.index_on(period.until - timedelta(days=1)) == index


@given(cycles, st.datetimes(datetime(2016, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_every_instant_is_in_one_period(cycle, at):
    assert period_at(cycle, at).has(at)


@given(cycles, st.dates(date(2016, 1, 1), date(2029, 1, 1)), st.integers(1, 400))
def test_periods_between_two_days_cover_them_and_their_shares_are_of_whole_periods(cycle, first, days):
    until = first + timedelta(days=days)
    periods = list(periods_between(cycle, first, until))
    parts = [period.overlap(first, until) for period in periods]
    assert sum(part.days for part in parts) == days
    assert [period.share(part) for period, part in zip(periods, parts, strict=True)] == [
        Fraction(part.days, period.days) for period, part in zip(periods, parts, strict=True)
    ]


def test_what_does_not_overlap_has_no_share():
    june = period_on(Cycle(Interval.MONTH, date(2024, 1, 1), "UTC"), date(2024, 6, 1))
    assert june.overlap(june.until, None) is None
    assert june.share(None) == 0
    assert june.share(june.overlap(date(2020, 1, 1), None)) == 1


def test_days_are_those_of_the_calendar_whatever_the_clock_does():
    october = period_on(Cycle(Interval.MONTH, date(2023, 1, 1), "Europe/Paris"), date(2023, 10, 5))
    assert october.until_at - october.since_at == timedelta(hours=745)
    assert october.days == 31
