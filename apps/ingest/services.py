"""Usage that is sent becomes requests: priced, stored and counted like what the proxy has metered, each event once.

It goes straight into PostgreSQL instead of through the spool. The spool is there for the proxy, which must not wait
for a database, and whose clients will not ask again. Who sends usage can wait, and asks again. So one transaction has

1. a row for the key of each event: of two who send the same one, the second waits here for the first, and sees it;
2. the requests, by the same COPY as the shipper's, and the batch that they came in, for the roll-up to take.

Killed before it commits, nothing was; after, all of it is, and whoever had no answer sends it again and is told so.

A key is remembered for longer than an event may be late. So what is sent again either finds its key, or is too old
to be taken; but for history, which may be of any age: there the request itself is found, by its id and its time.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import DataError, IntegrityError, connection, transaction

from apps.accounts.models import Organization
from apps.ingest.calls import Sender, call_of, request_id_of
from apps.ingest.charging import charge
from apps.ingest.errors import Invalid
from apps.ingest.event import Event, Told, clean
from apps.ingest.models import SentEvent
from apps.kit.failpoints import reach
from apps.pricing.history import PriceHistory
from apps.usage.copying import copy_requests, copy_with_care
from apps.usage.keeping import requests_since
from apps.usage.landing import add_labels, next_batch_id
from apps.usage.models import Batch
from apps.usage.partitions import ensure_partitions, month_of
from apps.usage.rows import EARLIEST
from apps.usage.tail import Call, Letter

logger = logging.getLogger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)  # how far the sender's clock may be
KEPT_LONGER = timedelta(days=10)  # a key, than an event of its age is taken
FORGOTTEN_AT_ONCE = 10_000

CLAIM = """
INSERT INTO ingest_sentevent (id, organization_id, content, sent_at)
SELECT id, %s, content, %s FROM unnest(%s::uuid[], %s::bytea[]) AS sent (id, content) ORDER BY id
ON CONFLICT DO NOTHING RETURNING id
"""  # in order: two who send the same events wait for each other in one way only


class Status(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"  # it was here before, and counts once
    CONFLICT = "conflict"  # another event had its key: that one counts
    INVALID = "invalid"


class Result(NamedTuple):
    """What became of one event, and why."""

    status: Status
    request_id: UUID | None = None
    reason: str = ""
    field: str = ""
    warnings: str = ""


class Sent(NamedTuple):
    """An event, and who sends it."""

    sender: Sender
    told: Told


class _Ready(NamedTuple):
    """An event that can be stored."""

    place: int  # among those that were sent
    content: bytes
    call: Call
    warnings: str


CONFLICT = "Another event was sent with this id before: that one counts."


def record_events(
    organization: Organization, events: Sequence[Sent | Invalid], *, at: datetime, is_history: bool = False
) -> list[Result]:
    """Store the events, each once, and tell of each what became of it.

    events: of senders of the organization; what is Invalid already comes back as that. Some thousand at most.
    is_history: they may be of any age; else they are taken up to settings.SENT_MAX_AGE after they happened.
    When it returns, what it says is durable. Called again, it says "duplicate" and changes nothing.
    """
    ready, results = _ready(events, at, is_history=is_history)
    if ready:
        batch_id = _store(organization, ready, results, at)
        if batch_id is not None:
            charge(batch_id)
    return [results[place] for place in range(len(events))]


def check_events(
    organization: Organization, events: Sequence[Sent | Invalid], *, at: datetime, is_history: bool = False
) -> list[Result]:
    """What `record_events` would say now; nothing is stored. History whose keys are forgotten counts as new here."""
    ready, results = _ready(events, at, is_history=is_history)
    known = _contents(organization, ready)
    for request_id, each in ready.items():
        is_known = request_id in known
        again = _again(request_id, is_same=known.get(request_id) == each.content)
        results[each.place] = again if is_known else Result(Status.ACCEPTED, request_id, warnings=each.warnings)
    return [results[place] for place in range(len(events))]


def forget_sent(*, at: datetime) -> int:
    """Delete the keys of events that are too old to be taken again. Returns how many they were."""
    before = at - settings.SENT_MAX_AGE - KEPT_LONGER
    forgotten = 0
    while True:
        old = SentEvent.objects.filter(sent_at__lt=before).order_by("sent_at").values("pk")[:FORGOTTEN_AT_ONCE]
        deleted, _ = SentEvent.objects.filter(pk__in=old).delete()
        forgotten += deleted
        if deleted < FORGOTTEN_AT_ONCE:
            return forgotten


def _ready(
    events: Sequence[Sent | Invalid], at: datetime, *, is_history: bool
) -> tuple[dict[UUID, _Ready], dict[int, Result]]:
    """The first of each event that can be stored; and, by place, what is to be said of the others already."""
    results: dict[int, Result] = {}
    ready: dict[UUID, _Ready] = {}
    history, kept_since = PriceHistory(), requests_since()
    for place, event in enumerate(events):
        try:
            if isinstance(event, Invalid):
                raise event
            made = _make_ready(place, event, history, at, is_history=is_history)
            if kept_since and EPOCH + timedelta(microseconds=made.call.intent.started_at_us) < kept_since:
                raise Invalid(f"Requests of before {kept_since:%Y-%m-%d} are not kept any more.", "started_at")
        except Invalid as error:
            results[place] = Result(Status.INVALID, None, error.reason, error.field)
            continue
        request_id = UUID(bytes=made.call.intent.id)
        first = ready.setdefault(request_id, made)
        if first is not made:
            results[place] = _again(request_id, is_same=first.content == made.content)
    return ready, results


def _make_ready(place: int, sent: Sent, history: PriceHistory, at: datetime, *, is_history: bool) -> _Ready:
    sender, told = sent
    event = clean(told)
    if event.started_at > at + AHEAD:
        raise Invalid("It begins in the future.", "started_at")
    if not is_history and event.started_at < at - settings.SENT_MAX_AGE:
        raise Invalid(f"It began more than {settings.SENT_MAX_AGE.days} days ago.", "started_at")
    if event.started_at < EARLIEST:
        raise Invalid(f"It began before {EARLIEST:%Y}.", "started_at")
    started_at = min(event.started_at, at)
    request_id = request_id_of(sender.organization_id, sender.customer_id, told.id)
    names = _names_of(event)
    price = history.price(sender.organization_id, event.provider, names, started_at)
    call = call_of(request_id, event, sender, price, started_at=started_at)
    call.offset = place
    return _Ready(place, told.content, call, event.context.warnings.decode())


def _names_of(event: Event) -> tuple[str, str]:
    """Under which its price is looked for, in order."""
    return event.model.removeprefix(f"{event.provider}/"), event.model_served


def _again(request_id: UUID, *, is_same: bool) -> Result:
    if is_same:
        return Result(Status.DUPLICATE, request_id)
    return Result(Status.CONFLICT, request_id, CONFLICT, "id")


def _store(
    organization: Organization, ready: dict[UUID, _Ready], results: dict[int, Result], at: datetime
) -> int | None:
    """Store what is new of these. Returns the batch's id; None: nothing was."""
    began = [each.call.intent.started_at_us for each in ready.values()]
    ensure_partitions({month_of(_instant(each)) for each in began})
    with transaction.atomic():
        new = _claim(organization, ready, at)
        reach("ingest_after_claim")
        batch_id, stored, letters = _land([ready[request_id].call for request_id in sorted(new)], at)
        reach("ingest_after_copy")
        _give_back([each.at.offset for each in letters], ready)
        known = _contents(organization, ready.keys() - new)
    reach("ingest_after_commit")
    for letter in letters:
        results[letter.at.offset] = Result(Status.INVALID, None, f"It cannot be stored: {letter.reason}")
    for request_id, each in ready.items():
        if request_id in stored:
            results[each.place] = Result(Status.ACCEPTED, request_id, warnings=each.warnings)
        elif each.place not in results:
            is_same = known.get(request_id, each.content) == each.content
            results[each.place] = _again(request_id, is_same=is_same)
    return batch_id if stored else None


