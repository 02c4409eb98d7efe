"""The months of `usage_request`: made ahead by a periodic task, and by the shipper where one is missing."""

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import connection, transaction

from apps.kit.locks import lock_name

MONTHS_AHEAD = 3


def month_of(at: datetime) -> datetime:
    """The first instant of the month (UTC) that `at` is in."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(month: datetime) -> datetime:
    """The first instant of the month after the one that begins at `month`."""
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def partition_name(month: datetime) -> str:
    """The table that holds the requests of the month."""
    return f"usage_request_{month:%Y_%m}"


def make_partitions(*, at: datetime) -> list[str]:
    """Make the partitions of the month of `at` and of the next ones. Returns the names of the new ones."""
    months = [month_of(at)]
    for _ in range(MONTHS_AHEAD):
        months.append(next_month(months[-1]))
    return ensure_partitions(months)


@transaction.atomic
def ensure_partitions(months: Iterable[datetime]) -> list[str]:
    """Make the partitions of these months where missing; return their names. Several at once are harmless.

    A table that is attached locks the requests against nothing but other changes of the table, so reading
    and shipping go on; `CREATE TABLE … PARTITION OF` would wait for all of them.
    """
    wanted = {partition_name(month): month for month in sorted(set(months))}
    if wanted.keys() <= _attached(wanted):
        return []
    lock_name("usage partitions")
    missing = sorted(wanted.keys() - _attached(wanted))
    with connection.cursor() as cursor:
        for name in missing:
            cursor.execute(f"CREATE TABLE {name} (LIKE usage_request INCLUDING ALL)")
            cursor.execute(
                f"ALTER TABLE usage_request ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)",
                [wanted[name], next_month(wanted[name])],
            )
    return missing


def attached_months() -> list[datetime]:
    """The months that have a table, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
            "WHERE inhparent = 'usage_request'::regclass ORDER BY relname"
        )
        names = [name for (name,) in cursor.fetchall()]
    return [datetime.strptime(f"{name} +0000", "usage_request_%Y_%m %z") for name in names]


def _attached(names: Iterable[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            # not pg_partition_tree(): right after the lock it may still go by what this session remembers
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
            "WHERE inhparent = 'usage_request'::regclass AND relname = ANY(%s)",
            [list(names)],
        )
        return {name for (name,) in cursor.fetchall()}
