"""Looking for a request by an id of it alone: the one index for that, `request_by_id`, is made of Bloom filters."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

OTHERS = ("enable_seqscan", "enable_indexscan", "enable_indexonlyscan")


@contextmanager
def bloom_filters() -> Iterator[None]:
    """A transaction in which queries use it.

    By itself PostgreSQL would rather read everything: how little such filters let through, it does not know.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL {name} = off" for name in OTHERS))
        yield
        cursor.execute("; ".join(f"SET LOCAL {name} = DEFAULT" for name in OTHERS))  # this may be part of a longer one
