"""Requests gathered, for whoever sums them up: into a table of the transaction at hand, or as part of a statement."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection
from django.db.backends.utils import CursorWrapper

from apps.usage.cardinality import let_in, with_others
from apps.usage.measures import CONDENSED, gather

# Compiling a query takes longer than running it once for the requests of a few seconds.
FOR_SUMS = "SET LOCAL work_mem = '64MB'; SET LOCAL jit = off"


@contextmanager
def gathered(where: str, values: Sequence[object], *, is_whole_day: bool = False) -> Iterator[CursorWrapper]:
    """A cursor that sees the table `gathered`, of the requests for which `where` holds, and the CONDENSED; within a
    transaction.

    The days that they are in are the caller's alone from then on. is_whole_day: they are all that those have.
    """
    with connection.cursor() as cursor:
        cursor.execute(FOR_SUMS)
        cursor.execute(f"CREATE TEMP TABLE asked AS {gather(where)}", values)
        if let_in(cursor, is_whole_day=is_whole_day):
            cursor.execute(f"CREATE TEMP TABLE gathered AS {with_others()}")
            cursor.execute("DROP TABLE asked")
        else:
            cursor.execute("ALTER TABLE asked RENAME TO gathered")
        for name, query in CONDENSED.items():
            cursor.execute(f"CREATE TEMP TABLE {name} AS {query}")
        yield cursor
        cursor.execute(f"DROP TABLE gathered, {', '.join(CONDENSED)}")


def gathering(where: str) -> str:
    """WITH …: the same as `gathered`, to begin a statement with. It lets nobody in."""
    condensed = ", ".join(f"{name} AS ({query})" for name, query in CONDENSED.items())
    return f"WITH asked AS ({gather(where)}), gathered AS ({with_others()}), {condensed}"
