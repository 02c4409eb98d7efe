"""Rules become alerts: once each, told once, over when it was quiet for a while."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from apps.alerts.evaluation import evaluate_due, evaluate_next
from apps.alerts.models import AlertEvent, AlertRule, Delivery
from apps.alerts.owners import Owner
from apps.alerts.services.rules import mute_rule, pause_rule, resume_rule, update_rule
from apps.customers.services import update_customer
from apps.usage.models import HourlyUsage, Result
from tests.alerts.conftest import NOON, a_rule, an_email
from tests.cast import a_customer, a_proxy_key, at_once, reread
from tests.used import a_request, an_hour

MINUTE = timedelta(minutes=1)
AT = NOON + 30 * MINUTE  # of 11:30 to 12:30: half of the hour of eleven, and all there is of twelve


def at(minutes: int):
    return AT + minutes * MINUTE


def fired() -> list[tuple[str, Decimal]]:
    return [(event.group_label, event.value) for event in AlertEvent.objects.order_by("fired_at", "group")]


def test_an_alert_begins_goes_on_and_is_over_and_each_is_told_once(cast):
    acme = Owner(cast.acme)
    rule = a_rule(acme, an_email(acme, "ops@acme.example"), threshold=15)
    hour = an_hour(cast.globex, NOON)  # ten requests
    evaluate_next(AT)
    assert fired() == []
    HourlyUsage.objects.filter(pk=hour.pk).update(requests=15)
    for minutes in (1, 2, 3):
        evaluate_next(at(minutes))
    assert fired() == [("", 15)]
    HourlyUsage.objects.filter(pk=hour.pk).update(requests=1)
    for minutes in (4, 5, 8):
        evaluate_next(at(minutes))
    assert AlertEvent.objects.get().is_firing
    evaluate_next(at(9))
    assert AlertEvent.objects.get().resolved_at == at(9)
    told = Delivery.objects.order_by("created_at").values_list("kind", "title")
    assert list(told) == [("alert.firing", "Many requests"), ("alert.resolved", "Over: Many requests")]
    assert reread(rule).evaluated_at == at(9)


def test_what_flutters_around_the_threshold_is_told_once(cast):
    acme = Owner(cast.acme)
    a_rule(acme, an_email(acme, "ops@acme.example"))
    hour = an_hour(cast.globex, NOON)
    for minutes in range(20):
        HourlyUsage.objects.filter(pk=hour.pk).update(requests=10 if minutes % 4 == 0 else 9)
        evaluate_next(at(minutes))
    assert Delivery.objects.count() == AlertEvent.objects.count() == 1


def test_a_rule_is_evaluated_once_a_minute(cast):
    a_rule(Owner(cast.acme))
    assert evaluate_next(AT) is not None
    assert evaluate_next(AT + timedelta(seconds=20)) is None
    assert evaluate_next(at(1)) is not None


def test_the_hour_in_which_the_window_begins_counts_by_its_part(cast):
    a_rule(Owner(cast.acme), threshold=1)
    an_hour(cast.globex, NOON - timedelta(hours=1), requests=100)  # half of it
    an_hour(cast.globex, NOON, requests=7)
    an_hour(cast.globex, NOON - timedelta(hours=2), requests=1000)
    an_hour(cast.shady, NOON, requests=5000)  # somebody else's
    evaluate_next(AT)
    assert fired() == [("", 57)]


def test_a_short_window_is_read_from_the_requests(cast):
    a_rule(Owner(cast.acme), window_minutes=10, threshold=2)
    for minutes in (1, 9, 11):
        a_request(cast.globex, at(-minutes))
    a_request(cast.shady, at(-1))
    evaluate_next(AT)
    assert fired() == [("", 2)]


def test_each_group_has_alerts_of_its_own(cast):
    acme = Owner(cast.acme)
    a_rule(acme, an_email(acme, "ops@acme.example"), group_by="user")
    for customer, user, requests in [
        (cast.globex, "ada", 10),
        (cast.initech, "ada", 11),  # of another customer: another person
        (cast.globex, "ben", 9),
        (cast.globex, None, 99),  # nobody
    ]:
        an_hour(customer, NOON, end_user=user, requests=requests)
    evaluate_next(AT)
    assert sorted(fired()) == [("Globex · ada", 10), ("Initech · ada", 11)]
    assert Delivery.objects.count() == 2


@pytest.mark.parametrize(
    ("narrowed", "value"),
    [
        ({}, 60),
        ({"customer": "globex"}, 50),
        ({"model": "gpt-4o"}, 20),
        ({"end_user": "ben"}, 10),
        ({"model": "gpt-4o", "end_user": "ben"}, None),
    ],
)
def test_a_rule_can_be_narrowed(cast, narrowed, value):
    an_hour(cast.globex, NOON, model="gpt-4o", requests=20)
    an_hour(cast.globex, NOON, end_user="ben", requests=10)
    an_hour(cast.globex, NOON, requests=20)
    an_hour(cast.initech, NOON, requests=10)
    fields = {name: getattr(cast, value) if name == "customer" else value for name, value in narrowed.items()}
    a_rule(Owner(cast.acme), threshold=1, **fields)
    evaluate_next(AT)
    assert [measured for _, measured in fired()] == ([] if value is None else [value])


def test_more_than_before_and_more_than_usual(cast):
    """50 in this hour; 40 in the one before; 10, 20 and 30 at this time of the days before."""
    now = NOON + timedelta(hours=1)
    for hours, requests in [(1, 50), (2, 40), (25, 10), (49, 20), (73, 30)]:
        an_hour(cast.globex, now - timedelta(hours=hours), requests=requests)
    for comparison, percent in [("before", 25), ("before", 26), ("usual", 150), ("usual", 151)]:
        name = f"{comparison} {percent}"
        a_rule(Owner(cast.acme), name=name, comparison=comparison, threshold=percent)
    evaluate_due(within=timedelta(seconds=30), clock=lambda: now)
    events = AlertEvent.objects.order_by("rule__name").values_list("rule__name", "value", "baseline", "threshold")
    assert list(events) == [("before 25", 50, 40, 50), ("usual 150", 50, 20, 50)]


def test_thresholds_of_a_cap_are_each_told_once_and_the_highest_of_several(cast, redis):
    update_customer(cast.globex, by=None, monthly_cap=Decimal(100))
    acme = Owner(cast.acme)
    a_rule(acme, an_email(acme, "ops@acme.example"), name="Cap", metric="limit", threshold=None)
    hour = an_hour(cast.globex, NOON, price=Decimal(40))
    evaluate_next(AT)
    assert fired() == []
    for minutes, price in [(1, 85), (2, 86), (3, 96)]:
        HourlyUsage.objects.filter(pk=hour.pk).update(price=Decimal(price))
        evaluate_next(at(minutes))
    thresholds = AlertEvent.objects.order_by("fired_at", "threshold").values_list("threshold", "value", "group_label")
    label = "Globex · Spend this month"
    assert list(thresholds) == [(50, 85, label), (80, 85, label), (100, 100, label)]
    told = Delivery.objects.order_by("created_at").values_list("event__threshold", flat=True)
    assert list(told) == [80, 100]
    update_customer(cast.globex, by=None, monthly_cap=Decimal(110))
    evaluate_next(at(4))  # 87 % of another cap: passed anew
    assert list(Delivery.objects.order_by("created_at").values_list("event__threshold", flat=True)) == [80, 100, 80]


def test_muted_nobody_is_told_until_it_is_over_and_then_of_what_is_there_still(cast):
    acme = Owner(cast.acme)
    rule = a_rule(acme, an_email(acme, "ops@acme.example"))
    an_hour(cast.globex, NOON)
    mute_rule(rule, until=at(3), by=cast.olivia)
    for minutes in (0, 1, 2):
        evaluate_next(at(minutes))
    assert (AlertEvent.objects.count(), Delivery.objects.count()) == (1, 0)
    for minutes in (3, 4):
        evaluate_next(at(minutes))
    assert (AlertEvent.objects.count(), Delivery.objects.count()) == (1, 1)


def test_a_paused_rule_looks_at_nothing_and_one_that_is_changed_looks_anew(cast):
    rule = a_rule(Owner(cast.acme))
    an_hour(cast.globex, NOON)
    evaluate_next(AT)
    pause_rule(rule, by=cast.olivia, at=at(1))
    assert evaluate_next(at(2)) is None
    assert [event.is_firing for event in AlertEvent.objects.all()] == [False]
    resume_rule(rule, by=cast.olivia)
    evaluate_next(at(3))
    update_rule(rule, by=cast.olivia, at=at(4), name="Other")
    assert AlertEvent.objects.filter(resolved_at=None).count() == 1
    update_rule(rule, by=cast.olivia, at=at(5), threshold=Decimal(8))
    evaluate_next(at(6))
    assert list(AlertEvent.objects.order_by("fired_at").values_list("threshold", "resolved_at")) == [
        (10, at(1)),
        (10, at(5)),
        (8, None),
    ]


def test_a_customers_rule_sees_its_own_alone_and_models_as_they_are_sold(cast):
    an_hour(cast.globex, NOON, model="claude-sonnet-5", sold_as="our-best", requests=12)
    an_hour(cast.initech, NOON, sold_as="our-best", requests=50)
    a_rule(Owner(cast.acme, cast.globex), group_by="model")
    evaluate_next(AT)
    assert fired() == [("our-best", 12)]


def test_what_redis_must_tell_waits_while_it_is_away(cast, settings):
    update_customer(cast.globex, by=None, monthly_cap=Decimal(100))
    a_rule(Owner(cast.acme), name="Cap", metric="limit", threshold=None)
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    rule = evaluate_next(AT)
    assert rule is not None and rule.problem == "Redis is away: what is used of limits is not known."


METRICS = [
    pytest.param("price", "0.75", id="spend"),
    pytest.param("cost", "0.5", id="cost"),
    pytest.param("margin", "0.25", id="margin"),
    pytest.param("requests", "4", id="requests"),
    pytest.param("refused", "1", id="refused"),
    pytest.param("error_rate", "33.333333", id="errors-of-what-was-answered"),
    pytest.param("tokens", "3300", id="tokens"),
    pytest.param("input_tokens", "2300", id="in"),
    pytest.param("output_tokens", "1000", id="out"),
    pytest.param("cache_read_tokens", "300", id="cached"),
    pytest.param("reasoning_tokens", "0", id="reasoning"),
    pytest.param("latency_p50", "800", id="median-latency"),
    pytest.param("latency_p95", "2000", id="latency-at-95"),
]


@pytest.mark.parametrize(("metric", "value"), METRICS)
def test_what_is_measured_over_minutes(cast, metric, value):
    used = {"input_tokens": 0, "output_tokens": 0, "cost": 0, "price": 0}
    a_request(cast.globex, at(-1), cache_read_tokens=300)
    a_request(cast.globex, at(-2), latency_ms=700)
    a_request(cast.globex, at(-3), result=Result.FAILED, status=500, latency_ms=2000, **used)
    a_request(cast.globex, at(-4), result=Result.REFUSED, status=429, latency_ms=9000, **used)
    a_rule(Owner(cast.acme), metric=metric, window_minutes=5, threshold=0)
    evaluate_next(AT)
    assert fired() == [("", Decimal(value))]


@pytest.mark.django_db(transaction=True)
def test_ten_evaluators_at_once_tell_each_alert_once(cast):
    acme = Owner(cast.acme)
    channel = an_email(acme, "ops@acme.example")
    for number in range(8):
        a_rule(acme, channel, name=f"Rule {number}", group_by="user")
    for user in ("ada", "ben", "cid"):
        an_hour(cast.globex, NOON, end_user=user)
    outcomes = at_once(10, lambda: evaluate_due(within=timedelta(seconds=20), clock=lambda: AT))
    assert sum(outcomes) == 8
    told = Counter(Delivery.objects.values_list("event_key", flat=True))
    assert (AlertEvent.objects.count(), len(told), set(told.values())) == (24, 24, {1})
    assert AlertRule.objects.filter(evaluated_at=AT).count() == 8


def test_a_rule_acts_as_itself_and_the_audit_log_says_so(cast):
    key, _ = a_proxy_key(cast.globex, "production")
    an_hour(cast.globex, NOON, proxy_key_id=key.pk, end_user="ada", requests=30)
    a_rule(Owner(cast.acme), name="Users", group_by="user", action="throttle", action_limit=5)
    a_rule(Owner(cast.acme), name="Keys", group_by="key", action="revoke")
    a_rule(Owner(cast.acme), name="Customers", group_by="customer", action="suspend")
    evaluate_due(within=timedelta(seconds=30), clock=lambda: AT)
    assert cast.globex.end_user_limits.get(end_user="ada").requests_per_minute == 5
    assert reread(key).revoked_at is not None
    assert reread(cast.globex).is_suspended
    acted = cast.acme.audit_events.filter(actor_label__startswith="alert rule").order_by("at")
    assert set(acted.values_list("actor_label", "action")) == {
        ("alert rule Users", "end_user_limit.set"),
        ("alert rule Keys", "proxy_key.revoke"),
        ("alert rule Customers", "customer.suspend"),
    }
    assert set(AlertEvent.objects.values_list("action_result", flat=True)) == {
        "Limited ada to 5 requests a minute.",
        "Revoked the key “production”.",
        "Suspended Globex.",
    }


def test_an_action_that_cannot_be_done_loses_no_alert(cast):
    acme = Owner(cast.acme)
    rule = a_rule(acme, an_email(acme, "ops@acme.example"), group_by="key", action="revoke")
    an_hour(cast.globex, NOON, proxy_key_id=UUID(int=7))  # gone
    evaluate_next(AT)
    assert rule.events.get().action_result == "Not done: The key is gone."
    assert Delivery.objects.count() == 1


def test_rules_are_looked_at_the_longest_waiting_first_and_none_starves(cast):
    rules = [a_rule(Owner(cast.acme), name=str(number)) for number in range(3)]
    a_customer(cast.acme)
    order = [evaluate_next(AT + number * timedelta(seconds=1)) for number in range(4)]
    assert {rule.pk for rule in order if rule} == {rule.pk for rule in rules}
    assert order[3] is None
