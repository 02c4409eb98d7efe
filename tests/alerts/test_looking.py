"""Abuse is found in what was used, once for each episode, and says what it saw."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from apps.alerts.anomalies.looking import look, same_hours
from apps.alerts.anomalies.networks import note_networks
from apps.alerts.evaluation import evaluate_next
from apps.alerts.models import AlertEvent, Delivery, Finding, KeyNetwork
from apps.alerts.owners import Owner
from apps.alerts.services.findings import decide_finding
from apps.usage.models import Result
from tests.alerts.conftest import NOON, a_rule, an_email
from tests.cast import a_proxy_key, reread
from tests.used import a_request, an_hour

AT = NOON + timedelta(minutes=40)
DAY = timedelta(days=1)
NOTHING = {"price": Decimal(0), "cost": Decimal(0)}


def found() -> list[tuple[str, str, str]]:
    return sorted((each.kind, each.subject, each.subject_label) for each in Finding.objects.all())


def used_to(customer, *, days: int = 7, **fields) -> None:
    """The same at noon on each of the days before."""
    for day in range(1, days + 1):
        an_hour(customer, NOON - DAY * day, **fields)


def test_a_user_who_suddenly_spends_is_found_with_figures(cast):
    used_to(cast.globex, price=Decimal(2))
    an_hour(cast.globex, NOON, price=Decimal(50))
    look(cast.acme, at=AT)
    assert found() == [("spend", "user", "ada")]  # the key is nobody's any more
    finding = Finding.objects.get()
    assert finding.figures == {
        "observed": 50.0,
        "expected": 2.0,
        "spread": 0.5,
        "times": 25.0,
        "days": 7,
        "sentences": [
            "Spent $50.00 in the hour from 10 Mar 12:00.",
            "Usual at this hour are $2.00, give or take $0.5000 (median of 7 days).",
            "That is 25.0 times as much.",
        ],
    }


def test_a_burst_and_a_storm_are_found_of_keys_and_users(cast):
    key, _ = a_proxy_key(cast.globex, "production")
    of_key = {"proxy_key_id": key.pk, "end_user": "ada", **NOTHING}
    used_to(cast.globex, requests=40, failed=1, **of_key)
    an_hour(cast.globex, NOON, requests=600, failed=200, **of_key)
    look(cast.acme, at=AT)
    assert found() == [
        ("burst", "key", "production"),
        ("burst", "user", "ada"),
        ("errors", "key", "production"),
        ("errors", "user", "ada"),
    ]
    storm = Finding.objects.get(kind="errors", subject="key")
    assert storm.figures["sentences"][-1] == "33 % of what was answered failed."


def test_it_is_one_finding_while_it_goes_on_and_another_after_a_quiet_time(cast):
    used_to(cast.globex, price=Decimal(2))
    hour = an_hour(cast.globex, NOON, price=Decimal(50))
    look(cast.acme, at=AT)
    hour.price = Decimal(80)
    hour.save()
    look(cast.acme, at=AT + timedelta(minutes=5))
    finding = Finding.objects.get()
    assert (finding.figures["observed"], finding.last_seen_at) == (80.0, AT + timedelta(minutes=5))
    decide_finding(finding, Finding.State.DISMISSED, by=cast.olivia, at=AT)
    look(cast.acme, at=AT + timedelta(minutes=10))
    assert Finding.objects.count() == 1
    look(cast.acme, at=AT + timedelta(hours=7))
    assert reread(finding).ended_at == AT + timedelta(hours=7)
    an_hour(cast.globex, NOON + DAY, price=Decimal(60))
    look(cast.acme, at=AT + DAY)
    assert list(Finding.objects.order_by("first_seen_at").values_list("state", flat=True)) == ["dismissed", "open"]


def test_what_came_last_in_an_hour_is_looked_at_after_it(cast):
    used_to(cast.globex, price=Decimal(2))
    an_hour(cast.globex, NOON, price=Decimal(50))
    look(cast.acme, at=NOON + timedelta(minutes=75))
    assert found() == []
    look(cast.acme, at=NOON + timedelta(minutes=65))
    assert len(found()) == 1


def test_quiet_hours_of_somebody_known_count_as_nothing(cast):
    """She works in the morning; at noon there is never anything."""
    for day in range(1, 6):
        an_hour(cast.globex, NOON - DAY * day - timedelta(hours=3), price=Decimal(20))
    an_hour(cast.globex, NOON, price=Decimal(20))
    an_hour(cast.globex, NOON, end_user="new here", price=Decimal(20))
    look(cast.acme, at=AT)
    assert found() == [("spend", "user", "ada")]
    assert Finding.objects.get().figures["expected"] == 0


def test_somebody_elses_usage_is_no_baseline(cast):
    used_to(cast.globex, price=Decimal(50))
    used_to(cast.initech, price=Decimal(1))
    an_hour(cast.initech, NOON, price=Decimal(50))  # ada of Initech isn't ada of Globex
    an_hour(cast.shady, NOON, price=Decimal(5000))
    look(cast.acme, at=AT)
    assert [(each.customer, each.subject_label) for each in Finding.objects.all()] == [(cast.initech, "ada")]


def test_the_same_hour_is_that_of_the_clocks():
    """Berlin's clocks went forward on 29 March 2026: nine o'clock was 8:00 UTC before, and is 7:00 since."""
    zone = ZoneInfo("Europe/Berlin")
    hours = same_hours(datetime(2026, 3, 30, 9, tzinfo=zone), zone)
    assert [f"{hour:%d %H}" for hour in hours[:3]] == ["29 07", "28 08", "27 08"]


def calls_from(customer, key, network: str, at, hosts: int = 1, **fields) -> None:
    for host in range(hosts):
        a_request(customer, at, proxy_key_id=key.pk, client_ip=network.format(host), **fields)


def known(key, network: str, since) -> None:
    KeyNetwork.objects.create(
        organization=key.organization, proxy_key=key, network=network, first_seen_at=since, last_seen_at=since
    )


def test_networks_are_noted_once_by_what_a_site_has(cast):
    key, _ = a_proxy_key(cast.globex)
    calls_from(cast.globex, key, "192.0.2.{}", AT - timedelta(minutes=9), hosts=5)
    calls_from(cast.globex, key, "2001:db8:1:{}::1", AT - timedelta(minutes=3), hosts=3)
    calls_from(cast.globex, key, "192.0.2.{}", AT - timedelta(minutes=1))
    for _ in range(2):
        note_networks(AT)
    seen = KeyNetwork.objects.order_by("network").values_list("network", "first_seen_at", "last_seen_at")
    assert list(seen) == [
        ("192.0.2.0/24", AT - timedelta(minutes=9), AT - timedelta(minutes=1)),
        ("2001:db8:1::/48", AT - timedelta(minutes=3), AT - timedelta(minutes=3)),
    ]


def test_a_key_that_was_used_from_one_place_is_used_from_another(cast):
    key, _ = a_proxy_key(cast.globex, "server")
    known(key, "192.0.2.0/24", AT - DAY * 20)
    calls_from(cast.globex, key, "198.51.100.7", AT - timedelta(minutes=2))
    note_networks(AT)
    look(cast.acme, at=AT)
    assert found() == [("new_network", "key", "server")]
    assert Finding.objects.get().figures["sentences"] == [
        "Used from 198.51.100.0/24 for the first time.",
        "For 20 days it was used from 192.0.2.0/24 only.",
    ]


def test_a_key_that_many_have_looks_leaked(cast):
    key, _ = a_proxy_key(cast.globex, "production")
    other, _ = a_proxy_key(cast.globex, "new")
    known(key, "192.0.2.0/24", AT - DAY * 20)
    an_hour(cast.globex, NOON - DAY, proxy_key_id=key.pk, model="gpt-4o-mini", end_user="ada")
    for number in range(12):
        at = AT - timedelta(minutes=number + 1)
        refused = {"result": Result.REFUSED, "status": 403, "error_code": "model_not_allowed"}
        calls_from(cast.globex, key, f"10.{number}.0.{{}}", at, hosts=2, model_served=f"model-{number}", **refused)
        calls_from(cast.globex, other, f"10.{number}.0.{{}}", at)
    note_networks(AT)
    look(cast.acme, at=AT)
    assert found() == [
        ("leaked_key", "key", "production"),
        ("many_networks", "key", "production"),
        ("new_network", "key", "production"),
    ]
    leak = Finding.objects.get(kind="leaked_key")
    assert leak.severity == 2
    assert leak.figures["sentences"][0].startswith("Used from 12 new networks in an hour: 10.")
    assert leak.figures["sentences"][1:] == [
        "24 calls were refused.",
        "12 models were called that it never called before.",
        "If you did not change how the key is used, revoke it.",
    ]


def test_a_rule_on_findings_tells_of_each_and_acts(cast):
    key, _ = a_proxy_key(cast.globex, "production")
    acme, globex = Owner(cast.acme), Owner(cast.acme, cast.globex)
    rule = a_rule(acme, an_email(acme, "ops@acme.example"), metric="findings", threshold=None, action="revoke")
    a_rule(globex, an_email(globex, cast.gina.email), metric="findings", threshold=None, finding_kinds=["burst"])
    known(key, "192.0.2.0/24", AT - DAY * 20)
    calls_from(cast.globex, key, "198.51.100.7", AT - timedelta(minutes=2))
    note_networks(AT)
    look(cast.acme, at=AT)
    for minutes in range(6):
        evaluate_next(AT + timedelta(minutes=minutes / 2))
    event = AlertEvent.objects.get()
    assert event.rule == rule
    assert event.group_label == "Globex · Key used from a new network: production"
    assert event.action_result == "Revoked the key “production”."
    assert reread(key).revoked_at is not None
    assert Delivery.objects.count() == 1
