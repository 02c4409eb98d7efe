from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import connection

from apps.usage.partitions import ensure_partitions, make_partitions, month_of, next_month, partition_name
from tests.cast import at_once

MONTHS = [
    (datetime(2026, 1, 31, 23, 59, tzinfo=UTC), "usage_request_2026_01", datetime(2026, 2, 1, tzinfo=UTC)),
    (datetime(2026, 12, 1, tzinfo=UTC), "usage_request_2026_12", datetime(2027, 1, 1, tzinfo=UTC)),
    (
        datetime(2026, 3, 1, 1, 0, tzinfo=timezone(timedelta(hours=2))),  # still February in UTC
        "usage_request_2026_02",
        datetime(2026, 3, 1, tzinfo=UTC),
    ),
]


@pytest.mark.parametrize(("at", "name", "after"), MONTHS)
def test_months_are_of_utc(at, name, after):
    assert partition_name(month_of(at)) == name
    assert next_month(month_of(at)) == after


def test_this_month_and_the_next_three_are_made(db):
    expected = ["usage_request_2031_11", "usage_request_2031_12", "usage_request_2032_01", "usage_request_2032_02"]
    assert make_partitions(at=datetime(2031, 11, 20, tzinfo=UTC)) == expected
    assert make_partitions(at=datetime(2031, 11, 20, tzinfo=UTC)) == []


def test_a_partition_has_all_indexes_and_constraints(db):
    make_partitions(at=datetime(2031, 11, 20, tzinfo=UTC))

    def counted(table: str) -> tuple[int, int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass", [table])
            (indexes,) = cursor.fetchone()
            cursor.execute("SELECT count(*) FROM pg_constraint WHERE conrelid = %s::regclass", [table])
            return indexes, cursor.fetchone()[0]

    assert counted("usage_request_2031_11") == counted("usage_request")


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_make_each_partition_once():
    month = datetime(2032, 5, 1, tzinfo=UTC)
    try:
        made = at_once(8, lambda: ensure_partitions([month]))
        assert sorted(made) == [[]] * 7 + [["usage_request_2032_05"]]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE usage_request_2032_05")
