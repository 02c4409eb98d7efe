"""Alerts, by token: each its own."""

import pytest
from django.utils import timezone

from apps.alerts.models import AlertEvent, AlertRule
from apps.alerts.owners import Owner
from tests.alerts.conftest import a_channel, a_finding, a_rule
from tests.api.v1.conftest import NOW, Program
from tests.cast import Cast, a_proxy_key, reread

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


def test_a_rule_is_added_and_changed(acmes: Program, cast: Cast):
    channel = a_channel(Owner(cast.acme))
    sent = {
        "name": "Spend of a user",
        "metric": "price",
        "threshold": "25",
        "group_by": "user",
        "customer": str(cast.globex.pk),
        "window_minutes": 1440,
        "channels": [str(channel.pk)],
    }
    told = acmes("POST", "alerts", sent)
    assert told.status_code == 201
    rule = AlertRule.objects.get(pk=told.json()["id"])
    assert (rule.customer, rule.threshold, rule.group_by, rule.window_minutes) == (cast.globex, 25, "user", 1440)
    assert list(rule.channels.all()) == [channel]
    changed = acmes("PATCH", f"alerts/{rule.pk}", {"threshold": "50.5", "user": "ada", "group_by": ""}).json()
    assert (changed["threshold"], changed["user"], changed["group_by"], changed["name"]) == (
        "50.5",
        "ada",
        "",
        "Spend of a user",
    )
    assert list(rule.channels.all()) == [channel]


BAD = [
    ({"metric": "price", "threshold": "1"}, "#/name"),
    ({"name": "x", "metric": "price"}, "#/threshold"),
    ({"name": "x", "metric": "price", "threshold": "1", "window_minutes": 7}, "#/window_minutes"),
    ({"name": "x", "metric": "price", "threshold": "1", "window_minutes": "60"}, "#/window_minutes"),
    ({"name": "x", "metric": "price", "threshold": 1}, "#/threshold"),
    ({"name": "x", "metric": "price", "threshold": "1", "group_by": "property"}, "#/property_name"),
    ({"name": "x", "metric": "price", "threshold": "1", "nonsense": 1}, "#/nonsense"),
]


@pytest.mark.parametrize(("sent", "pointer"), BAD)
def test_a_rule_that_means_nothing_is_refused(acmes: Program, sent, pointer):
    told = acmes("POST", "alerts", sent)
    assert (told.status_code, told.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not AlertRule.objects.exists()


def test_a_customers_rule_is_about_itself_and_no_cost(globexs: Program, cast: Cast):
    about_another = {"name": "x", "metric": "price", "threshold": "1", "customer": str(cast.initech.pk)}
    told = globexs("POST", "alerts", about_another).json()
    assert told["customer"] == str(cast.globex.pk)
    assert globexs("POST", "alerts", {"name": "x", "metric": "margin", "threshold": "1"}).status_code == 400
    assert AlertRule.objects.count() == 1


@pytest.mark.parametrize("name", ["customer", "key", "channels"])
def test_what_is_somebody_elses_does_not_exist(acmes: Program, cast: Cast, name):
    foreign = {
        "customer": str(cast.shady.pk),
        "key": str(a_proxy_key(cast.shady)[0].pk),
        "channels": [str(a_channel(Owner(cast.acme, cast.globex)).pk)],  # not even one of its customer's
    }
    told = acmes("POST", "alerts", {"name": "x", "metric": "price", "threshold": "1", name: foreign[name]})
    assert (told.status_code, told.json()["errors"][0]["pointer"]) == (400, f"#/{name}")


def test_a_webhooks_secret_is_told_once(acmes: Program, globexs: Program):
    sent = {"kind": "webhook", "name": "On call", "address": "https://93.184.215.14/hook"}
    told = acmes("POST", "alert-channels", sent)
    assert (told.status_code, told.headers["Cache-Control"]) == (201, "no-store")
    assert told.json()["secret"].startswith("tgwh_")
    [kept] = acmes.everything("alert-channels")
    assert (kept["name"], "secret" in kept) == ("On call", False)
    assert globexs.everything("alert-channels") == []
    assert acmes("POST", f"alert-channels/{kept['id']}/test").status_code == 200
    assert acmes("DELETE", f"alert-channels/{kept['id']}").status_code == 204
    assert acmes("GET", f"alert-channels/{kept['id']}").status_code == 404
