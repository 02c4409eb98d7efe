"""What was sent counts against spend caps too, once it is stored: counters say what the records do.

The counters live in Redis, the requests in PostgreSQL, and no transaction spans both. So a batch says that it is to be
charged until it has been; whoever dies in between leaves that to beat. Charging is done so that twice is once:

* A counter that is complete up to a later time than the call began is counted again from the database, in the way in
  which the proxy counts what Redis has lost (limits.counting): that sum replaces the one before, whoever asks for it.
* To one that is complete only up to an earlier time, the price is added, by a script that keeps a mark of the batch.
* One that isn't complete is left alone: it is counted, the call with it, before the next capped call is let in.

Nothing is refused here: the calls have been made.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import redis
from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from apps.customers.models import Customer
from apps.keys.models import ProxyKey
from apps.limits.book import load_end_users, scoped_of_customer, scoped_of_key
from apps.limits.commands import Entry, entries_of
from apps.limits.counting import BASE, GENERATION_KEY, LATE, SINCE, SURE
from apps.limits.scopes import LimitBook, Periods, periods_of
from apps.limits.scripts import Script
from apps.limits.terms import MOST_PICO, to_pico
from apps.usage.models import Batch, Request
from apps.usage.spent import spent

logger = logging.getLogger(__name__)

PATIENCE_S = 1.0
MARK_MS = 86_400_000  # that a batch is known to be charged, should whoever charged it not have come to note it
A_MOMENT = timedelta(seconds=5)  # in which whoever stored a batch charges it
ATTEMPTS = 5  # at counting a sum that others count too
MOST_AT_ONCE = 1_000


class _Spent(NamedTuple):
    """A call that was paid for."""

    proxy_key_id: UUID
    end_user: str | None
    started_at: datetime
    price: Decimal


@dataclass
class _Charge:
    """What is charged to one counter: of each call, when it began (µs) and its price (pico)."""

    entry: Entry
    calls: list[tuple[int, int]] = field(default_factory=list)


def charge(batch_id: int) -> bool:
    """Charge a batch to the counters of the caps it counts against. Again: does nothing more.

    Returns whether it is charged by now; if not, beat comes to it.
    """
    try:
        with transaction.atomic():
            waiting = Batch.objects.select_for_update(skip_locked=True).filter(is_to_be_charged=True)
            batch = waiting.filter(pk=batch_id).first()
            if batch is None:
                return not Batch.objects.filter(pk=batch_id, is_to_be_charged=True).exists()
            _charge(batch, timezone.now())
            Batch.objects.filter(pk=batch_id).update(is_to_be_charged=False)
    except (redis.RedisError, DatabaseError) as error:
        logger.warning("batch %s is not charged yet: %s", batch_id, str(error).partition("\n")[0])
        return False
    return True


def charge_waiting(*, at: datetime) -> int:
    """Charge what those who stored it didn't come to. Returns how many batches were; stops where Redis is away."""
    waiting = Batch.objects.filter(is_to_be_charged=True, shipped_at__lt=at - A_MOMENT).order_by("pk")
    charged = 0
    for batch_id in waiting.values_list("pk", flat=True)[:MOST_AT_ONCE]:
        if not charge(batch_id):
            break
        charged += 1
    return charged


def _charge(batch: Batch, at: datetime) -> None:
    client = _client(settings.REDIS_URL)
    generation = cast("bytes | None", client.get(GENERATION_KEY))
    if generation is None:
        return  # nobody has counted anything yet
    for customer, calls in _by_customer(batch):
        periods = periods_of(at.astimezone(ZoneInfo(customer.organization.time_zone)))
        charges = _charges(customer, calls, periods)
        if charges:
            _tell(client, generation.decode(), customer, batch.pk, charges)


