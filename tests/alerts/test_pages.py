"""The pages of alerts: made, changed, muted, tested by whoever may, seen by all of them."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from apps.accounts.models import Role
from apps.alerts.evaluation import evaluate_next
from apps.alerts.models import AlertRule, Channel, Delivery, EventSubscription, Finding
from apps.alerts.owners import Owner
from apps.alerts.terms import MOST_RULES_OF_CUSTOMER
from apps.customers.models import CustomerRole
from tests.alerts.conftest import NOON, a_finding, a_rule, a_webhook, an_email
from tests.cast import a_customer_member, a_member, reread
from tests.pages import text_of
from tests.used import an_hour

USAGE = {
    "name": "Spend of users",
    "metric": "price",
    "direction": "above",
    "threshold": "25.5",
    "comparison": "absolute",
    "window_minutes": "1440",
    "group_by": "user",
    "min_requests": "3",
    "tells_resolved": "on",
    "action": "throttle",
    "action_limit": "20",
}


@pytest.fixture
def operator(client: Client, cast) -> Client:
    client.force_login(cast.olivia)
    return client


@pytest.fixture
def customer(client: Client, cast) -> Client:
    client.force_login(cast.gina)
    return client


def test_an_operator_adds_and_changes_a_rule(operator, cast):
    channel = an_email(Owner(cast.acme), "ops@acme.example")
    answer = operator.post("/console/alerts/rules/add/?kind=usage", USAGE | {"channels": [channel.pk]})
    assert (answer.status_code, answer.headers.get("Location")) == (302, "/console/alerts/")
    rule = cast.acme.alertrules.get()
    assert (rule.threshold, rule.group_by, rule.window_minutes, rule.action_limit) == (
        Decimal("25.5"),
        "user",
        1440,
        20,
    )
    assert (list(rule.channels.all()), rule.is_customers) == ([channel], False)
    page = text_of(operator.get("/console/alerts/"))
    assert "Spend of each end user at or above $25.50 within 1 day" in page
    operator.post(f"/console/alerts/rules/{rule.pk}/edit/", USAGE | {"name": "Other", "customer": cast.globex.pk})
    changed = reread(rule)
    assert (changed.name, changed.customer, list(changed.channels.all())) == ("Other", cast.globex, [])
    actions = (
        cast.acme.audit_events.filter(action__startswith="alert_rule")
        .order_by("at")
        .values_list("action", "actor_label")
    )
    assert list(actions) == [("alert_rule.add", cast.olivia.email), ("alert_rule.update", cast.olivia.email)]


def test_each_kind_of_rule_asks_for_its_own(operator, cast):
    cap = {"name": "Caps", "limit_name": "", "thresholds": "80, 50%", "action": ""}
    assert operator.post("/console/alerts/rules/add/?kind=limit", cap).status_code == 302
    abuse = {"name": "Abuse", "finding_kinds": ["leaked_key"], "action": "revoke"}
    assert operator.post("/console/alerts/rules/add/?kind=findings", abuse).status_code == 302
    told = cast.acme.alertrules.order_by("name").values_list("metric", "thresholds", "finding_kinds", "threshold")
    assert list(told) == [("findings", [], ["leaked_key"], None), ("limit", [50, 80], [], None)]


REFUSED = [
    pytest.param({"threshold": ""}, "Say how much.", id="no-threshold"),
    pytest.param({"threshold": "-1"}, "Nothing of that is ever below zero.", id="negative"),
    pytest.param({"property_value": "pro"}, "Name the property.", id="value-without-property"),
    pytest.param({"property_name": "Plan", "model": "gpt-4o"}, "not by model or key", id="property-and-model"),
    pytest.param({"group_by": "model"}, "nobody to act on", id="nobody-to-act-on"),
    pytest.param({"action": "revoke"}, "Not possible for: end user.", id="a-user-has-no-key"),
    pytest.param({"metric": "margin", "comparison": "usual"}, "compare it with an amount", id="margin-of-nothing"),
    pytest.param({"metric": "limit"}, "Select a valid choice", id="not-of-this-kind"),
]


@pytest.mark.parametrize(("said", "why"), REFUSED)
def test_what_means_nothing_is_refused_and_says_why(operator, cast, said, why):
    answer = operator.post("/console/alerts/rules/add/", USAGE | said)
    assert (answer.status_code, AlertRule.objects.count()) == (200, 0)
    assert why in text_of(answer)


CUSTOMERS_MAY_NOT = [
    pytest.param({"metric": "cost"}, id="cost"),
    pytest.param({"metric": "margin"}, id="margin"),
    pytest.param({"group_by": "customer", "action": ""}, id="customers"),
    pytest.param({"action": "suspend"}, id="suspend"),
    pytest.param({"group_by": ""}, id="throttle-itself"),
]


@pytest.mark.parametrize("said", CUSTOMERS_MAY_NOT)
def test_a_customer_cannot_make_a_rule_of_what_is_its_operators(customer, said):
    assert customer.post("/portal/alerts/rules/add/", USAGE | said).status_code == 200
    assert AlertRule.objects.count() == 0


def test_a_customers_rule_is_about_itself_whatever_it_says(customer, cast):
    foreign = an_email(Owner(cast.acme), "ops@acme.example")
    own = an_email(Owner(cast.acme, cast.globex), cast.gina.email)
    assert customer.post("/portal/alerts/rules/add/", USAGE | {"customer": cast.initech.pk}).status_code == 302
    rule = AlertRule.objects.get()
    assert (rule.customer, rule.is_customers) == (cast.globex, True)
    edit = f"/portal/alerts/rules/{rule.pk}/edit/"
    assert customer.post(edit, USAGE | {"channels": [foreign.pk]}).status_code == 200  # not a choice
    assert customer.post(edit, USAGE | {"channels": [own.pk]}).status_code == 302
    assert list(rule.channels.all()) == [own]
    assert not Owner(cast.acme).rules.exists()  # the operator's pages are about the operator's own


def test_a_customer_has_so_many_rules_and_no_more(customer, cast):
    for number in range(MOST_RULES_OF_CUSTOMER):
        a_rule(Owner(cast.acme, cast.globex), name=str(number))
    assert "Delete one first." in text_of(customer.post("/portal/alerts/rules/add/", USAGE))
    assert AlertRule.objects.count() == MOST_RULES_OF_CUSTOMER


def test_what_fires_is_seen_with_its_figures_and_muted(operator, cast):
    rule = a_rule(Owner(cast.acme), group_by="user")
    an_hour(cast.globex, NOON, requests=12)
    evaluate_next(NOON + timedelta(minutes=30))
    page = text_of(operator.get("/console/alerts/"))
    assert "Many requests Requests of each end user at or above 10 within 1 hour Globex · ada 12 10 Firing" in page
    operator.post(f"/console/alerts/rules/{rule.pk}/mute/", {"hours": "24"})
    assert "Muted until" in text_of(operator.get("/console/alerts/"))
    operator.post(f"/console/alerts/rules/{rule.pk}/mute/", {"hours": "0"})
    assert reread(rule).muted_until is None
    operator.post(f"/console/alerts/rules/{rule.pk}/pause/")
    assert "Nothing fires." in text_of(operator.get("/console/alerts/"))
    assert "Globex · ada 12 10 Over" in text_of(operator.get(f"/console/alerts/history/?rule={rule.pk}"))
    operator.post(f"/console/alerts/rules/{rule.pk}/delete/")
    assert not AlertRule.objects.exists()


def test_a_webhooks_secret_is_shown_once(operator, cast, receiver):
    said = {"kind": "webhook", "name": "ours", "address": receiver.url}
    answer = operator.post("/console/alerts/channels/", said)
    channel = Channel.objects.get()
    secret = channel.open()
    assert secret in text_of(answer)
    detail = f"/console/alerts/channels/{channel.pk}/"
    assert all(secret not in text_of(operator.get(url)) for url in ("/console/alerts/channels/", detail))
    renewed = operator.post(f"{detail}secret/")
    assert reread(channel).open() != secret
    assert reread(channel).open() in text_of(renewed)
    assert secret.encode() not in bytes(channel.ciphertext)


def test_slacks_address_is_a_secret(operator, settings):
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    url = "http://127.0.0.1:9/services/T0/B0/0123456789abcdef"
    assert (
        operator.post("/console/alerts/channels/", {"kind": "slack", "name": "ops", "address": url}).status_code == 200
    )
    channel = Channel.objects.get()
    assert (channel.address, channel.open()) == ("127.0.0.1/…cdef", url)
    assert "0123456789" not in operator.get("/console/alerts/channels/").content.decode()


ADDRESSES = [
    pytest.param("email", "not an address", "Enter a valid email address.", id="no-address"),
    pytest.param("webhook", "http://10.0.0.7/hook", "inside our network", id="inside"),
    pytest.param("webhook", "ftp://example.com/", "begins with https://", id="not-http"),
]


@pytest.mark.parametrize(("kind", "address", "why"), ADDRESSES)
def test_an_address_that_cannot_be_told_is_refused(operator, kind, address, why):
    answer = operator.post("/console/alerts/channels/", {"kind": kind, "name": "x", "address": address})
    assert why in text_of(answer)
    assert not Channel.objects.exists()


def test_a_customer_writes_to_its_own_people_alone(customer, cast):
    for address, added in [("stranger@example.org", 0), (cast.ira.email, 0), (cast.gina.email.upper(), 1)]:
        customer.post("/portal/alerts/channels/", {"kind": "email", "name": "us", "address": address})
        assert Channel.objects.count() == added


def test_a_test_message_waits_in_the_outbox_and_ten_are_enough(operator, cast):
    channel = an_email(Owner(cast.acme), "ops@acme.example")
    for _ in range(11):
        answer = operator.post(f"/console/alerts/channels/{channel.pk}/test/", follow=True)
    assert Delivery.objects.filter(kind="test").count() == 10
    assert "That were 10 tests in an hour." in text_of(answer)


def test_a_finding_is_decided_about_and_acted_on(operator, cast):
    first, second = a_finding(cast.globex), a_finding(cast.initech, kind="burst", subject_id="ben", subject_label="ben")
    a_finding(cast.shady, subject_label="somebody elses")
    page = text_of(operator.get("/console/alerts/findings/"))
    assert "Sudden spend Globex · End user ada" in page
    assert "It spent $50.00." in page
    assert "somebody elses" not in page
    operator.post(f"/console/alerts/findings/{first.pk}/decide/", {"state": "dismissed"})
    answer = operator.post(f"/console/alerts/findings/{second.pk}/act/", {"action": "block"}, follow=True)
    assert "Nothing of ben is let through." in text_of(answer)
    assert cast.initech.end_user_limits.get(end_user="ben").requests_per_minute == 0
    assert list(Finding.objects.filter(organization=cast.acme).order_by("kind").values_list("state", "action")) == [
        ("acknowledged", "block"),
        ("dismissed", ""),
    ]


def test_a_customer_acts_on_its_users_but_not_on_itself(customer, cast):
    finding = a_finding(cast.globex)
    customer.post(f"/portal/alerts/findings/{finding.pk}/act/", {"action": "suspend"})
    assert not reread(cast.globex).is_suspended
    customer.post(f"/portal/alerts/findings/{finding.pk}/act/", {"action": "throttle"})
    assert cast.globex.end_user_limits.get(end_user="ada").requests_per_minute == 10


def test_subscriptions_are_made_and_removed(operator, cast, receiver):
    channel, _ = a_webhook(Owner(cast.acme), receiver)
    said = {"name": "All", "channel": channel.pk, "kinds": ["limit.reached"], "sample_percent": "12.5"}
    assert operator.post("/console/alerts/events/", said).status_code == 302
    row = EventSubscription.objects.get()
    assert "limit.reached" in text_of(operator.get("/console/alerts/events/"))
    operator.post(f"/console/alerts/events/{row.pk}/delete/")
    assert not EventSubscription.objects.exists()


def test_viewers_see_and_change_nothing(client, cast):
    rule = a_rule(Owner(cast.acme))
    for face, who in [
        ("console", a_member(cast.acme, Role.VIEWER)),
        ("portal", a_customer_member(cast.globex, CustomerRole.VIEWER)),
    ]:
        client.force_login(who.user)
        answer = client.get(f"/{face}/alerts/")
        assert (answer.status_code, "Add rule" in text_of(answer)) == (200, False)
        assert client.get(f"/{face}/alerts/channels/").status_code == 403
        assert client.post(f"/{face}/alerts/rules/{rule.pk}/delete/").status_code == 403
    assert AlertRule.objects.count() == 1
