"""Locks on what has no row to lock."""

from django.db import connection


def lock_name(name: str) -> None:
    """Wait until no other transaction holds `name`, and hold it until the transaction at hand ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
