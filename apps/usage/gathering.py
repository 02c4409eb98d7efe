"""Requests gathered into a table of the transaction at hand, for whoever sums them up."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection
from django.db.backends.utils import CursorWrapper

from apps.usage.measures import gather

# Compiling a query takes longer than running it once for the requests of a few seconds.
FOR_SUMS = "SET LOCAL work_mem = '64MB'; SET LOCAL jit = off"


@contextmanager
def gathered(where: str, values: Sequence[object]) -> Iterator[CursorWrapper]:
    """A cursor that sees the table `gathered`, of the requests for which `where` holds; within a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(FOR_SUMS)
        cursor.execute(f"CREATE TEMP TABLE gathered AS {gather(where)}", values)
        yield cursor
        cursor.execute("DROP TABLE gathered")
