"""What a rule finds at a moment: a reading for each of its groups, with names for people."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.alerts.baselines import baselines
from apps.alerts.deciding import Reading, Terms
from apps.alerts.measuring import Group, measure, window_of
from apps.alerts.models import AlertRule, Finding
from apps.alerts.terms import Comparison, Direction, Grouping, Metric, Subject
from apps.customers.limit_fields import LIMITS
from apps.customers.models import Customer
from apps.keys.models import ProxyKey
from apps.limits.state import LimitState
from apps.limits.terms import CAPS, Scope
from apps.usage.faces import label_of
from apps.usage.standing import Standing, standings_of_customers

MOST_CUSTOMERS = 5_000
LIMITED = Q(*((f"{limit}__isnull", False) for limit in LIMITS), _connector=Q.OR)


class NotKnown(Exception):
    """What the rule looks at cannot be had at the moment."""


def terms_of(rule: AlertRule) -> Terms:
    return Terms(
        rule.threshold if rule.threshold is not None else Decimal(0),
        Direction(rule.direction),
        Comparison(rule.comparison),
        rule.min_requests if rule.metric not in (Metric.LIMIT, Metric.FINDINGS) else 0,
    )


def readings_of(rule: AlertRule, at: datetime) -> Mapping[str, Reading]:
    """By the group's key. Groups without requests are not in it. Raises NotKnown."""
    if rule.metric == Metric.LIMIT:
        return dict(_of_limits(rule, at))
    if rule.metric == Metric.FINDINGS:
        return dict(_of_findings(rule))
    return _of_usage(rule, at)


def _of_usage(rule: AlertRule, at: datetime) -> Mapping[str, Reading]:
    window = window_of(rule, at)
    measured = measure(rule, window, at=at)
    wanted = [group for group, found in measured.items() if found.requests >= rule.min_requests]
    compared = baselines(rule, window, wanted, at=at)
    names = _names(rule, measured)
    readings = {}
    for group, found in measured.items():
        subject, subject_id, customer_id = _subject_of(rule, group)
        readings[key_of(group)] = Reading(
            found.value, found.requests, compared.get(group), names(group), subject, subject_id, customer_id
        )
    return readings


def key_of(group: Group) -> str:
    """The group for programs, and for the rows that there is one of each."""
    return "/".join(str(part) for part in group)


def _names(rule: AlertRule, groups: Iterable[Group]) -> Any:
    """What the groups are called. A customer's own rule needn't say whose they are."""
    ids = {group[0] for group in groups if group and isinstance(group[0], UUID)}
    customers = {} if rule.is_customers else _customer_names(rule, ids)
    key_ids = [group[1] for group in groups if rule.group_by == Grouping.KEY]
    keys = dict(ProxyKey.objects.filter(organization_id=rule.organization_id, pk__in=key_ids).values_list("pk", "name"))

    def name(group: Group) -> str:
        if not group:
            return ""
        parts = [customers.get(group[0])] if isinstance(group[0], UUID) else [str(group[0])]
        if len(group) > 1:
            parts.append(keys.get(group[1], str(group[1])))
        return " · ".join(part for part in parts if part)

    return name


def _customer_names(rule: AlertRule, ids: set[UUID]) -> dict[UUID, str]:
    return dict(Customer.objects.filter(organization_id=rule.organization_id, pk__in=ids).values_list("pk", "name"))


def _subject_of(rule: AlertRule, group: Group) -> tuple[Subject | None, str, str | None]:
    """Whom an action would be for, and whose that is."""
    customer = str(group[0]) if group and isinstance(group[0], UUID) else _text(rule.customer_id)
    if rule.group_by == Grouping.USER:
        return Subject.USER, str(group[1]), customer
    if rule.group_by == Grouping.KEY:
        return Subject.KEY, str(group[1]), customer
    if rule.proxy_key_id is not None:
        return Subject.KEY, str(rule.proxy_key_id), customer
    if customer is None:
        return None, "", None
    return (Subject.USER, rule.end_user, customer) if rule.end_user else (Subject.CUSTOMER, customer, customer)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _of_limits(rule: AlertRule, at: datetime) -> Iterable[tuple[str, Reading]]:
    """The shares of the limits of customers and their keys that are used, for each threshold.

    The group has the period and the limit's amount in it: in a new period, and after a limit was
    changed, the thresholds are passed anew. Of several that are passed at once, the highest is told.
    """
    standings = standings_of_customers(_limited_customers(rule, at), at=at)
    if standings is None:
        raise NotKnown("Redis is away: what is used of limits is not known.")
    for standing in standings:
        if rule.proxy_key_id is not None and standing.key_id != rule.proxy_key_id:
            continue
        for state in standing.states:
            if _is_meant(rule, state):
                yield from _thresholds(rule, standing, state)


def _limited_customers(rule: AlertRule, at: datetime) -> list[Customer]:
    """Those who have limits, or live keys that do: the others needn't be asked about."""
    if rule.customer is not None:
        return [rule.customer]
    keys = ProxyKey.objects.filter(LIMITED, organization_id=rule.organization_id).live(at)
    limited = LIMITED | Q(pk__in=keys.values("customer_id")) | Q(wallet__prepaid_since__isnull=False)
    return list(rule.organization.customers.filter(limited).select_related("organization")[:MOST_CUSTOMERS])


def _is_meant(rule: AlertRule, state: LimitState) -> bool:
    return state.name == rule.limit_name if rule.limit_name else state.name in CAPS


def _thresholds(rule: AlertRule, standing: Standing, state: LimitState) -> Iterable[tuple[str, Reading]]:
    used = 100 * state.used / state.limit if state.limit else Decimal(100)
    if state.is_in_the_way and state.name.is_cap:  # it refuses what could cost more than is left
        used = max(used, Decimal(100))
    is_key = standing.scope is Scope.KEY
    whose = str(standing.key_id) if is_key else str(standing.customer.pk)
    period = state.resets_at.isoformat() if state.resets_at else ""
    passed = [threshold for threshold in rule.percent_thresholds if used >= threshold]
    owner = "" if rule.is_customers else standing.customer.name
    label = " · ".join(filter(None, [owner, standing.name if is_key else "", str(label_of(state))]))
    for threshold in rule.percent_thresholds:
        yield (
            f"{whose}/{state.name}/{state.limit.normalize():f}/{period}/{threshold}",
            Reading(
                used,
                label=label,
                subject=Subject.KEY if is_key else Subject.CUSTOMER,
                subject_id=whose,
                customer_id=str(standing.customer.pk),
                terms=Terms(Decimal(threshold)),
                tells=bool(passed) and threshold == passed[-1],
            ),
        )


def _of_findings(rule: AlertRule) -> Iterable[tuple[str, Reading]]:
    """Each finding that nobody has decided about is a group of its own."""
    findings = Finding.objects.filter(organization_id=rule.organization_id, ended_at=None, state=Finding.State.OPEN)
    if rule.customer_id is not None:
        findings = findings.filter(customer_id=rule.customer_id)
    if rule.finding_kinds:
        findings = findings.filter(kind__in=rule.finding_kinds)
    for finding in findings.select_related("customer").order_by("-last_seen_at")[:1000]:
        whose = "" if rule.is_customers else f"{finding.customer.name} · "
        yield (
            str(finding.pk),
            Reading(
                Decimal(str(finding.figures.get("observed", 1))),
                label=f"{whose}{finding}",
                subject=Subject(finding.subject),
                subject_id=finding.subject_id,
                customer_id=str(finding.customer_id),
                terms=Terms(Decimal(0)),
            ),
        )
