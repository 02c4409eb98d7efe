"""What every connection of Django's to PostgreSQL is told first.

Sums over a hundred thousand users are one statement with thirty sums in it: compiling that (`jit`, where PostgreSQL was
built with it) takes longer than running it. Said once a connection, not once a page.
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

FIRST = "SET jit = off"


def tell_first(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """To be called by Django's `connection_created`."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(FIRST)
