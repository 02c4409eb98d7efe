"""Hours made anew are the hours that were."""

from datetime import timedelta

import pytest

from apps.usage.audit import audit
from apps.usage.models import Batch, HourlyPropertyUsage, HourlyUsage
from apps.usage.rebuild import extent, rebuild_rollups
from apps.usage.rollup import roll_up
from tests.usage.conftest import NOON, a_call, write_spool

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def hours() -> list[dict[str, object]]:
    """All rows of both tables, but for the numbers that the database gave them."""
    rows = [*HourlyUsage.objects.values(), *HourlyPropertyUsage.objects.values()]
    return sorted(({name: row[name] for name in row if name != "id"} for row in rows), key=str)


@pytest.fixture
def history(cast, root, ship) -> list[dict[str, object]]:
    """Requests of four days by three customers, in the hours."""
    for number in range(4):
        for customer in (cast.globex, cast.initech, cast.shady):
            calls = [
                a_call(customer, at=NOON + number * DAY, properties=[("Plan", "pro")]),
                a_call(customer, at=NOON + number * DAY, end_user="ann", outcome={"cost": None, "price": None}),
                a_call(customer, at=NOON + number * DAY + 11 * HOUR),
            ]
            write_spool(root, [payload for call in calls for payload in call])
    ship()
    roll_up()
    return hours()


def rebuild_all(**owner) -> int:
    since, until = extent(**owner)
    return rebuild_rollups(since=since, until=until, **owner)


def test_rebuilt_hours_are_identical(history):
    assert rebuild_all() == 36
    assert hours() == history


def test_whatever_was_wrong_is_mended(history, cast):
    HourlyUsage.objects.filter(end_user="ann").update(requests=5, cost=1)
    HourlyUsage.objects.filter(customer_id=cast.initech.pk).delete()
    HourlyPropertyUsage.objects.all().delete()
    row = HourlyUsage.objects.first()
    row.pk, row.model = None, "never used"
    row.save()
    rebuild_all()
    assert hours() == history


def test_only_hours_of_the_range_are_rebuilt(history):
    HourlyUsage.objects.all().update(cancelled=9)
    until = NOON + DAY
    rebuild_rollups(since=NOON, until=until)
    wrong = HourlyUsage.objects.filter(cancelled=9)
    assert set(wrong.values_list("hour", flat=True)) == {NOON + n * HOUR for n in (24, 35, 48, 59, 72, 83)}


def test_only_hours_of_the_organization_are_rebuilt(history, cast):
    HourlyUsage.objects.all().update(cancelled=9)
    assert rebuild_all(organization_id=cast.acme.pk) == 24
    owners = HourlyUsage.objects.filter(cancelled=9).values_list("organization__name", flat=True)
    assert set(owners) == {"Evil Corp"}


def test_batches_that_wait_are_left_to_the_roll_up(history, cast, root, ship):
    write_spool(root, a_call(cast.globex))
    ship()
    rebuild_all()
    assert hours() == history
    assert roll_up() == 1
    assert audit().is_equal


def test_requests_of_forgotten_batches_stay_in_the_hours(history):
    Batch.objects.all().delete()
    rebuild_all()
    assert hours() == history


def test_after_a_change_of_zone_hours_begin_where_they_do_there(history, cast):
    cast.acme.time_zone = "Asia/Kolkata"
    cast.acme.save()
    rebuild_all(organization_id=cast.acme.pk)
    minutes = {
        hour.minute for hour in HourlyUsage.objects.filter(organization=cast.acme).values_list("hour", flat=True)
    }
    assert minutes == {30}
    assert audit().is_equal


def test_nothing_has_no_extent(db):
    assert extent() is None
