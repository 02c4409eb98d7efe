"""Requests gathered, for whoever sums them up: into tables of the transaction at hand, or as part of a statement."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection
from django.db.backends.utils import CursorWrapper

from apps.usage.cardinality import let_in, with_others
from apps.usage.measures import OF_THOSE, WHO_AND_WHAT, asked, condensed

# Compiling a query takes longer than running it once for the requests of a few seconds.
FOR_SUMS = "SET LOCAL work_mem = '64MB'; SET LOCAL jit = off"


@contextmanager
def gathered(where: str, values: Sequence[object], *, is_whole_day: bool = False) -> Iterator[CursorWrapper]:
    """A cursor that sees what the requests for which `where` holds are condensed to; within a transaction.

    The days that they are in are the caller's alone from then on. is_whole_day: they are all that those have.
    """
    with connection.cursor() as cursor:
        cursor.execute(FOR_SUMS)
        tables = condensed("asked")
        for name in WHO_AND_WHAT:
            cursor.execute(f"CREATE TEMP TABLE {name} AS WITH asked AS ({asked(where)}) {tables[name]}", values)
        if let_in(cursor, is_whole_day=is_whole_day):
            cursor.execute(f"DROP TABLE {', '.join(WHO_AND_WHAT)}")
            _condense_as_known(cursor, where, values)  # anew, now that it is known who got in
        for name in OF_THOSE:
            cursor.execute(f"CREATE TEMP TABLE {name} AS {tables[name]}")
        yield cursor
        cursor.execute(f"DROP TABLE {', '.join(tables)}")


@contextmanager
def gathered_again(where: str, values: Sequence[object]) -> Iterator[CursorWrapper]:
    """The same of requests that are in the sums already, as they are there: it lets nobody in."""
    with connection.cursor() as cursor:
        cursor.execute(FOR_SUMS)
        _condense_as_known(cursor, where, values)
        tables = condensed("gathered")
        for name in OF_THOSE:
            cursor.execute(f"CREATE TEMP TABLE {name} AS {tables[name]}")
        yield cursor
        cursor.execute(f"DROP TABLE {', '.join(tables)}")


def _condense_as_known(cursor: CursorWrapper, where: str, values: Sequence[object]) -> None:
    """Condense the requests, with who did not get in on a day as OTHER."""
    known = f"WITH asked AS ({asked(where)}), gathered AS ({with_others()})"
    tables = condensed("gathered")
    for name in WHO_AND_WHAT:
        cursor.execute(f"CREATE TEMP TABLE {name} AS {known} {tables[name]}", values)


def gathering(where: str) -> str:
    """WITH …: the same as `gathered`, to begin a statement with. It lets nobody in."""
    tables = ", ".join(f"{name} AS ({query})" for name, query in condensed("gathered").items())
    return f"WITH asked AS ({asked(where)}), gathered AS ({with_others()}), {tables}"
