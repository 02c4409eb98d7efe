"""What is to be told, written down in the transaction of what it tells of; delivering.py sends it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from apps.alerts.models import AlertEvent, Channel, Delivery
from apps.alerts.terms import EventKind

TITLE_LENGTH = 300


class Message(NamedTuple):
    """What a channel is told: for people a title and lines, for programs `data`."""

    title: str
    lines: list[str]
    data: dict[str, Any]
    url: str = ""  # where to look


def put_out(
    channels: Iterable[Channel],
    kind: EventKind,
    event_key: str,
    message: Message,
    *,
    at: datetime,
    event: AlertEvent | None = None,
) -> None:
    """A delivery for each channel. A channel that has one of this key already gets no second.

    They go out within seconds, when beat has them sent: a thousand at once wake nobody a thousand times.
    """
    rows = [
        Delivery(
            organization_id=channel.organization_id,
            channel=channel,
            event=event,
            kind=kind,
            event_key=event_key,
            title=message.title[:TITLE_LENGTH],
            payload=payload_of(kind, event_key, message, at),
            next_at=at,
            created_at=at,
        )
        for channel in channels
    ]
    if rows:
        Delivery.objects.bulk_create(rows, ignore_conflicts=True)


def payload_of(kind: EventKind, event_key: str, message: Message, at: datetime) -> dict[str, Any]:
    """What a webhook gets; what the others say is made of it. `id` is the same in every try, on every channel."""
    return {
        "id": event_key,
        "type": str(kind),
        "created_at": at.isoformat(),
        "title": message.title,
        "text": message.lines,
        "url": message.url,
        "data": message.data,
    }
