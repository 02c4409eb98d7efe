"""Alerts: rules, what fired, what looks like abuse."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.alerts.models import AlertRule
from apps.alerts.owners import Owner
from apps.alerts.services.rules import add_rule, delete_rule, mute_rule, pause_rule, resume_rule, update_rule
from apps.api.v1.alert_fields import EVENT, FINDING, RULE, AlertEventSerializer, FindingSerializer, RuleSerializer
from apps.api.v1.alert_inputs import NewRuleSerializer, RuleChangesSerializer, rule_fields
from apps.api.v1.base import ApiView
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Asked, Flag, Id, Instant
from apps.api.v1.paging import newest_first, page
from apps.api.v1.params import Paged
from apps.api.v1.schema import operation, page_of

TAG = "Alerts"


class MuteSerializer(Asked):
    """Until when a rule tells nobody."""

    until = Instant(allow_null=True, help_text="null: it tells again.")


class RuleParams(Paged):
    is_paused = Flag(required=False)


class EventParams(Paged):
    rule = Id(required=False, help_text="Of this rule only.")
    is_firing = Flag(required=False, help_text="Not over yet, or over.")


class FindingParams(Paged):
    state = serializers.ChoiceField(choices=["open", "acknowledged", "dismissed"], required=False)


class AlertView(ApiView):
    @property
    def owner(self) -> Owner:
        """The operator, or the customer: neither sees the other's rules."""
        return Owner(self.organization, self.token.customer)

    def rule_or_404(self, rule_id: UUID) -> AlertRule:
        return get_object_or_404(self.owner.rules, pk=rule_id)

    def told(self, rule_id: UUID) -> Response:
        """The rule as it is now."""
        return Response(RuleSerializer(self.rule_or_404(rule_id)).data)


class RuleList(AlertView):
    @operation(
        "alerts:read",
        "List alert rules",
        name="list_alerts",
        tag=TAG,
        params=RuleParams,
        answer=page_of(RuleSerializer),
        example={"data": [RULE], "next": None},
    )
    def get(self, request: Request) -> Response:
        """The newest first: the operator's own, or the customer's own."""
        params = RuleParams.of(request)
        rules = self.owner.rules
        if "is_paused" in params:
            rules = rules.filter(paused_at__isnull=not params["is_paused"])
        found, after = newest_first(rules, params)
        return page(RuleSerializer(found, many=True).data, after)

    @operation(
        "alerts:write",
        "Add an alert rule",
        name="add_alert",
        tag=TAG,
        body=NewRuleSerializer,
        answer=RuleSerializer,
        status=201,
        example=RULE,
        sent={"name": "Spend of a user", "metric": "price", "threshold": "25", "group_by": "user"},
        errors=(409, 415),
    )
    def post(self, request: Request) -> Response:
        """What makes no sense together is refused. A customer's rule is about itself."""
        owner = self.owner
        rule = add_rule(owner, by=None, **rule_fields(read_body(NewRuleSerializer, request), owner))
        return Response(RuleSerializer(self.rule_or_404(rule.pk)).data, status=201)


class RuleDetail(AlertView):
    @operation(
        "alerts:read",
        "Get an alert rule",
        name="get_alert",
        tag=TAG,
        answer=RuleSerializer,
        example=RULE,
        errors=(404,),
    )
    def get(self, request: Request, rule_id: UUID) -> Response:
        """One rule."""
        return self.told(rule_id)

    @operation(
        "alerts:write",
        "Change an alert rule",
        name="change_alert",
        tag=TAG,
        body=RuleChangesSerializer,
        answer=RuleSerializer,
        example=RULE,
        sent={"threshold": "50"},
        errors=(404, 415),
    )
    def patch(self, request: Request, rule_id: UUID) -> Response:
        """Where it looks at something else then, what fired is over."""
        rule = self.rule_or_404(rule_id)
        fields = rule_fields(read_body(RuleChangesSerializer, request), self.owner)
        update_rule(rule, by=None, at=timezone.now(), **fields)
        return self.told(rule_id)

    @operation("alerts:write", "Delete an alert rule", name="delete_alert", tag=TAG, status=204, errors=(404,))
    def delete(self, request: Request, rule_id: UUID) -> Response:
        """With what it fired."""
        delete_rule(self.rule_or_404(rule_id), by=None)
        return Response(status=204)


class RulePause(AlertView):
    @operation(
        "alerts:write",
        "Pause an alert rule",
        name="pause_alert",
        tag=TAG,
        answer=RuleSerializer,
        example=RULE | {"paused_at": "2026-03-10T12:00:00Z"},
        errors=(404,),
    )
    def post(self, request: Request, rule_id: UUID) -> Response:
        """It looks at nothing until resumed; what fires is over. One that is paused stays as it is."""
        pause_rule(self.rule_or_404(rule_id), by=None, at=timezone.now())
        return self.told(rule_id)


class RuleResume(AlertView):
    @operation(
        "alerts:write",
        "Resume an alert rule",
        name="resume_alert",
        tag=TAG,
        answer=RuleSerializer,
        example=RULE,
        errors=(404,),
    )
    def post(self, request: Request, rule_id: UUID) -> Response:
        """It looks again, at what is from now on."""
        resume_rule(self.rule_or_404(rule_id), by=None)
        return self.told(rule_id)


class RuleMute(AlertView):
    @operation(
        "alerts:write",
        "Mute an alert rule",
        name="mute_alert",
        tag=TAG,
        body=MuteSerializer,
        answer=RuleSerializer,
        example=RULE | {"muted_until": "2026-03-11T00:00:00Z"},
        sent={"until": "2026-03-11T00:00:00Z"},
        errors=(404, 415),
    )
    def post(self, request: Request, rule_id: UUID) -> Response:
        """It goes on looking, and keeps its history, but tells nobody until then."""
        rule = self.rule_or_404(rule_id)
        until: datetime | None = read_body(MuteSerializer, request)["until"]
        mute_rule(rule, until=until, by=None)
        return self.told(rule_id)


class EventList(AlertView):
    @operation(
        "alerts:read",
        "List what fired",
        name="list_alert_events",
        tag=TAG,
        params=EventParams,
        answer=page_of(AlertEventSerializer),
        example={"data": [EVENT], "next": None},
    )
    def get(self, request: Request) -> Response:
        """The newest first, what is over too."""
        params = EventParams.of(request)
        events = self.owner.events
        if rule := params.get("rule"):
            events = events.filter(rule=rule)
        if "is_firing" in params:
            events = events.filter(resolved_at__isnull=params["is_firing"])
        found, after = newest_first(events, params)
        return page(AlertEventSerializer(found, many=True).data, after)


class FindingList(AlertView):
    @operation(
        "alerts:read",
        "List findings",
        name="list_findings",
        tag=TAG,
        params=FindingParams,
        answer=page_of(FindingSerializer),
        example={"data": [FINDING], "next": None},
    )
    def get(self, request: Request) -> Response:
        """What looks like abuse, the newest first, with the figures that make it so."""
        params = FindingParams.of(request)
        findings = self.owner.findings
        if state := params.get("state"):
            findings = findings.filter(state=state)
        found, after = newest_first(findings, params)
        told: list[dict[str, Any]] = FindingSerializer(
            found, many=True, context={"is_operators": self.is_operators}
        ).data
        return page(told, after)
