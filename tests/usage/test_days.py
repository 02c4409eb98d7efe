"""Which day a request is in: that of the organization's zone, whenever it arrives and whatever clocks do there."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from apps.usage.audit import audit
from apps.usage.models import DailyPropertyUsage, DailyTotal, DailyUsage, HourlyUsage
from apps.usage.queries import Scope, over_time, totals
from apps.usage.queries.periods import midnight
from apps.usage.rebuild import extent, rebuild_rollups
from apps.usage.record import FAILED, REFUSED
from apps.usage.rollup import roll_up
from tests.usage.conftest import NOON, a_call, write_spool
from tests.usage.test_rebuild import hours

DAYS = [  # zone, when requests were made (UTC), and how many each day has there
    ("UTC", ["03-09 23:59:59.999", "03-10 00:00"], {"03-09": 1, "03-10": 1}),
    ("Asia/Kolkata", ["03-09 18:29:59", "03-09 18:30", "03-10 18:29"], {"03-09": 1, "03-10": 2}),
    ("Asia/Kathmandu", ["03-09 18:14:59", "03-09 18:15"], {"03-09": 1, "03-10": 1}),
    ("Pacific/Kiritimati", ["03-09 09:59", "03-09 10:00"], {"03-09": 1, "03-10": 1}),
    ("Pacific/Niue", ["03-10 10:59", "03-10 11:00"], {"03-09": 1, "03-10": 1}),
    # Clocks go forward on 8 March: a day of 23 hours, from 05:00 to 04:00.
    (
        "America/New_York",
        ["03-08 04:59", "03-08 05:00", "03-09 03:59", "03-09 04:00"],
        {"03-07": 1, "03-08": 2, "03-09": 1},
    ),
    # And back on 1 November: 25 hours, from 04:00 to 05:00, with two hours of one name.
    (
        "America/New_York",
        ["11-01 03:59", "11-01 04:00", "11-01 05:30", "11-01 06:30", "11-02 04:59", "11-02 05:00"],
        {"10-31": 1, "11-01": 4, "11-02": 1},
    ),
    (
        "Europe/Berlin",
        ["03-28 22:59", "03-28 23:00", "03-29 21:59", "03-29 22:00"],
        {"03-28": 1, "03-29": 2, "03-30": 1},
    ),
    (
        "Europe/Berlin",
        ["10-24 21:59", "10-24 22:00", "10-25 22:59", "10-25 23:00"],
        {"10-24": 1, "10-25": 2, "10-26": 1},
    ),
    (
        "Australia/Lord_Howe",
        ["04-04 12:59", "04-04 13:00", "04-05 13:29", "04-05 13:30"],
        {"04-04": 1, "04-05": 2, "04-06": 1},
    ),
    # Clocks skip midnight: 6 September begins at 01:00, which is 04:00.
    (
        "America/Santiago",
        ["09-06 03:59", "09-06 04:00", "09-07 02:59", "09-07 03:00"],
        {"09-05": 1, "09-06": 2, "09-07": 1},
    ),
    # Midnight comes twice: 1 November has it at 04:00 and again at 05:00.
    (
        "America/Havana",
        ["11-01 03:59", "11-01 04:30", "11-01 05:30", "11-02 05:00"],
        {"10-31": 1, "11-01": 2, "11-02": 1},
    ),
    (
        "UTC",
        ["02-28 23:59", "03-01 00:00", "03-31 23:59", "04-01 00:00"],
        {"02-28": 1, "03-01": 1, "03-31": 1, "04-01": 1},
    ),
]


@pytest.fixture
def made(cast, root, ship):
    """Have Globex make calls at these times, rolled up one by one, in the order given."""

    def make(*times: datetime, **fields) -> None:
        for at in times:
            write_spool(root, a_call(cast.globex, at=at, **fields))
            ship()
            roll_up()

    return make


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def by_day(cast, zone: ZoneInfo) -> dict[str, int]:
    scope = Scope(cast.acme.pk, midnight(date(2026, 1, 1), zone), midnight(date(2027, 1, 1), zone))
    assert scope.is_of_days
    points = over_time(scope, "day", zone)
    return {f"{point.start:%m-%d}": point.figures.requests for point in points if point.figures.requests}


@pytest.mark.parametrize(("zone", "times", "days"), DAYS)
def test_days_are_those_of_the_zone(cast, made, zone, times, days):
    cast.acme.time_zone = zone
    cast.acme.save()
    made(*map(utc, times))
    assert by_day(cast, ZoneInfo(zone)) == days
    for day, requests in days.items():  # and each alone, as a page asks for it
        on = date.fromisoformat(f"2026-{day}")
        since, until = (midnight(each, ZoneInfo(zone)) for each in (on, on + timedelta(days=1)))
        assert totals(Scope(cast.acme.pk, since, until)).requests == requests
        assert totals(Scope(cast.acme.pk, since.astimezone(UTC), until.astimezone(UTC))).requests == requests
    assert audit().is_equal
    before = hours()
    rebuild_rollups(**extent()._asdict())
    assert hours() == before


LATE = [  # hours after NOON in the order of arrival, and what the hours and days have then
    ([0, 24, 1], {0: 1, 1: 1, 24: 1}, [2, 1]),
    ([48, 24, 0], {0: 1, 24: 1, 48: 1}, [1, 1, 1]),
    ([24, 0, 0, 0], {0: 3, 24: 1}, [3, 1]),
    ([30 * 24, 0], {0: 1, 720: 1}, [1, 1]),
]


@pytest.mark.parametrize(("arrivals", "by_hour", "days"), LATE)
def test_late_arrivals_are_in_their_own_hour_and_day(made, arrivals, by_hour, days):
    made(*(NOON + timedelta(hours=hour) for hour in arrivals), properties=[("Plan", "pro")])
    found = HourlyUsage.objects.values_list("hour", "requests")
    assert {(hour - NOON) // timedelta(hours=1): requests for hour, requests in found} == by_hour
    for model in (DailyUsage, DailyTotal, DailyPropertyUsage):
        assert list(model.objects.order_by("day").values_list("requests", flat=True)) == days
    first = DailyTotal.objects.order_by("day")[0]
    assert (first.first_at, first.last_at.date()) == (NOON, NOON.date())
    assert audit().is_equal


ERRORS = [  # how calls ended, and (failed, 4xx, 429, other, refused)
    ([(FAILED, 400), (FAILED, 401), (FAILED, 404)], (3, 3, 0, 0, 0)),
    ([(FAILED, 429), (FAILED, 429)], (2, 0, 2, 0, 0)),
    ([(FAILED, 500), (FAILED, 529), (FAILED, 0)], (3, 0, 0, 3, 0)),
    ([(FAILED, 400), (FAILED, 429), (FAILED, 502), (REFUSED, 429), (REFUSED, 402)], (3, 1, 1, 1, 2)),
]


@pytest.mark.parametrize(("ends", "counted"), ERRORS)
def test_errors_are_told_apart(cast, made, ends, counted):
    for result, status in ends:
        made(NOON, outcome={"result": result, "status": status})
    zone = ZoneInfo("UTC")
    found = totals(Scope(cast.acme.pk, *(midnight(date(2026, 3, day), zone) for day in (10, 11))))
    errors = (found.failed, found.client_errors, found.rate_limited, found.server_errors, found.refused)
    assert errors == counted
    assert found.client_errors + found.rate_limited + found.server_errors == found.failed
