"""What the pages of alerts show, made ready for their templates."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.alerts.actions import POSSIBLE
from apps.alerts.anomalies.explaining import explanation
from apps.alerts.messages import amount, condition_of, narrowed_by
from apps.alerts.models import AlertEvent, AlertRule, Finding
from apps.alerts.owners import Owner
from apps.alerts.terms import Action


@dataclass(frozen=True)
class RuleRow:
    """A rule in a list."""

    rule: AlertRule
    condition: str
    narrowed_by: list[str]
    firing: int
    is_muted: bool


def rule_rows(owner: Owner, at: datetime) -> list[RuleRow]:
    """All of the owner's rules, by name."""
    firing: dict[Any, int] = {}
    for rule_id in owner.events.filter(resolved_at=None).values_list("rule_id", flat=True)[:10_000]:
        firing[rule_id] = firing.get(rule_id, 0) + 1
    rules = owner.rules.prefetch_related("channels").order_by("name", "pk")
    return [
        RuleRow(rule, condition_of(rule), narrowed_by(rule), firing.get(rule.pk, 0), rule.is_muted(at))
        for rule in rules
    ]


@dataclass(frozen=True)
class EventRow:
    """An alert in a list."""

    event: AlertEvent
    condition: str
    value: str
    threshold: str
    baseline: str
    told: int
    waiting: int
    failed: int


def event_rows(events: Iterable[AlertEvent]) -> list[EventRow]:
    """Alerts with their figures; `events` have their deliveries prefetched."""
    return [_event_row(event) for event in events]


def _event_row(event: AlertEvent) -> EventRow:
    metric = event.rule.metric
    states = [delivery.state for delivery in event.deliveries.all()]
    return EventRow(
        event,
        condition_of(event.rule),
        amount(metric, event.value),
        amount(metric, event.threshold),
        "" if event.baseline is None else amount(metric, event.baseline),
        states.count("sent"),
        states.count("waiting"),
        states.count("failed"),
    )


@dataclass(frozen=True)
class FindingRow:
    """A finding with what it says, and what can be done."""

    finding: Finding
    sentences: list[str]
    actions: list[tuple[str, Any]]


def finding_rows(owner: Owner, findings: Iterable[Finding]) -> list[FindingRow]:
    """Findings with their reasons."""
    return [FindingRow(finding, explanation(finding), actions_for(owner, finding.subject)) for finding in findings]


def actions_for(owner: Owner, subject: str) -> list[tuple[str, Any]]:
    """What can be done by one click: a customer acts on its keys and end users, not on itself."""
    possible = [*POSSIBLE[subject], *([Action.SUSPEND] if Action.SUSPEND not in POSSIBLE[subject] else [])]
    return [(each.value, each.label) for each in possible if not (owner.is_customer and each is Action.SUSPEND)]
