"""What the proxies hear: the database's notices of what changed."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import connection

Heard = Callable[[], list[str]]


@pytest.fixture
def heard(transactional_db: None) -> Iterator[Heard]:
    """What PostgreSQL told since it was last asked, in order."""
    parameters = connection.get_connection_params() | {"cursor_factory": None}
    with psycopg.connect(**parameters, autocommit=True) as listener:
        listener.execute("LISTEN tollgate_grants")

        def drain() -> list[str]:
            return [note.payload for note in listener.notifies(timeout=0.2)]

        yield drain
