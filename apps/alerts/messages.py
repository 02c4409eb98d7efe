"""What an alert says, in its organization's zone and in numbers that people write."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.alerts.models import AlertEvent, AlertRule
from apps.alerts.outbox import Message
from apps.alerts.terms import (
    COUNTED,
    MONEY,
    PERCENTILES,
    WINDOWS,
    Action,
    Comparison,
    Direction,
    EventKind,
    FindingKind,
    Grouping,
    Metric,
)
from apps.kit.templatetags.display import milliseconds, money
from apps.limits.terms import LimitName
from apps.usage.faces import LIMIT_LABELS

WHOLE = Decimal(1)


def amount(metric: str, value: Decimal | None) -> str:
    """A value of the metric, with its unit."""
    if value is None:
        return "–"
    if metric in MONEY:
        return money(value)
    if metric in PERCENTILES:
        return milliseconds(float(value))
    if metric in (Metric.ERROR_RATE, Metric.LIMIT):
        return f"{value.quantize(Decimal('0.1')).normalize():f} %"
    return f"{value.quantize(WHOLE):,}"


def window_label(minutes: int) -> str:
    return str(WINDOWS.get(minutes) or _("%(minutes)d minutes") % {"minutes": minutes})


def condition_of(rule: AlertRule) -> str:
    """The rule in a sentence, such as “Spend of each customer at or above $50.00 within 1 hour”."""
    if rule.metric == Metric.FINDINGS:
        kinds = [str(FindingKind(kind).label) for kind in rule.finding_kinds] or [_("anything that looks like abuse")]
        return ", ".join(kinds)
    if rule.metric == Metric.LIMIT:
        limit = LIMIT_LABELS[LimitName(rule.limit_name)] if rule.limit_name else _("A spend cap")
        percents = ", ".join(f"{threshold} %" for threshold in rule.percent_thresholds)
        return _("%(limit)s is used to %(percents)s") % {"limit": limit, "percents": percents}
    whose = "" if rule.group_by == Grouping.NONE else _(" of %(group)s") % {"group": rule.get_group_by_display()}
    parts = [f"{rule.get_metric_display()}{whose}", _threshold_of(rule)]
    parts.append(_("within %(window)s") % {"window": window_label(rule.window_minutes)})
    return " ".join(parts)


def _threshold_of(rule: AlertRule) -> str:
    threshold = rule.threshold or Decimal(0)
    if rule.comparison == Comparison.ABSOLUTE:
        side = _("at or above") if rule.direction == Direction.ABOVE else _("below")
        return f"{side} {amount(rule.metric, threshold)}"
    more = _("more") if rule.direction == Direction.ABOVE else _("less")
    than = _("than before") if rule.comparison == Comparison.BEFORE else _("than usual")
    return _("%(percent)s %% %(more)s %(than)s") % {
        "percent": f"{threshold.normalize():f}",
        "more": more,
        "than": than,
    }


def narrowed_by(rule: AlertRule) -> list[str]:
    """What the rule looks at only, for its page."""
    found = [] if rule.is_customers or rule.customer is None else [str(rule.customer)]
    found += [each for each in (rule.model, rule.end_user) if each]
    if rule.proxy_key is not None:
        found.append(rule.proxy_key.name)
    if rule.property_name and rule.group_by != Grouping.PROPERTY:
        found.append(f"{rule.property_name}={rule.property_value or '*'}")
    return found


def message_of(rule: AlertRule, event: AlertEvent, kind: EventKind) -> Message:
    """What a rule's channels are told of an event."""
    zone = ZoneInfo(rule.organization.time_zone)
    title = f"{rule.name}: {event.group_label}" if event.group_label else rule.name
    if kind is EventKind.RESOLVED:
        title = _("Over: %(title)s") % {"title": title}
    face = "portal:alerts" if rule.is_customers else "console:alerts"
    return Message(title, _lines(rule, event, kind, zone), _data(rule, event), f"{settings.PUBLIC_URL}{reverse(face)}")


def _lines(rule: AlertRule, event: AlertEvent, kind: EventKind, zone: ZoneInfo) -> list[str]:
    lines = [condition_of(rule)]
    if rule.metric != Metric.FINDINGS:
        figures = {"value": amount(rule.metric, event.value), "threshold": amount(rule.metric, event.threshold)}
        lines.append(_("Measured: %(value)s, threshold %(threshold)s") % figures)
    if event.baseline is not None:
        lines.append(_("Baseline: %(baseline)s") % {"baseline": amount(rule.metric, event.baseline)})
    if rule.metric in COUNTED:
        lines.append(_("Requests: %(count)s") % {"count": f"{event.requests:,}"})
    lines.append(_("Since %(at)s") % {"at": written(event.fired_at, zone)})
    if kind is EventKind.RESOLVED and event.resolved_at is not None:
        lines.append(_("Over at %(at)s") % {"at": written(event.resolved_at, zone)})
    if event.action_result:
        lines.append(event.action_result)
    return lines


def written(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%-d %b %Y %H:%M} ({zone.key})"


def _data(rule: AlertRule, event: AlertEvent) -> dict[str, object]:
    return {
        "event_id": str(event.pk),
        "rule": {"id": str(rule.pk), "name": rule.name, "metric": rule.metric, "window_minutes": rule.window_minutes},
        "group_by": rule.group_by,
        "group": event.group,
        "label": event.group_label,
        "customer_id": str(event.customer_id) if event.customer_id else None,
        "value": f"{event.value.normalize():f}",
        "threshold": f"{event.threshold.normalize():f}",
        "baseline": None if event.baseline is None else f"{event.baseline.normalize():f}",
        "requests": event.requests,
        "window_since": event.since.isoformat(),
        "fired_at": event.fired_at.isoformat(),
        "resolved_at": event.resolved_at.isoformat() if event.resolved_at else None,
        "action": event.action or None if event.action != Action.NONE else None,
        "action_result": event.action_result or None,
    }
