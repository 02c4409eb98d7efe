"""Hours made anew are the hours that were."""

import json
from datetime import timedelta

import pytest

from apps.accounts.services import update_organization
from apps.usage.audit import audit
from apps.usage.models import (
    Batch,
    DailyCustomer,
    DailyModel,
    DailyPropertyUsage,
    DailyTotal,
    DailyUsage,
    HourlyPropertyUsage,
    HourlyUsage,
)
from apps.usage.rebuild import extent, rebuild_rollups
from apps.usage.rollup import roll_up
from apps.usage.tasks import align_hours
from tests.usage.conftest import NOON, a_call, write_spool

TABLES = (
    HourlyUsage,
    DailyUsage,
    DailyTotal,
    DailyCustomer,
    DailyModel,
    HourlyPropertyUsage,
    DailyPropertyUsage,
)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def hours() -> list[dict[str, object]]:
    """All rows of the roll-ups, but for the numbers that the database gave them."""
    rows = [row for model in TABLES for row in model.objects.values()]
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


def minutes_of_hours(organization) -> set[int]:
    return {
        hour.minute for hour in HourlyUsage.objects.filter(organization=organization).values_list("hour", flat=True)
    }


def test_after_a_change_of_zone_hours_begin_where_they_do_there(history, cast):
    for zone, minutes in (("Asia/Kolkata", {30}), ("Asia/Kathmandu", {15}), ("UTC", {0})):
        update_organization(cast.acme, time_zone=zone, by=cast.olivia)
        assert not audit().is_equal
        align_hours(str(cast.acme.pk))
        assert minutes_of_hours(cast.acme) == minutes
        assert minutes_of_hours(cast.evil_corp) == {0}
        assert audit().is_equal
    assert hours() == history


def test_a_zone_of_whole_hours_changes_nothing(history, cast):
    update_organization(cast.acme, time_zone="America/Los_Angeles", by=cast.olivia)
    HourlyUsage.objects.all().update(cancelled=9)
    align_hours(str(cast.acme.pk))
    assert set(HourlyUsage.objects.values_list("cancelled", flat=True)) == {9}


def test_nothing_has_no_extent(db):
    assert extent() is None


@pytest.mark.django_db(transaction=True)
def test_a_change_of_zone_has_the_hours_looked_at(cast, redis):
    update_organization(cast.acme, name="Acme & Sons", by=cast.olivia)
    assert redis.llen("tollgate:celery:celery") == 0
    update_organization(cast.acme, time_zone="Asia/Kolkata", by=cast.olivia)
    [message] = redis.lrange("tollgate:celery:celery", 0, -1)
    headers = json.loads(message)["headers"]
    assert (headers["task"], headers["argsrepr"]) == ("usage.align_hours", f"('{cast.acme.pk}',)")
