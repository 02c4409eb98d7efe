"""Messages out of the outbox: each is sent until its receiver takes it, by one process at a time.

1. Claim a delivery that is due, past those that others are at (SKIP LOCKED): it is ours for LEASE.
2. Send it, outside of any transaction.
3. Write down what became of it, if it is ours still.

Who dies between 2 and 3 has it sent again after LEASE: a receiver may get a message twice, with the same id.
A receiver that fails holds up its own messages alone, and one message at a time is on its way to it.
"""

import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Value, When
from django.utils import timezone

from apps.alerts.channels import email, slack, webhook
from apps.alerts.channels.base import MOST_ANSWER, Outcome
from apps.alerts.models import Channel, Delivery
from apps.alerts.terms import EventKind
from apps.keys.errors import VaultError
from apps.kit.failpoints import reach

SENDERS: dict[str, Callable[..., Outcome]] = {
    Channel.Kind.EMAIL: email.send,
    Channel.Kind.SLACK: slack.send,
    Channel.Kind.WEBHOOK: webhook.send,
}
LEASE = timedelta(seconds=60)  # longer than any try takes
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=6)
LONGEST_HOLD = timedelta(minutes=5)  # of a channel's other messages, after one failed
MOST_ATTEMPTS = 14  # over a day and a bit

State = Delivery.State


class Claimed(NamedTuple):
    """A delivery that is ours to send until LEASE is over."""

    delivery: Delivery
    claim: UUID


def deliver(*, within: timedelta, clock: Callable[[], datetime] = timezone.now) -> int:
    """Send what is due until nothing is, or the time is over. Returns how many were tried."""
    ends_at = time.monotonic() + within.total_seconds()
    tried = 0
    while time.monotonic() < ends_at and (claimed := claim_next(clock())) is not None:
        send_claimed(claimed, clock)
        tried += 1
    return tried


@transaction.atomic
def claim_next(at: datetime) -> Claimed | None:
    """The next delivery, alerts before samples. None: nothing is due, or enough are on their way."""
    on_the_way = Delivery.objects.filter(state=State.WAITING, claim__isnull=False, next_at__gt=at)
    if on_the_way.count() >= settings.DELIVERIES_AT_ONCE:
        return None
    due = Delivery.objects.due(at).filter(~Exists(on_the_way.filter(channel=OuterRef("channel"))))
    rank = Case(When(kind=EventKind.REQUEST, then=Value(1)), default=Value(0))
    rows = due.select_related("channel__customer", "organization").order_by(rank, "next_at", "pk")
    delivery = rows.select_for_update(of=("self",), skip_locked=True).first()
    if delivery is None:
        return None
    delivery.attempts += 1
    delivery.claim, delivery.next_at = uuid4(), at + LEASE
    delivery.save(update_fields=["attempts", "claim", "next_at"])
    return Claimed(delivery, delivery.claim)


def send_claimed(claimed: Claimed, clock: Callable[[], datetime] = timezone.now) -> Outcome:
    """Send it, and write down what became of it."""
    delivery = claimed.delivery
    reach("alerts_before_send")
    try:
        outcome = SENDERS[delivery.channel.kind](delivery, at=clock())
    except VaultError as error:
        outcome = Outcome(False, None, str(error))
    reach("alerts_after_send")
    finish(claimed, outcome, at=clock())
    return outcome


@transaction.atomic
def finish(claimed: Claimed, outcome: Outcome, *, at: datetime) -> bool:
    """Whether it was ours still: another who claimed it since then writes down its own outcome."""
    delivery = claimed.delivery
    told = {"status": outcome.status, "answer": outcome.answer[:MOST_ANSWER], "claim": None}
    channel = Channel.objects.filter(pk=delivery.channel_id)
    mine = Delivery.objects.filter(pk=delivery.pk, claim=claimed.claim, state=State.WAITING)
    if outcome.is_sent:
        channel.update(failures=0, held_until=None)
        return mine.update(state=State.SENT, sent_at=at, **told) == 1
    wait = wait_after(delivery.attempts)
    channel.update(failures=F("failures") + 1, held_until=at + min(wait, LONGEST_HOLD))
    is_over = outcome.is_final or delivery.attempts >= MOST_ATTEMPTS or delivery.kind == EventKind.TEST
    if is_over:
        return mine.update(state=State.FAILED, **told) == 1
    return mine.update(next_at=at + wait * random.uniform(1.0, 1.2), **told) == 1  # noqa: S311 so that not all come at once


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many tries: twice as long each time."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempts - 1))
