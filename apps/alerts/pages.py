"""The pages of alerts, for the console and the portal: the same, of another owner. Views there say who may enter."""

from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.alerts.faces import actions_for, event_rows, finding_rows, rule_rows
from apps.alerts.forms import KINDS, USAGE, ChannelForm, RuleForm, SubscriptionForm, kind_of
from apps.alerts.models import Finding
from apps.alerts.owners import Owner
from apps.alerts.services import channels as channel_services
from apps.alerts.services import findings as finding_services
from apps.alerts.services import rules as rule_services
from apps.alerts.terms import Action
from apps.kit.errors import Refused

A_PAGE = 50
MOST_FIRING = 100
MUTES = {"1": _("1 hour"), "8": _("8 hours"), "24": _("1 day"), "168": _("7 days")}


class Visit(NamedTuple):
    """Who looks at whose alerts."""

    request: Any  # its user and zone
    owner: Owner
    may_change: bool

    @property
    def face(self) -> str:
        return "portal" if self.owner.is_customer else "console"

    def show(self, template: str, tab: str, **context: Any) -> HttpResponse:
        """A page of alerts."""
        base = f"{self.face}/base.html"
        common = {"section": "alerts", "tab": tab, "base": base, "face": self.face, "may_change": self.may_change}
        return render(self.request, f"alerts/{template}.html", {**common, "owner": self.owner, **context})

    def go(self, name: str, *ids: UUID) -> HttpResponse:
        return redirect(f"{self.face}:{name}", *ids)


def overview(visit: Visit) -> HttpResponse:
    """What fires now, and all rules."""
    now = timezone.now()
    firing = visit.owner.events.filter(resolved_at=None).order_by("-fired_at").prefetch_related("deliveries")
    context = {
        "firing": event_rows(firing[:MOST_FIRING]),
        "firing_count": firing.count(),
        "rules": rule_rows(visit.owner, now),
        "open_findings": visit.owner.findings.filter(state=Finding.State.OPEN, ended_at=None).count(),
        "kinds": KINDS.items(),
        "mutes": MUTES.items(),
    }
    return visit.show("overview", "alerts", **context)


def history(visit: Visit) -> HttpResponse:
    """All that fired, newest first; of one rule, where the address says so."""
    events = visit.owner.events.order_by("-fired_at", "-pk").prefetch_related("deliveries")
    rules = visit.owner.rules.order_by("name")
    chosen = next((rule for rule in rules if str(rule.pk) == visit.request.GET.get("rule")), None)
    if chosen is not None:
        events = events.filter(rule=chosen)
    page = Paginator(events, A_PAGE).get_page(visit.request.GET.get("page"))
    return visit.show("history", "history", page=page, rows=event_rows(page), rules=rules, chosen=chosen)


def rule_add(visit: Visit) -> HttpResponse:
    """A new rule, of the kind in the address."""
    kind = visit.request.GET.get("kind", USAGE)
    return _rule(visit, RuleForm(visit.request.POST or None, owner=visit.owner, kind=kind if kind in KINDS else USAGE))


def rule_edit(visit: Visit, rule_id: UUID) -> HttpResponse:
    """Another condition, other channels. What fired under another condition is over."""
    rule = get_object_or_404(visit.owner.rules, pk=rule_id)
    return _rule(visit, RuleForm(visit.request.POST or None, rule=rule, owner=visit.owner, kind=kind_of(rule.metric)))


def _rule(visit: Visit, form: RuleForm) -> HttpResponse:
    if visit.request.method == "POST" and form.save_by(visit.request.user, timezone.now()):
        messages.success(visit.request, _("Saved. It is looked at within a minute."))
        return visit.go("alerts")
    return visit.show("rule", "alerts", form=form, kinds=KINDS.items())


def rule_delete(visit: Visit, rule_id: UUID) -> HttpResponse:
    rule = get_object_or_404(visit.owner.rules, pk=rule_id)
    rule_services.delete_rule(rule, by=visit.request.user)
    messages.warning(visit.request, _("The rule “%(name)s” is gone, and its history.") % {"name": rule.name})
    return visit.go("alerts")


def rule_pause(visit: Visit, rule_id: UUID) -> HttpResponse:
    """Pause it, or, where it is paused, resume."""
    rule = get_object_or_404(visit.owner.rules, pk=rule_id)
    if visit.request.POST.get("resume"):
        rule_services.resume_rule(rule, by=visit.request.user)
    else:
        rule_services.pause_rule(rule, by=visit.request.user, at=timezone.now())
    return visit.go("alerts")


def rule_mute(visit: Visit, rule_id: UUID) -> HttpResponse:
    """Tell nobody for some hours; 0: tell again."""
    rule = get_object_or_404(visit.owner.rules, pk=rule_id)
    hours = visit.request.POST.get("hours", "")
    until = timezone.now() + timedelta(hours=int(hours)) if hours in MUTES else None
    rule_services.mute_rule(rule, until=until, by=visit.request.user)
    return visit.go("alerts")


def channels(visit: Visit) -> HttpResponse:
    """Where alerts are told; a form for another. A webhook's secret is in the answer to the form, nowhere else."""
    form = ChannelForm(visit.request.POST or None, owner=visit.owner)
    new, secret = None, ""
    if visit.request.method == "POST" and form.is_valid():
        try:
            new, secret = channel_services.add_channel(visit.owner, by=visit.request.user, **form.cleaned_data)
        except ValidationError as error:
            told = error.message_dict if hasattr(error, "error_dict") else {"address": error.messages}
            for name, words in told.items():
                form.add_error(name if name in form.fields else None, words)  # type: ignore[arg-type]
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(visit.request, _("Added. Send a test to see that it arrives."))
            form = ChannelForm(owner=visit.owner)
    rows = visit.owner.channels.order_by("name", "pk").prefetch_related("rules")
    return visit.show("channels", "channels", form=form, channels=rows, new=new, secret=secret)


