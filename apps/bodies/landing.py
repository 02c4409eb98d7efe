"""Putting bodies from a spool into PostgreSQL: those of a batch in one transaction, each once however often it comes.

What has no right to be there any more does not get in: of a customer that is gone or another organization's,
past its day, or from before its owner had all bodies erased.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Greatest

from apps.bodies.frame import BodiesFrame, DroppedFrame
from apps.bodies.models import DroppedBodies
from apps.bodies.partitions import ensure_partitions
from apps.bodies.queries import erased_before
from apps.customers.models import Customer
from apps.keys.errors import VaultError
from apps.keys.models import DataKey
from apps.keys.sealing import newest_id, wrap_again
from apps.kit.failpoints import reach
from apps.kit.locks import lock_name

logger = logging.getLogger(__name__)

ERASING = "erasing of bodies"  # the lock: shared by who lands some, alone for who says that some are erased
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1)
FURTHEST = timedelta(days=370)  # what says that it goes later has a wrong date
COLUMNS = (
    "id", "last_day", "started_at", "organization_id", "customer_id", "key_id", "sealed",
    "request_state", "request_size", "request_type", "request_redacted",
    "response_state", "response_size", "response_type", "response_redacted",
)  # fmt: skip
VALUES = ", ".join(["%s"] * len(COLUMNS))
INSERT = f"INSERT INTO request_bodies ({', '.join(COLUMNS)}) VALUES ({VALUES}) ON CONFLICT DO NOTHING"  # noqa: S608


def land(frames: Sequence[BodiesFrame | DroppedFrame], *, at: datetime) -> int:
    """Put the frames into PostgreSQL; returns how many bodies of calls are stored by that. Twice is harmless."""
    today = at.astimezone(UTC).date()
    bodies = [frame for frame in frames if isinstance(frame, BodiesFrame) and _is_in_time(frame, today)]
    ensure_partitions(_day_of(frame) for frame in bodies)
    with transaction.atomic():
        lock_name(ERASING, is_shared=True)
        customers = _customers(frames)
        _add_dropped([one for one in frames if isinstance(one, DroppedFrame) and _owner(one, customers)])
        erased = {customer.pk: erased_before(customer) for customer in customers.values()}
        wanted = [frame for frame in bodies if (owner := _owner(frame, customers)) and _stays(frame, erased[owner.pk])]
        _add_keys(wanted)
        stored = _add([_row(frame) for frame in wanted])
        reach("bodies_before_commit")
    return stored


def _add(rows: Sequence[tuple[object, ...]]) -> int:
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.executemany(INSERT, rows)
        return cursor.rowcount


def _is_in_time(frame: BodiesFrame, today: date) -> bool:
    return today < _day_of(frame) < today + FURTHEST


def _day_of(frame: BodiesFrame) -> date:
    return EPOCH_DAY + timedelta(days=frame.last_day)


def _stays(frame: BodiesFrame, erased_at: datetime | None) -> bool:
    return erased_at is None or EPOCH + timedelta(microseconds=frame.started_at_us) >= erased_at


def _customers(frames: Iterable[BodiesFrame | DroppedFrame]) -> dict[UUID, Customer]:
    ids = {UUID(bytes=frame.customer_id) for frame in frames}
    found = Customer.objects.select_related("organization__body_policy", "body_policy").filter(pk__in=ids)
    return {customer.pk: customer for customer in found}


def _owner(frame: BodiesFrame | DroppedFrame, customers: dict[UUID, Customer]) -> Customer | None:
    customer = customers.get(UUID(bytes=frame.customer_id))
    return customer if customer is not None and customer.organization_id.bytes == frame.organization_id else None


def _add_dropped(frames: Iterable[DroppedFrame]) -> None:
    DroppedBodies.objects.bulk_create(
        [
            DroppedBodies(
                id=UUID(bytes=frame.id),
                customer_id=UUID(bytes=frame.customer_id),
                at=EPOCH + timedelta(microseconds=frame.at_us),
                bodies=frame.bodies,
            )
            for frame in frames
        ],
        ignore_conflicts=True,
    )


def _add_keys(frames: Iterable[BodiesFrame]) -> None:
    """The data keys of the bodies, under the ring's newest key, each for as long as one of its bodies needs it."""
    needed: dict[UUID, tuple[BodiesFrame, date]] = {}
    for frame in frames:
        key_id, day = UUID(bytes=frame.key_id), _day_of(frame)
        known = needed.get(key_id)
        needed[key_id] = (frame, day if known is None else max(day, known[1]))
    rows = [_key_row(key_id, frame, day) for key_id, (frame, day) in sorted(needed.items())]
    DataKey.objects.bulk_create(rows, ignore_conflicts=True)
    for row in rows:
        later = DataKey.objects.filter(pk=row.pk, needed_until__lt=row.needed_until)
        later.update(needed_until=Greatest("needed_until", row.needed_until))


def _key_row(key_id: UUID, frame: BodiesFrame, needed_until: date) -> DataKey:
    row = DataKey(
        id=key_id,
        organization_id=UUID(bytes=frame.organization_id),
        customer_id=UUID(bytes=frame.customer_id),
        wrapped_key=frame.wrapped_key,
        kek_id=frame.kek_id,
        needed_until=needed_until,
    )
    if row.kek_id != newest_id():
        try:
            wrap_again(row)
        except VaultError as error:  # kept as it is: the ring may get its key back
            logger.error("data key %s: %s", key_id, error)
    return row


def _row(frame: BodiesFrame) -> tuple[object, ...]:
    request, response = frame.request, frame.response
    return (
        UUID(bytes=frame.id),
        _day_of(frame),
        EPOCH + timedelta(microseconds=frame.started_at_us),
        UUID(bytes=frame.organization_id),
        UUID(bytes=frame.customer_id),
        UUID(bytes=frame.key_id),
        frame.sealed,
        request.state,
        request.size,
        request.content_type.replace("\0", ""),
        request.redactions,
        response.state,
        response.size,
        response.content_type.replace("\0", ""),
        response.redactions,
    )