def _by_customer(batch: Batch) -> Iterator[tuple[Customer, list[_Spent]]]:
    began = (batch.first_started_at, batch.last_started_at)
    rows = Request.objects.filter(batch_id=batch.pk, started_at__range=began, price__gt=0)
    found: dict[UUID, list[_Spent]] = {}
    told = rows.values_list("customer_id", "proxy_key_id", "end_user", "started_at", "price")
    for customer_id, key_id, end_user, started_at, price in told:
        found.setdefault(customer_id, []).append(_Spent(key_id, end_user, started_at, price or Decimal(0)))
    for customer in Customer.objects.filter(pk__in=found).select_related("organization"):
        yield customer, found[customer.pk]


def _charges(customer: Customer, calls: Iterable[_Spent], periods: Periods) -> list[_Charge]:
    """What of the calls falls into periods that are capped now."""
    end_users, of_customer = load_end_users(customer), scoped_of_customer(customer)
    keys = {key.pk: key for key in ProxyKey.objects.filter(customer=customer, pk__in={c.proxy_key_id for c in calls})}
    books: dict[UUID, LimitBook] = {}
    charges: dict[str, _Charge] = {}
    for call in calls:
        book = books.get(call.proxy_key_id)
        if book is None:
            key = keys.get(call.proxy_key_id)
            of_key = [scoped_of_key(customer, key)] if key else []
            book = LimitBook(of_customer.keys, of_customer, *of_key, end_users=end_users)
            books[call.proxy_key_id] = book
        if not book.has_cap:
            continue
        began = call.started_at.timestamp()
        for entry in entries_of(book.scopes(call.end_user), periods):
            if entry.kind == "s" and entry.begins_at <= began and (not entry.ends_at or began < entry.ends_at):
                told = (round(began * 1_000_000), min(to_pico(call.price), MOST_PICO))
                charges.setdefault(entry.key, _Charge(entry)).calls.append(told)
    return list(charges.values())


def _tell(client: redis.Redis, generation: str, customer: Customer, batch_id: int, charges: list[_Charge]) -> None:
    mark = f"{charges[0].entry.scoped.keys.alive.removesuffix('alive')}sent:{batch_id}"
    arguments: list[str | int] = [MARK_MS]
    for each in charges:
        arguments += (each.entry.stamp(generation), each.entry.span_ms, len(each.calls))
        arguments += (part for call in each.calls for part in call)
    keys = [mark, *(each.entry.key for each in charges)]
    again = cast("list[int]", client.eval(_script("charge").text, len(keys), *keys, *arguments))
    for number in again:
        _count_again(client, generation, customer, charges[number - 1].entry)


def _count_again(client: redis.Redis, generation: str, customer: Customer, entry: Entry) -> None:
    """Put the database's sum into a complete counter's base: as `Counting` does, of which this is the one step."""
    stamp, keys = entry.stamp(generation), entry.scoped.keys
    owner = entry.scoped.owner
    for _ in range(ATTEMPTS):
        known = cast("dict[bytes, bytes]", client.hgetall(entry.key))
        if known.get(SURE) != stamp.encode() or int(known[SINCE]) == 0:
            return
        price, landed = spent(
            customer.pk,
            UUID(bytes=owner) if isinstance(owner, bytes) else owner,
            begins_at=_instant(entry.begins_at),
            ends_at=_instant(entry.ends_at),
            before_us=int(known[SINCE]),
            ids=[UUID(hex=name.removeprefix(LATE).decode()) for name in known if name.startswith(LATE)],
        )
        counted = (generation, stamp, known[SINCE], to_pico(price), known[BASE], entry.span_ms)
        names = [keys.holds, keys.held, keys.alive, entry.key]
        ids = [each.hex for each in landed]
        if client.eval(_script("count").text, len(names), *names, *counted, *ids):
            return
    raise redis.RedisError(f"{entry.key} is being counted by others")


def _instant(at: float) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if at else None


@lru_cache(maxsize=2)
def _client(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url, socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S)


@lru_cache(maxsize=4)
def _script(name: str) -> Script:
    return Script(name)