def channel_detail(visit: Visit, channel_id: UUID, secret: str = "") -> HttpResponse:
    """What was told there, newest first, and what came of it."""
    channel = get_object_or_404(visit.owner.channels, pk=channel_id)
    deliveries = channel.deliveries.order_by("-created_at", "-pk")
    page = Paginator(deliveries, A_PAGE).get_page(visit.request.GET.get("page"))
    return visit.show("channel", "channels", channel=channel, page=page, secret=secret, now=timezone.now())


def channel_test(visit: Visit, channel_id: UUID) -> HttpResponse:
    channel = get_object_or_404(visit.owner.channels, pk=channel_id)
    try:
        channel_services.send_test(channel, at=timezone.now())
    except Refused as refusal:
        messages.error(visit.request, str(refusal))
    else:
        messages.success(visit.request, _("A test is on its way: look here in some seconds."))
    return visit.go("alert-channel-detail", channel.pk)


def channel_pause(visit: Visit, channel_id: UUID) -> HttpResponse:
    """Pause it, or, where it is paused, resume."""
    channel = get_object_or_404(visit.owner.channels, pk=channel_id)
    channel_services.pause_channel(channel, not visit.request.POST.get("resume"), by=visit.request.user)
    return visit.go("alert-channel-detail", channel.pk)


def channel_secret(visit: Visit, channel_id: UUID) -> HttpResponse:
    """Another secret to sign with, shown in this answer alone."""
    channel = get_object_or_404(visit.owner.channels, pk=channel_id, kind="webhook")
    return channel_detail(visit, channel_id, channel_services.renew_secret(channel, by=visit.request.user))


def channel_delete(visit: Visit, channel_id: UUID) -> HttpResponse:
    channel = get_object_or_404(visit.owner.channels, pk=channel_id)
    channel_services.delete_channel(channel, by=visit.request.user)
    messages.warning(visit.request, _("Nothing is told to “%(name)s” any more.") % {"name": channel.name})
    return visit.go("alert-channels")


def delivery_again(visit: Visit, delivery_id: UUID) -> HttpResponse:
    """Try a message that was given up once more."""
    delivery = get_object_or_404(visit.owner.deliveries, pk=delivery_id)
    channel_services.send_again(delivery, at=timezone.now())
    messages.success(visit.request, _("It is tried again now."))
    return visit.go("alert-channel-detail", delivery.channel_id)


def findings(visit: Visit) -> HttpResponse:
    """What looks like abuse: what nobody has decided about, or all of it."""
    shows_all = visit.request.GET.get("show") == "all"
    rows = visit.owner.findings.order_by("-severity", "-last_seen_at", "-pk")
    rows = rows.order_by("-last_seen_at", "-pk") if shows_all else rows.filter(state=Finding.State.OPEN)
    page = Paginator(rows.select_related("decided_by"), A_PAGE).get_page(visit.request.GET.get("page"))
    return visit.show("findings", "findings", page=page, rows=finding_rows(visit.owner, page), shows_all=shows_all)


def finding_decide(visit: Visit, finding_id: UUID) -> HttpResponse:
    """Acknowledge or dismiss it."""
    finding = get_object_or_404(visit.owner.findings, pk=finding_id)
    is_dismissed = visit.request.POST.get("state") == Finding.State.DISMISSED
    state = Finding.State.DISMISSED if is_dismissed else Finding.State.ACKNOWLEDGED
    finding_services.decide_finding(finding, state, by=visit.request.user, at=timezone.now())
    return visit.go("findings")


def finding_act(visit: Visit, finding_id: UUID) -> HttpResponse:
    """Limit, block, revoke or suspend whom it is about."""
    finding = get_object_or_404(visit.owner.findings, pk=finding_id)
    action = visit.request.POST.get("action", "")
    if action not in dict(actions_for(visit.owner, finding.subject)):
        messages.error(visit.request, _("Choose what to do."))
        return visit.go("findings")
    try:
        by, is_operator = visit.request.user, not visit.owner.is_customer
        done = finding_services.act_on_finding(
            finding, Action(action), by=by, at=timezone.now(), is_operator=is_operator
        )
    except (Refused, ValidationError) as error:
        messages.error(visit.request, " ".join(getattr(error, "messages", [str(error)])))
    else:
        messages.success(visit.request, done)
    return visit.go("findings")


def subscriptions(visit: Visit) -> HttpResponse:
    """What channels are told of as it happens, and a form for more."""
    form = SubscriptionForm(visit.request.POST or None, owner=visit.owner)
    if visit.request.method == "POST" and form.is_valid():
        try:
            channel_services.add_subscription(visit.owner, by=visit.request.user, **form.cleaned_data)
        except (Refused, ValidationError) as error:
            form.add_error(None, getattr(error, "messages", [str(error)]))  # type: ignore[arg-type]
        else:
            messages.success(visit.request, _("Added. It is told from now on."))
            return visit.go("event-subscriptions")
    rows = visit.owner.subscriptions.order_by("name", "pk")
    return visit.show("subscriptions", "events", form=form, subscriptions=rows)


def subscription_delete(visit: Visit, subscription_id: UUID) -> HttpResponse:
    row = get_object_or_404(visit.owner.subscriptions, pk=subscription_id)
    channel_services.delete_subscription(row, by=visit.request.user)
    messages.warning(visit.request, _("Removed."))
    return visit.go("event-subscriptions")