def _claim(organization: Organization, ready: dict[UUID, _Ready], at: datetime) -> set[UUID]:
    """Note the events' keys. Returns those that nobody had noted."""
    contents = [each.content for each in ready.values()]
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [organization.pk, at, list(ready), contents])
        return {row_id for (row_id,) in cursor.fetchall()}


def _contents(organization: Organization, ids: Iterable[UUID]) -> dict[UUID, bytes]:
    """What those of them said that are known."""
    found = SentEvent.objects.filter(organization=organization, pk__in=list(ids)).values_list("pk", "content")
    return {request_id: bytes(content) for request_id, content in found}


def _land(calls: Sequence[Call], at: datetime) -> tuple[int, set[UUID], list[Letter]]:
    """The batch's id, which of the requests are new, and what cannot be stored."""
    batch_id, letters = next_batch_id(), list[Letter]()
    if not calls:
        return batch_id, set(), letters
    try:
        with transaction.atomic():
            landed = copy_requests(calls, batch_id, letters, latest=at)
    except (IntegrityError, DataError) as error:
        logger.info("usage that was sent is stored with care: %s", str(error).partition("\n")[0])
        letters.clear()
        landed = copy_with_care(calls, batch_id, letters, latest=at)
    if landed:
        _add_batch(batch_id, landed, at)
        add_labels((call.intent.organization_id, name) for call in landed for name, _ in call.intent.properties)
    return batch_id, {UUID(bytes=call.intent.id) for call in landed}, letters


def _add_batch(batch_id: int, landed: Sequence[Call], at: datetime) -> None:
    began = [call.intent.started_at_us for call in landed]
    Batch.objects.create(
        id=batch_id,
        spool=None,
        segment=0,
        start=0,
        end=0,
        rows=len(landed),
        keep_from=0,
        first_started_at=_instant(min(began)),
        last_started_at=_instant(max(began)),
        shipped_at=at,
        is_to_be_charged=any(call.outcome and call.outcome.price for call in landed),
    )


def _give_back(indexes: Iterable[int], ready: dict[UUID, _Ready]) -> None:
    """The keys of what cannot be stored: once it is mended, it is to be taken."""
    wrong = set(indexes)
    if wrong:
        SentEvent.objects.filter(pk__in=[key for key, each in ready.items() if each.place in wrong]).delete()


def _instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
