"""Alerts, by token: each its own."""

import pytest
from django.utils import timezone

from apps.alerts.models import AlertEvent, AlertRule
from apps.alerts.owners import Owner
from tests.alerts.conftest import a_finding, a_rule
from tests.api.v1.conftest import NOW, Program
from tests.cast import Cast, reread

pytestmark = pytest.mark.usefixtures("at_noon")


def an_event(rule: AlertRule, **fields: object) -> AlertEvent:
    """That the rule fired for ada."""
    told = {"group": "ada", "group_label": "ada", "value": 12, "threshold": 10, "since": NOW, "fired_at": NOW} | fields
    return AlertEvent.objects.create(rule=rule, organization=rule.organization, **told)


def test_each_sees_its_own_rules_and_what_they_fired(acmes: Program, globexs: Program, cast: Cast):
    ours, theirs = a_rule(Owner(cast.acme)), a_rule(Owner(cast.acme, cast.globex))
    a_rule(Owner(cast.acme, cast.initech))
    a_rule(Owner(cast.evil_corp))
    fired, _ = an_event(ours), an_event(theirs, resolved_at=NOW)
    assert [each["id"] for each in acmes.everything("alerts", limit=1)] == [str(ours.pk)]
    assert [each["id"] for each in globexs.everything("alerts")] == [str(theirs.pk)]
    told = acmes.everything("alert-events", is_firing="true")
    assert [(each["id"], each["rule"], each["value"]) for each in told] == [(str(fired.pk), str(ours.pk), "12")]
    assert globexs.everything("alert-events", is_firing="true") == []
    assert len(globexs.everything("alert-events", rule=theirs.pk)) == 1
    assert globexs.everything("alert-events", rule=ours.pk) == []


def test_a_rule_is_muted_paused_resumed_and_deleted(globexs: Program, cast: Cast):
    rule = a_rule(Owner(cast.acme, cast.globex))
    assert globexs.get(f"alerts/{rule.pk}")["threshold"] == "10"
    told = globexs("POST", f"alerts/{rule.pk}/mute", {"until": "2026-03-11T00:00:00+01:00"}).json()
    assert told["muted_until"] == "2026-03-10T23:00:00Z"
    assert globexs("POST", f"alerts/{rule.pk}/mute", {}).status_code == 400
    assert globexs("POST", f"alerts/{rule.pk}/mute", {"until": None}).json()["muted_until"] is None
    assert globexs("POST", f"alerts/{rule.pk}/pause").json()["paused_at"] is not None
    assert [each["id"] for each in globexs.everything("alerts", is_paused="true")] == [str(rule.pk)]
    assert globexs("POST", f"alerts/{rule.pk}/resume").json()["paused_at"] is None
    assert reread(rule).paused_at is None
    assert globexs("DELETE", f"alerts/{rule.pk}").status_code == 204
    assert not AlertRule.objects.exists()
    event = cast.acme.audit_events.filter(action="alert_rule.delete").get()
    assert event.actor_label.startswith("API token test")


def test_findings_are_of_those_that_the_token_shows(acmes: Program, globexs: Program, cast: Cast):
    mine, other = a_finding(cast.globex, last_seen_at=timezone.now()), a_finding(cast.initech)
    a_finding(cast.shady)
    assert {each["id"] for each in acmes.everything("findings")} == {str(mine.pk), str(other.pk)}
    [told] = globexs.everything("findings", state="open")
    assert (told["id"], told["kind"], told["sentences"]) == (str(mine.pk), "spend", ["It spent $50.00."])
    assert globexs.everything("findings", state="dismissed") == []
