"""The days of `request_bodies`: a table for all that goes on a day, made as it is needed, dropped on that day."""

from collections.abc import Iterable
from datetime import date, timedelta

from django.db import connection, transaction

from apps.kit.locks import lock_name

PATIENCE = "5s"  # for those who are reading; then the next run does it


def partition_name(last_day: date) -> str:
    """The table of what goes on the day."""
    return f"request_bodies_{last_day:%Y_%m_%d}"


@transaction.atomic
def ensure_partitions(days: Iterable[date]) -> list[str]:
    """Make the tables of these days where missing; return their names. Several at once are harmless."""
    wanted = {partition_name(day): day for day in sorted(set(days))}
    if wanted.keys() <= attached().keys():
        return []
    lock_name("body partitions")
    missing = sorted(wanted.keys() - attached().keys())
    with connection.cursor() as cursor:
        for name in missing:
            cursor.execute(f"CREATE TABLE {name} (LIKE request_bodies INCLUDING ALL)")
            cursor.execute(
                f"ALTER TABLE request_bodies ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)",
                [wanted[name], wanted[name] + timedelta(days=1)],
            )
    return missing


def drop_partitions(*, today: date) -> list[str]:
    """Drop the tables whose day has come. Returns their names. A table a transaction."""
    past = sorted(name for name, day in attached().items() if day <= today)
    for name in past:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
    return past


def attached() -> dict[str, date]:
    """The tables there are, and the day of each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
            "WHERE inhparent = 'request_bodies'::regclass"
        )
        names = [name for (name,) in cursor.fetchall()]
    return {name: date.fromisoformat(name.removeprefix("request_bodies_").replace("_", "-")) for name in names}
