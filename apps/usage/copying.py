"""Requests into their table by COPY: fast where all goes well, with care where PostgreSQL refused.

Both give the calls of which rows were made. Of those that cannot be stored they make dead letters.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import DataError, IntegrityError, connection, transaction

from apps.usage.record import encode
from apps.usage.rows import COLUMNS, Unfit, row_of
from apps.usage.tail import Call, Letter, Position

ROWS_AT_ONCE = 100  # fit in a socket's buffer: the next are built while PostgreSQL takes these in
MICROSECONDS = 1_000_000


def copy_requests(calls: Sequence[Call], batch_id: int, letters: list[Letter], *, latest: datetime) -> list[Call]:
    """Copy the calls; all or nothing. Raises IntegrityError or DataError where PostgreSQL refuses one."""
    return _copy("usage_request", calls, batch_id, letters, latest)


def copy_with_care(calls: Sequence[Call], batch_id: int, letters: list[Letter], *, latest: datetime) -> list[Call]:
    """Copy the calls that are not there yet and can be stored; in the transaction at hand.

    They go through a table of their own: there the bad ones are found, and from there only new ones are taken.
    """
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE landing (LIKE usage_request INCLUDING CONSTRAINTS)")
        _copy_halves(calls, batch_id, letters, latest)
        cursor.execute("INSERT INTO usage_request SELECT * FROM landing ON CONFLICT DO NOTHING RETURNING id")
        new = {row_id for (row_id,) in cursor.fetchall()}
        cursor.execute("DROP TABLE landing")
    return [call for call in calls if UUID(bytes=call.intent.id) in new]


def dead_letter(call: Call, reason: str) -> Letter:
    """The letter of a call that was read well."""
    outcome = encode(call.outcome) if call.outcome else b""
    return Letter(Position(call.segment, call.offset), encode(call.intent) + outcome, reason)


def _copy_halves(calls: Sequence[Call], batch_id: int, letters: list[Letter], latest: datetime) -> None:
    """Halve what is refused until the bad ones stand alone."""
    refused: list[Letter] = []
    try:
        with transaction.atomic():
            _copy("landing", calls, batch_id, refused, latest)
    except (DataError, IntegrityError) as error:
        if len(calls) == 1:
            letters.append(dead_letter(calls[0], str(error).partition("\n")[0]))
            return
        middle = len(calls) // 2
        _copy_halves(calls[:middle], batch_id, letters, latest)
        _copy_halves(calls[middle:], batch_id, letters, latest)
    else:
        letters += refused


def _copy(table: str, calls: Sequence[Call], batch_id: int, letters: list[Letter], latest: datetime) -> list[Call]:
    copied: list[Call] = []
    latest_us = int(latest.timestamp() * MICROSECONDS)
    sql = f"COPY {table} ({', '.join(COLUMNS)}) FROM STDIN"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(sql) as copy:
        for start in range(0, len(calls), ROWS_AT_ONCE):
            rows: list[str] = []
            for call in calls[start : start + ROWS_AT_ONCE]:
                try:
                    rows.append(row_of(call, batch_id, latest_us=latest_us))
                except Unfit as error:
                    letters.append(dead_letter(call, str(error)))
                else:
                    copied.append(call)
            copy.write("".join(rows).encode())
    return copied
