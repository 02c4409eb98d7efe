"""What was shipped is forgotten after its time, and never anything that shipping again would need."""

import shutil
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from apps.usage.models import Batch, Request, Spool
from apps.usage.record import encode
from apps.usage.retention import forget_batches, forget_shipped
from apps.usage.rollup import roll_up
from apps.usage.segment import segment_numbers
from apps.usage.ship import Shipper
from tests.usage.conftest import a_call, an_intent, an_outcome, write_spool

DAY = timedelta(days=1)


def age(by: timedelta) -> None:
    """As if what was shipped had been shipped so much earlier."""
    for batch in Batch.objects.all():
        Batch.objects.filter(pk=batch.pk).update(shipped_at=batch.shipped_at - by)
    for spool in Spool.objects.exclude(closed_at=None):
        Spool.objects.filter(pk=spool.pk).update(closed_at=spool.closed_at - by)


def forget(root, *, at: datetime | None = None) -> None:
    forget_shipped(root, at=at or timezone.now())


def fill_segment(live_spool, customer) -> None:
    """Write calls until one of them is in the next segment."""
    segment = live_spool.segment
    while live_spool.segment == segment:
        live_spool.write(*a_call(customer))


@pytest.mark.parametrize(("by", "is_there"), [(DAY - timedelta(minutes=1), True), (DAY + timedelta(minutes=1), False)])
def test_spool_that_was_shipped_to_its_end_goes_after_a_day(cast, root, ship, by, is_there):
    directory = write_spool(root, a_call(cast.globex))
    ship()
    age(by)
    forget(root)
    assert directory.exists() is is_there
    assert Request.objects.count() == 1


def test_spool_that_was_not_shipped_stays(cast, root):
    directory = write_spool(root, a_call(cast.globex))
    forget(root, at=timezone.now() + 365 * DAY)
    assert directory.exists()


def test_segments_that_were_shipped_go_after_a_day(cast, root, live_spool):
    shipper = Shipper(root)
    for _ in range(3):
        fill_segment(live_spool, cast.globex)
        shipper.ship()
    forget(root)
    assert segment_numbers(live_spool.directory)[:4] == [1, 2, 3, 4]
    age(DAY)
    forget(root)
    assert segment_numbers(live_spool.directory)[0] == live_spool.segment == 4


def test_segments_of_today_stay_while_those_of_yesterday_go(cast, root, live_spool):
    shipper = Shipper(root)
    fill_segment(live_spool, cast.globex)
    fill_segment(live_spool, cast.globex)
    shipper.ship()
    age(DAY)
    fill_segment(live_spool, cast.globex)
    shipper.ship()
    forget(root)
    assert segment_numbers(live_spool.directory)[0] == 3


def test_segment_with_an_intent_that_waits_stays(cast, root, live_spool):
    shipper = Shipper(root)
    waiting = an_intent(cast.globex)
    live_spool.write(encode(waiting))
    for _ in range(3):
        fill_segment(live_spool, cast.globex)
    shipper.ship()
    age(DAY)
    forget(root)
    assert segment_numbers(live_spool.directory)[0] == 1
    live_spool.write(encode(an_outcome(waiting)))
    assert shipper.ship() == 1
    forget(root)
    assert segment_numbers(live_spool.directory)[0] == 1  # yesterday's backup would need it
    age(DAY)
    forget(root)
    assert segment_numbers(live_spool.directory)[0] > 1


def test_backup_of_a_day_ago_gets_all_it_lacks_from_what_is_kept(cast, root, live_spool, ship):
    waiting = an_intent(cast.globex)
    fill_segment(live_spool, cast.globex)
    live_spool.write(encode(waiting))
    fill_segment(live_spool, cast.globex)
    ship()
    backup = Spool.objects.values().get()
    batches = set(Batch.objects.values_list("pk", flat=True))
    age(DAY + timedelta(minutes=1))
    live_spool.write(encode(an_outcome(waiting)))
    fill_segment(live_spool, cast.globex)
    ship()
    forget(root)
    everything = set(Request.objects.values_list("id", flat=True))

    Request.objects.exclude(batch_id__in=batches).delete()
    Batch.objects.exclude(pk__in=batches).delete()
    Spool.objects.update(**backup)
    ship()
    assert set(Request.objects.values_list("id", flat=True)) == everything


def test_directory_of_a_process_that_died_before_it_wrote_goes(db, root, live_spool):
    unborn = root / f".{live_spool.directory.name}"
    shutil.copytree(live_spool.directory, unborn)
    forget(root)
    assert not unborn.exists()
    assert live_spool.directory.exists()


def test_spools_of_another_host_are_left_alone(db, root):
    forget(root)
    assert not root.exists()


# Batches


def test_batches_are_forgotten_when_they_are_old_and_in_the_hours(cast, root, ship):
    for _ in range(2):
        write_spool(root, a_call(cast.globex))
        ship()
        roll_up()
    old, young = Batch.objects.order_by("pk")
    Batch.objects.filter(pk=old.pk).update(shipped_at=timezone.now() - 2 * DAY - timedelta(minutes=1))
    assert forget_batches(at=timezone.now()) == 1
    assert list(Batch.objects.all()) == [young]


def test_batches_that_are_not_in_the_hours_are_kept(cast, root, ship):
    write_spool(root, a_call(cast.globex))
    ship()
    assert forget_batches(at=timezone.now() + 365 * DAY) == 0


def test_segments_go_also_when_their_batches_are_forgotten(cast, root, live_spool):
    shipper = Shipper(root)
    fill_segment(live_spool, cast.globex)
    shipper.ship()
    Batch.objects.all().delete()
    forget(root)
    assert segment_numbers(live_spool.directory)[0] == 2
