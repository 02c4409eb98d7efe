"""Requests gathered, for whoever sums them up: into tables of the transaction at hand, or as part of a statement."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection
from django.db.backends.utils import CursorWrapper

from apps.usage.cardinality import let_in, with_others
from apps.usage.measures import OF_THOSE, WHO_AND_WHAT, asked, condensed

FOR_SUMS = "SET LOCAL work_mem = '64MB'"


@contextmanager
def gathered(where: str, values: Sequence[object], *, is_whole_day: bool = False) -> Iterator[CursorWrapper]:
    """A cursor that sees what the requests for which `where` holds are condensed to; within a transaction.

    The days that they are in are the caller's alone from then on. is_whole_day: they are all that those have.
    """
    with connection.cursor() as cursor:
        cursor.execute(FOR_SUMS)
        _condense(cursor, f"WITH asked AS ({asked(where)})", "asked", values)
        if let_in(cursor, is_whole_day=is_whole_day):
            cursor.execute(f"DROP TABLE {', '.join(WHO_AND_WHAT)}")
            _condense(cursor, _as_known(where), "gathered", values)  # anew, now that it is known who got in
        with _added_up(cursor):
            yield cursor


@contextmanager
def gathered_again(where: str, values: Sequence[object]) -> Iterator[CursorWrapper]:
    """The same of requests that are in the sums already, as they are there: it lets nobody in."""
    with connection.cursor() as cursor:
        cursor.execute(FOR_SUMS)
        _condense(cursor, _as_known(where), "gathered", values)
        with _added_up(cursor):
            yield cursor


def gathering(where: str) -> str:
    """WITH …: the same as `gathered_again`, to begin a statement with."""
    tables = ", ".join(f"{name} AS ({query})" for name, query in condensed("gathered").items())
    return f"{_as_known(where)}, {tables}"


def _as_known(where: str) -> str:
    """WITH …: the requests as `gathered`, with who did not get in on a day as OTHER."""
    return f"WITH asked AS ({asked(where)}), gathered AS ({with_others()})"


def _condense(cursor: CursorWrapper, requests: str, name: str, values: Sequence[object]) -> None:
    """Make the tables of WHO_AND_WHAT. requests: WITH …, which has them by that name, for the first table to read."""
    tables = condensed(name)
    first, *others = WHO_AND_WHAT
    cursor.execute(f"CREATE TEMP TABLE {first} AS {requests} {tables[first]}", values)
    for each in others:
        cursor.execute(f"CREATE TEMP TABLE {each} AS {tables[each]}")


@contextmanager
def _added_up(cursor: CursorWrapper) -> Iterator[None]:
    """With the tables of OF_THOSE; in the end none is there any more."""
    tables = condensed("")
    for name in OF_THOSE:
        cursor.execute(f"CREATE TEMP TABLE {name} AS {tables[name]}")
    yield
    cursor.execute(f"DROP TABLE {', '.join((*WHO_AND_WHAT, *OF_THOSE))}")
