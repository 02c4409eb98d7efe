"""A place between two requests, as text for an address: newest first, of those at one time by id."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LOWEST_ID = UUID(int=0)


class Position(NamedTuple):
    """That of a request: when it began, and its id."""

    at: datetime
    id: UUID


def as_cursor(position: Position) -> str:
    """The position as text, without a sign that an address would escape."""
    raw = microseconds(position.at).to_bytes(8) + position.id.bytes
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def position_of(cursor: str) -> Position | None:
    """What a cursor says; None where it is not one of ours."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return Position(instant(int.from_bytes(raw[:8])), UUID(bytes=raw[8:]))
    except (binascii.Error, ValueError, OverflowError):
        return None


def microseconds(at: datetime) -> int:
    """Since 1970, exact: a float would lose the last place."""
    return (at - EPOCH) // MICROSECOND


def instant(microseconds_since_1970: int) -> datetime:
    """The time that `microseconds` told. Raises OverflowError for one that no calendar has."""
    return EPOCH + microseconds_since_1970 * MICROSECOND
