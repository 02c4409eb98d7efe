"""The audit finds whatever was planted, and names it; and nothing where nothing is wrong."""

import pytest

from apps.kit.ids import uuid7
from apps.usage.audit import audit
from apps.usage.measures import EXTREMES, SUMS, TIMES
from apps.usage.models import (
    Batch,
    DailyCustomer,
    DailyModel,
    DailyPropertyUsage,
    DailyTotal,
    DailyUsage,
    DeadLetter,
    HourlyPropertyUsage,
    HourlyUsage,
    Request,
)
from apps.usage.rollup import roll_up
from tests.usage.conftest import NOON, a_call, write_spool


@pytest.fixture
def rolled_up(cast, root, ship) -> None:
    """A request of Globex and one of a stranger, both with a property."""
    for customer in (cast.globex, cast.shady):
        write_spool(root, a_call(customer, properties=[("Plan", "pro")]))
    ship()
    roll_up()


def found() -> list[tuple[str, str, object, object]]:
    return [(each.table, each.measure, each.in_requests, each.in_rollups) for each in audit().differences]


def test_equals_are_equal(rolled_up):
    assert (audit().is_equal, audit().requests, audit().waiting) == (True, 2, 0)


TABLES = (
    HourlyUsage,
    DailyUsage,
    DailyTotal,
    DailyCustomer,
    DailyModel,
    HourlyPropertyUsage,
    DailyPropertyUsage,
)


@pytest.mark.parametrize("measure", (*SUMS, *EXTREMES))
@pytest.mark.parametrize("model", TABLES)
def test_any_wrong_measure_is_named(rolled_up, cast, model, measure):
    mine = {"organization": cast.acme} if model is DailyModel else {"customer_id": cast.globex.pk}
    rows = model.objects.filter(**mine)
    right = rows.values_list(measure, flat=True).get()
    wrong = right.replace(minute=7) if measure in EXTREMES else right + 1
    rows.update(**{measure: wrong})
    assert found() == [(model._meta.db_table, measure, right, wrong)]


@pytest.mark.parametrize("measure", TIMES)
@pytest.mark.parametrize("model", [HourlyUsage, DailyUsage, DailyTotal])
def test_any_wrong_histogram_is_named(rolled_up, cast, model, measure):
    rows = model.objects.filter(customer_id=cast.globex.pk)
    right = rows.values_list(measure, flat=True).get()
    rows.update(**{measure: [1]})
    assert found() == [(model._meta.db_table, measure, right, [1])]


def test_a_wrong_histogram_of_a_value_is_named(rolled_up, cast):
    rows = DailyPropertyUsage.objects.filter(customer_id=cast.globex.pk)
    [right] = rows.values_list("latencies", flat=True)
    assert len(right) == 1
    rows.update(latencies=[])
    assert found() == [("usage_dailypropertyusage", "latencies", right, [])]


def test_missing_and_superfluous_hours_are_named(rolled_up, cast):
    HourlyUsage.objects.filter(customer_id=cast.globex.pk).update(end_user="nobody")
    requests = [
        (difference.keys["end_user"], difference.in_requests, difference.in_rollups)
        for difference in audit().differences
        if difference.measure == "requests"
    ]
    assert requests == [(None, 1, None), ("nobody", None, 1)]


def test_request_that_vanished_is_named_with_its_batch(rolled_up):
    Request.objects.first().delete()
    batch = audit().wrong_batches[0]
    assert str(batch) == f"batch {batch.batch_id}: 1 requests were shipped, 0 are there"
    assert not audit().is_equal


def test_request_that_no_one_shipped_is_a_difference(rolled_up):
    request = Request.objects.first()
    request.id, request.batch_id = uuid7(), 10**9
    request.save(force_insert=True)
    assert ("usage_hourlyusage", "requests", 2, 1) in found()


def test_batches_that_wait_are_no_difference(rolled_up, cast, root, ship):
    write_spool(root, a_call(cast.globex))
    ship()
    assert (audit().is_equal, audit().waiting) == (True, 1)


def test_batch_that_is_marked_and_not_counted_is_found(rolled_up, cast, root, ship):
    write_spool(root, a_call(cast.globex))
    ship()
    Batch.objects.update(rolled_up_at=NOON)
    measures = {measure for _, measure, _, _ in found()}
    of_tokens = {"input_tokens", "cache_read_tokens", "output_tokens"}
    assert measures == {"requests", *of_tokens, "cost", "price", "latency_ms", "latencies"}


def test_audit_of_one_organization_sees_only_its_own(rolled_up, cast):
    HourlyUsage.objects.filter(customer_id=cast.shady.pk).update(requests=7)
    assert audit(organization_id=cast.acme.pk).is_equal
    assert not audit(organization_id=cast.evil_corp.pk).is_equal


def test_audit_of_a_range_sees_only_its_hours(rolled_up):
    HourlyUsage.objects.update(requests=7)
    assert audit(until=NOON).is_equal
    assert not audit(since=NOON, until=NOON.replace(hour=13)).is_equal


def test_dead_letters_are_counted(rolled_up, root, ship):
    write_spool(root, [b"\xc1"])
    ship()
    assert (audit().dead_letters, DeadLetter.objects.count()) == (1, 1)
