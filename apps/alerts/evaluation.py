"""Rules into alerts: each is evaluated by one, once a minute, and what it finds is told exactly once.

1. Claim a rule that is due, past those that others are at (SKIP LOCKED).
2. Read what it measures, and decide for each group (deciding.py).
3. Write events, what an action did, and the messages that go out (deliveries); mark the rule evaluated.

All of it in one transaction: who dies has done nothing, and the next evaluates anew. A constraint lets a
group have one open event, whoever evaluates.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from apps.alerts.actions import act_on
from apps.alerts.deciding import Reading, Terms, Verdict, bar_of, decide, is_breached
from apps.alerts.measuring import window_of
from apps.alerts.messages import message_of
from apps.alerts.models import AlertEvent, AlertRule
from apps.alerts.outbox import put_out
from apps.alerts.readings import NotKnown, readings_of, terms_of
from apps.alerts.terms import COUNTED, EventKind
from apps.kit.failpoints import reach

logger = logging.getLogger(__name__)

EVERY = timedelta(seconds=40)  # beat comes every 20 s: so each rule is evaluated within a minute
PATIENCE = "SET LOCAL statement_timeout = '20s'"  # of the queries of one rule
NO_PATIENCE = "SET LOCAL statement_timeout = DEFAULT"
MOST_OPEN = 10_000
SIX_PLACES = Decimal("1e-6")


def evaluate_due(*, within: timedelta, clock: Callable[[], datetime] = timezone.now) -> int:
    """Evaluate every rule that is due, until the time is over. Returns how many were."""
    ends_at = time.monotonic() + within.total_seconds()
    evaluated = 0
    while time.monotonic() < ends_at and evaluate_next(clock()) is not None:
        evaluated += 1
    return evaluated


@transaction.atomic
def evaluate_next(at: datetime) -> AlertRule | None:
    """Evaluate the rule that waited longest. None: none is due, or others are at them.

    One that cannot be evaluated says why, and is tried again in a minute: it does not hold up the others.
    """
    due = AlertRule.objects.due(at, at - EVERY).select_for_update(of=("self",), skip_locked=True, no_key=True)
    rule = due.select_related("organization", "customer").order_by("evaluated_at", "pk").first()
    if rule is None:
        return None
    problem = ""
    try:
        with transaction.atomic():
            evaluate(rule, at)
    except NotKnown as error:
        problem = str(error)
    except DatabaseError:
        logger.exception("alert rule %s not evaluated", rule.pk)
        problem = "It took too long, or the database could not answer. It is tried again in a minute."
    rule.evaluated_at, rule.problem = at, problem
    rule.save(update_fields=["evaluated_at", "problem"])
    reach("alerts_before_commit")
    return rule


def evaluate(rule: AlertRule, at: datetime) -> None:
    """Read, decide and write, for every group of a rule that is locked. Raises NotKnown."""
    with connection.cursor() as cursor:
        cursor.execute(PATIENCE)
    readings = readings_of(rule, at)
    with connection.cursor() as cursor:
        cursor.execute(NO_PATIENCE)
    terms = terms_of(rule)
    firing = {event.group: event for event in rule.events.filter(resolved_at=None)[:MOST_OPEN]}
    for group in [*readings, *(group for group in firing if group not in readings)]:
        _judge(rule, terms, group, readings, firing.get(group), at)


def _judge(
    rule: AlertRule,
    terms: Terms,
    group: str,
    readings: Mapping[str, Reading],
    event: AlertEvent | None,
    at: datetime,
) -> None:
    reading = readings.get(group)
    own = reading.terms if reading is not None and reading.terms is not None else terms
    breached = is_breached(own, reading)
    verdict = decide(breached, event is not None, event.quiet_since if event else None, at)
    if verdict is Verdict.FIRE:
        assert reading is not None
        _fire(rule, own, group, reading, at)
    elif event is not None:
        _go_on(rule, event, verdict, reading, at)


def _fire(rule: AlertRule, terms: Terms, group: str, reading: Reading, at: datetime) -> None:
    bar = bar_of(terms, reading.baseline)
    assert reading.value is not None and bar is not None
    is_muted = rule.is_muted(at)
    event = AlertEvent(
        rule=rule,
        organization_id=rule.organization_id,
        group=group,
        group_label=reading.label,
        subject=reading.subject or "",
        subject_id=reading.subject_id,
        customer_id=reading.customer_id,
        value=reading.value.quantize(SIX_PLACES),
        threshold=bar.quantize(SIX_PLACES),
        baseline=None if reading.baseline is None else reading.baseline.quantize(SIX_PLACES),
        requests=reading.requests,
        since=window_of(rule, at).since if rule.metric in COUNTED else at,
        fired_at=at,
        is_told=not is_muted or not reading.tells,
        action=rule.action if reading.tells else "",
    )
    event.save(force_insert=True)
    if event.action:
        event.action_result = act_on(rule, event)
        event.save(update_fields=["action_result"])
    if reading.tells and not is_muted:
        tell(rule, event, EventKind.FIRING, at)


def _go_on(rule: AlertRule, event: AlertEvent, verdict: Verdict, reading: Reading | None, at: datetime) -> None:
    if verdict is Verdict.KEEP:
        if not event.is_told and not rule.is_muted(at):  # it began while the rule was muted, and is there still
            event.is_told = True
            event.save(update_fields=["is_told"])
            tell(rule, event, EventKind.FIRING, at)
        if event.quiet_since is not None:
            event.quiet_since = None
            event.save(update_fields=["quiet_since"])
    elif verdict is Verdict.QUIET:
        event.quiet_since = at
        event.save(update_fields=["quiet_since"])
    elif verdict is Verdict.RESOLVE:
        event.resolved_at = at
        event.save(update_fields=["resolved_at"])
        if rule.tells_resolved and rule.metric in COUNTED and event.is_told and not rule.is_muted(at):
            tell(rule, event, EventKind.RESOLVED, at)


def tell(rule: AlertRule, event: AlertEvent, kind: EventKind, at: datetime) -> None:
    """Put a message for each of the rule's channels into the outbox."""
    message = message_of(rule, event, kind)
    put_out(rule.channels.all(), kind, f"{kind}:{event.pk}", message, at=at, event=event)
