"""Locks on what has no row to lock."""

from django.db import connection


def lock_name(name: str, *, is_shared: bool = False) -> None:
    """Wait until no other transaction holds `name`, and hold it until the transaction at hand ends.

    is_shared: those who share it don't wait for each other, only for who wants it alone.
    """
    take = "pg_advisory_xact_lock_shared" if is_shared else "pg_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {take}(hashtextextended(%s, 0))", [name])


def try_lock_name(name: str) -> bool:
    """Hold `name` until the transaction at hand ends, if no other transaction does; returns whether."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        (is_ours,) = cursor.fetchone()
    return bool(is_ours)
