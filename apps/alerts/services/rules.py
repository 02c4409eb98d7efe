"""What changes alert rules. Each change is in the audit log. `by` is who does it: a user, or None for a command."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.alerts.actions import POSSIBLE
from apps.alerts.errors import TooMany
from apps.alerts.models import AlertEvent, AlertRule, Channel
from apps.alerts.owners import Owner
from apps.alerts.terms import OPERATORS_OWN, PERCENTILES, Action, Comparison, Grouping, Metric, Subject

LOOKS_AT = (  # another value of these makes it another rule: what fired under the old one is over
    "metric",
    "customer",
    "window_minutes",
    "model",
    "end_user",
    "proxy_key",
    "property_name",
    "property_value",
    "group_by",
    "min_requests",
    "direction",
    "comparison",
    "threshold",
    "thresholds",
    "limit_name",
    "finding_kinds",
)
FIELDS = ("name", *LOOKS_AT, "action", "action_limit", "tells_resolved")


@transaction.atomic
def add_rule(owner: Owner, *, by: User | None, channels: Iterable[Channel] = (), **fields: Any) -> AlertRule:
    """A new rule with `fields` from FIELDS; of a customer, about itself alone. Raises ValidationError, TooMany."""
    _check_fields(fields)
    _lock(owner)
    if owner.rules.count() >= owner.most_rules:
        raise TooMany(_("There are %(most)d rules already. Delete one first.") % {"most": owner.most_rules})
    rule = AlertRule(**owner.fields, created_by=by)
    _set(rule, fields)
    rule.save(force_insert=True)
    rule.channels.set(_own(owner, channels))
    _record(rule, "alert_rule.add", by, audit.difference({}, _told(rule)))
    return rule


@transaction.atomic
def update_rule(
    rule: AlertRule, *, by: User | None, at: datetime, channels: Iterable[Channel] | None = None, **changes: Any
) -> AlertRule:
    """Change some of FIELDS. Where it looks at something else then, what fired is over. Raises ValidationError."""
    _check_fields(changes)
    rule = _locked(rule)
    before, looked_at = _told(rule), _told(rule, LOOKS_AT)
    _set(rule, changes)
    rule.save(update_fields=[*changes, "customer"])
    if channels is not None:
        rule.channels.set(_own(Owner(rule.organization, rule.customer if rule.is_customers else None), channels))
    if _told(rule, LOOKS_AT) != looked_at:
        _end_events(rule, at)
    _record(rule, "alert_rule.update", by, audit.difference(before, _told(rule)))
    return rule


@transaction.atomic
def delete_rule(rule: AlertRule, *, by: User | None) -> None:
    """The rule, its history and what waits to be sent of it."""
    rule = _locked(rule)
    _record(rule, "alert_rule.delete", by, {"name": (rule.name, None)})
    rule.delete()


@transaction.atomic
def pause_rule(rule: AlertRule, *, by: User | None, at: datetime) -> None:
    """Look at nothing until resumed; what fires is over, untold. A rule that is paused stays as it is."""
    rule = _locked(rule)
    if rule.paused_at is None:
        rule.paused_at = at
        rule.save(update_fields=["paused_at"])
        _end_events(rule, at)
        _record(rule, "alert_rule.pause", by, {"paused_at": (None, at)})


@transaction.atomic
def resume_rule(rule: AlertRule, *, by: User | None) -> None:
    """Look again, at what is from now on."""
    rule = _locked(rule)
    if rule.paused_at is not None:
        before, rule.paused_at = rule.paused_at, None
        rule.save(update_fields=["paused_at"])
        _record(rule, "alert_rule.resume", by, {"paused_at": (before, None)})


@transaction.atomic
def mute_rule(rule: AlertRule, *, until: datetime | None, by: User | None) -> None:
    """Go on looking, and keep the history, but tell nobody. None: tell again. What still fires then is told then."""
    rule = _locked(rule)
    before, rule.muted_until = rule.muted_until, until
    rule.save(update_fields=["muted_until"])
    _record(rule, "alert_rule.mute", by, {"muted_until": (before, until)})


def check_rule(rule: AlertRule) -> None:
    """Raise ValidationError for a rule that could not mean anything, or that isn't its owner's to make."""
    errors: dict[str, str] = {}
    if rule.is_customers:
        _check_customers(rule, errors)
    if rule.metric in (Metric.LIMIT, Metric.FINDINGS):
        rule.threshold, rule.group_by, rule.comparison = None, "", Comparison.ABSOLUTE
    elif rule.threshold is None:
        errors["threshold"] = _("Say how much.")
    elif rule.threshold < 0 and rule.metric != Metric.MARGIN:
        errors["threshold"] = _("Nothing of that is ever below zero.")
    if rule.comparison != Comparison.ABSOLUTE and rule.metric == Metric.MARGIN:
        errors["comparison"] = _("A margin can be zero or negative: compare it with an amount.")
    if (rule.property_value or rule.group_by == Grouping.PROPERTY) and not rule.property_name:
        errors["property_name"] = _("Name the property.")
    if rule.property_name and (rule.model or rule.proxy_key_id or rule.group_by in (Grouping.MODEL, Grouping.KEY)):
        errors["property_name"] = _("A property can be narrowed by customer and end user, not by model or key.")
    if rule.metric in PERCENTILES and rule.property_name and rule.window_minutes >= 60:
        errors["property_name"] = _("Latencies are not summed by property: choose a window under an hour.")
    _check_action(rule, errors)
    if errors:
        raise ValidationError(errors)


def _check_customers(rule: AlertRule, errors: dict[str, str]) -> None:
    if rule.metric in OPERATORS_OWN:
        errors["metric"] = _("That is not among your figures.")
    if rule.group_by == Grouping.CUSTOMER:
        errors["group_by"] = _("There is one customer: you.")
    if rule.action == Action.SUSPEND:
        errors["action"] = _("You cannot suspend yourself. Block a key or an end user instead.")


def _check_action(rule: AlertRule, errors: dict[str, str]) -> None:
    """Whom the rule is about has to be somebody to whom that can be done."""
    if not rule.action or rule.metric == Metric.FINDINGS or "action" in errors:
        return
    subject = _subject_of(rule)
    if subject is None:
        errors["action"] = _(
            "Judge each customer, key or end user, or narrow it to one: else there is nobody to act on."
        )
    elif rule.action != Action.SUSPEND and rule.action not in POSSIBLE[subject]:
        errors["action"] = _("Not possible for: %(subject)s.") % {"subject": subject.label.lower()}
    elif rule.is_customers and subject is Subject.CUSTOMER:
        errors["action"] = _("Your own limits are your provider's to set. Judge each key or end user.")


def _subject_of(rule: AlertRule) -> Subject | None:
    by_group = {Grouping.USER: Subject.USER, Grouping.KEY: Subject.KEY, Grouping.CUSTOMER: Subject.CUSTOMER}
    if rule.group_by in by_group:
        return by_group[Grouping(rule.group_by)]
    if rule.group_by:
        return Subject.CUSTOMER if rule.customer_id else None
    if rule.proxy_key_id:
        return Subject.KEY
    if rule.customer_id is None:
        return Subject.CUSTOMER if rule.metric == Metric.LIMIT else None
    return Subject.USER if rule.end_user else Subject.CUSTOMER


def _set(rule: AlertRule, fields: dict[str, Any]) -> None:
    own = rule.customer
    for name, value in fields.items():
        setattr(rule, name, value)
    if rule.is_customers:
        rule.customer = own
    check_rule(rule)
    rule.full_clean()
    if rule.customer is not None and rule.customer.organization_id != rule.organization_id:
        raise ValidationError({"customer": _("There is no such customer.")})
    key = rule.proxy_key
    if key is not None and (
        key.organization_id != rule.organization_id or rule.customer_id not in (None, key.customer_id)
    ):
        raise ValidationError({"proxy_key": _("That key is another customer's.")})


def _own(owner: Owner, channels: Iterable[Channel]) -> list[Channel]:
    return list(owner.channels.filter(pk__in=[channel.pk for channel in channels]))


def _end_events(rule: AlertRule, at: datetime) -> None:
    AlertEvent.objects.filter(rule=rule, resolved_at=None).update(resolved_at=at)


def _lock(owner: Owner) -> None:
    """Of two who add at once, one finds the other's counted."""
    Organization.objects.select_for_update(no_key=True).get(pk=owner.organization.pk)


def _locked(rule: AlertRule) -> AlertRule:
    rows = AlertRule.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("organization", "customer", "proxy_key").get(pk=rule.pk)


def _told(rule: AlertRule, names: Iterable[str] = FIELDS) -> dict[str, Any]:
    fields = {name: getattr(rule, name) for name in names}
    told = {
        name: str(value) if name in ("customer", "proxy_key") and value else value for name, value in fields.items()
    }
    return {name: value for name, value in told.items() if value not in ("", [], None)}


def _record(rule: AlertRule, action: str, by: User | None, changes: audit.Changes) -> None:
    customer = rule.customer if rule.is_customers else None
    audit.record(rule.organization, action, rule, actor=by, changes=changes, customer=customer)


def _check_fields(fields: dict[str, Any]) -> None:
    if unknown := fields.keys() - set(FIELDS):
        raise TypeError(f"not a field of a rule: {', '.join(sorted(unknown))}")
