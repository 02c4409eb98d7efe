"""Putting a haul into PostgreSQL: rows, the batch they came in, how far the spool is shipped; one transaction.

1. Lock the spool's row. Another shipper has it, or was here since the haul was read: `Overtaken`.
2. COPY the rows. Where PostgreSQL refuses (a row is there already, since the position was set back, or
   one cannot be stored) all of it is done again with care: what is there is left alone, what cannot be
   stored is found by halving and becomes a dead letter with the reason, everything else lands.
3. Insert the batch, for the roll-up to take, and advance the position.

Killed anywhere, or done twice: the position says what is shipped, and the primary key of the requests lets
nothing in twice.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import DataError, IntegrityError, connection, transaction

from apps.accounts.models import Organization
from apps.kit.failpoints import reach
from apps.usage import awaiting
from apps.usage.copying import copy_requests, copy_with_care, dead_letter
from apps.usage.models import Batch, DeadLetter, PropertyName, Spool
from apps.usage.partitions import ensure_partitions, month_of
from apps.usage.rows import EARLIEST, fit
from apps.usage.tail import Call, Haul, Letter, Position, Waiting

logger = logging.getLogger(__name__)

AHEAD = timedelta(days=2)  # how far a clock may be ahead of ours; what is later has a wrong date
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
FIRST_DAY = (EARLIEST - EPOCH).days
MOST_LABELS = 100_000  # are remembered

Label = tuple[bytes, str]  # organization, a property's name as sent


class Overtaken(Exception):
    """Another shipper has this spool, or has advanced it."""


@dataclass
class _Shipment:
    spool_id: UUID
    start: Position  # the spool is shipped up to here
    haul: Haul
    calls: Sequence[Call]  # of organizations that exist
    letters: Sequence[Letter]
    waiting: Sequence[Waiting]  # of organizations that exist
    labels: Sequence[Label]  # not seen before
    at: datetime


class Lander:
    """Lands hauls, and remembers what it need not ask PostgreSQL for again."""

    def __init__(self) -> None:
        self._organizations: set[bytes] = set()
        self._months: set[datetime] = set()
        self._labels: set[Label] = set()

    def land(self, spool_id: UUID, start: Position, haul: Haul, *, at: datetime) -> int:
        """Put the haul of a spool that is shipped up to `start` into PostgreSQL; returns how many rows are new.

        Raises Overtaken, nothing done; and what Django raises where PostgreSQL is away.
        """
        try:
            return self._land(spool_id, start, haul, at, with_care=False)
        except (IntegrityError, DataError) as error:
            logger.info("spool %s is shipped with care: %s", spool_id, str(error).partition("\n")[0])
            self._forget()
            return self._land(spool_id, start, haul, at, with_care=True)

    def _land(self, spool_id: UUID, start: Position, haul: Haul, at: datetime, *, with_care: bool) -> int:
        calls, strangers = self._by_tenant(haul.calls)
        letters = haul.letters + [dead_letter(call, "There is no such organization.") for call in strangers]
        waiting = self._known_waiting(haul.waiting)
        labels = self._new_labels(calls)
        self._ensure_months(calls, at)
        rows = _land(_Shipment(spool_id, start, haul, calls, letters, waiting, labels, at), with_care=with_care)
        if len(self._labels) > MOST_LABELS:
            self._labels.clear()
        self._labels.update(labels)
        return rows

    def _forget(self) -> None:
        """What was true may not be any more: an organization may be gone, or a month."""
        self._organizations.clear()
        self._months.clear()
        self._labels.clear()

    def _by_tenant(self, calls: Sequence[Call]) -> tuple[Sequence[Call], Sequence[Call]]:
        """The calls of organizations that exist, and the others."""
        strangers = self._strangers({call.intent.organization_id for call in calls})
        if not strangers:
            return calls, []
        return (
            [call for call in calls if call.intent.organization_id not in strangers],
            [call for call in calls if call.intent.organization_id in strangers],
        )

    def _known_waiting(self, waiting: Sequence[Waiting]) -> Sequence[Waiting]:
        """Those of organizations that exist: there is nobody to charge the others to."""
        strangers = self._strangers({each.intent.organization_id for each in waiting})
        return [each for each in waiting if each.intent.organization_id not in strangers]

    def _strangers(self, named: set[bytes]) -> set[bytes]:
        """Of these ids, those that are no organization's."""
        if asked := named - self._organizations:
            ids = [UUID(bytes=value) for value in asked if len(value) == 16]
            self._organizations |= {
                found.bytes for found in Organization.objects.filter(id__in=ids).values_list("id", flat=True)
            }
        return named - self._organizations

    def _ensure_months(self, calls: Sequence[Call], at: datetime) -> None:
        days = {call.intent.started_at_us // DAY_US for call in calls}
        last = (at + AHEAD - EPOCH).days
        months = {month_of(EPOCH + timedelta(days=day)) for day in days if FIRST_DAY <= day <= last} - self._months
        if months:
            ensure_partitions(months)
            self._months |= months

    def _new_labels(self, calls: Sequence[Call]) -> list[Label]:
        named = ((call.intent.organization_id, name) for call in calls for name, _ in call.intent.properties)
        return [label for label in dict.fromkeys(named) if label not in self._labels]  # as first seen


@transaction.atomic
def _land(shipment: _Shipment, *, with_care: bool) -> int:
    _take_spool(shipment)
    letters = list(shipment.letters)
    copy = copy_with_care if with_care else copy_requests
    batch_id = next_batch_id()
    landed = copy(shipment.calls, batch_id, letters, latest=shipment.at + AHEAD)
    reach("ship_after_copy")
    if landed:
        _add_batch(shipment, batch_id, landed)
    reach("ship_after_batch_row")
    if shipment.waiting:
        awaiting.begin(shipment.waiting, at=shipment.at)
    if known := [call.intent.id for call in shipment.calls if call.outcome and call.outcome.was_awaited]:
        awaiting.end(known)
    add_labels(shipment.labels)
    _add_letters(shipment.spool_id, letters)
    end = shipment.haul.end
    Spool.objects.filter(pk=shipment.spool_id).update(
        segment=end.segment,
        offset=end.offset,
        keep_from=shipment.haul.keep_from,
        closed_at=shipment.at if shipment.haul.is_last else None,
    )
    return len(landed)


def _take_spool(shipment: _Shipment) -> None:
    spool = Spool.objects.select_for_update(skip_locked=True).filter(pk=shipment.spool_id).first()
    if spool is None or (spool.segment, spool.offset) != shipment.start or spool.closed_at:
        raise Overtaken


def next_batch_id() -> int:
    """The id of a batch to come: its rows have it before it has a row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('usage_batch', 'id'))")
        (batch_id,) = cursor.fetchone()
    return batch_id


def _add_batch(shipment: _Shipment, batch_id: int, landed: Sequence[Call]) -> None:
    began = [call.intent.started_at_us for call in landed]
    Batch.objects.create(
        id=batch_id,
        spool_id=shipment.spool_id,
        segment=landed[0].segment,
        start=landed[0].offset,
        end=shipment.haul.end.offset,
        rows=len(landed),
        keep_from=shipment.haul.keep_from,
        first_started_at=EPOCH + timedelta(microseconds=min(began)),
        last_started_at=EPOCH + timedelta(microseconds=max(began)),
        shipped_at=shipment.at,
    )


def add_labels(labels: Iterable[Label]) -> None:
    """Keep how properties are written, as first seen. In order: two shippers wait for each other in one way only."""
    first: dict[tuple[UUID, str], str] = {}
    for organization, name in labels:
        first.setdefault((UUID(bytes=organization), fit(name.lower())), fit(name))
    names = [PropertyName(organization_id=key[0], name=key[1], label=first[key]) for key in sorted(first)]
    PropertyName.objects.bulk_create(names, ignore_conflicts=True)


def _add_letters(spool_id: UUID, letters: Sequence[Letter]) -> None:
    for letter in letters:
        logger.error("dead letter: spool %s %d:%d: %s", spool_id, *letter.at, letter.reason)
    DeadLetter.objects.bulk_create(
        (
            DeadLetter(
                spool_id=spool_id,
                segment=letter.at.segment,
                start=letter.at.offset,
                frame=letter.frame,
                reason=fit(letter.reason),
            )
            for letter in letters
        ),
        ignore_conflicts=True,
    )
