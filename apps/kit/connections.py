"""What every connection of Django's to PostgreSQL is told first.

Sums over a hundred thousand users are one statement with thirty sums in it: compiling that (`jit`) takes longer than
running it, and in the 4 MB that PostgreSQL gives a sort by default it is done on disk. Said once a connection, not once
a page. What the server is set to is left where it is more.
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

FIRST = """
SELECT set_config('jit', 'off', FALSE),
    set_config('work_mem', greatest(pg_size_bytes(current_setting('work_mem')), 32 * 1024 * 1024) / 1024 || 'kB', FALSE)
"""


def tell_first(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """To be called by Django's `connection_created`."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(FIRST)
