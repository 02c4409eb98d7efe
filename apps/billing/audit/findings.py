"""What the proof finds."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from django.db import connection


@dataclass(frozen=True)
class Finding:
    """One thing that does not add up."""

    check: str  # such as "ledger.balance"
    what: str  # which one: "invoice INV-0003, line 2 (gpt-4o · input)"
    expected: str  # as it follows from what it is made of
    found: str

    def __str__(self) -> str:
        return f"{self.check}: {self.what}: {self.found} is there, {self.expected} should be"

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def found_by(check: str, query: str, values: dict[str, Any]) -> Iterator[Finding]:
    """What a query finds: its rows are what it is about, what should be, and what is."""
    for what, expected, found in rows_of(query, values):
        yield Finding(check, str(what), plain(expected), plain(found))


def rows_of(query: str, values: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())


def plain(value: object) -> str:
    """Amounts without the noughts at their end."""
    if value is None:
        return "nothing"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
