"""What rules measure over long windows, by property, and of latencies."""

from datetime import timedelta
from decimal import Decimal

from apps.alerts.evaluation import evaluate_next
from apps.alerts.models import AlertEvent
from apps.alerts.owners import Owner
from apps.usage.histograms import SHIFT
from apps.usage.models import DailyPropertyUsage, HourlyPropertyUsage
from tests.alerts.conftest import NOON, a_rule
from tests.used import a_request, an_hour

AT = NOON + timedelta(minutes=30)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def fired() -> list[tuple[str, Decimal]]:
    return sorted((event.group_label, event.value) for event in AlertEvent.objects.all())


def test_three_days_and_more_are_made_of_days(cast):
    """From 12:30 on the 7th: 11.5 of its 24 hours, the 8th, the 9th, and all there is of the 10th."""
    a_rule(Owner(cast.acme), window_minutes=3 * 1440, threshold=1)
    a_rule(Owner(cast.acme), window_minutes=3 * 1440, threshold=1, group_by="user")
    for days, requests in [(0, 10), (1, 20), (2, 40), (3, 48), (4, 1000)]:
        an_hour(cast.globex, NOON - DAY * days - HOUR, requests=requests)
    for _ in range(2):
        evaluate_next(AT)
    assert fired() == [("", 93), ("Globex · ada", 93)]


def a_property(model, customer, value: str, requests: int, **when) -> None:
    model.objects.create(
        organization=customer.organization, customer_id=customer.pk, name="plan", value=value, end_user="ada",
        requests=requests, price=Decimal(requests), first_at=NOON, last_at=NOON, **when,
    )  # fmt: skip


def test_values_of_a_property_are_judged_each(cast):
    """Over minutes, hours and days: requests without the property are in none."""
    for minutes in (5, 60, 4320):
        a_rule(Owner(cast.acme), window_minutes=minutes, threshold=2, group_by="property", property_name="Plan")
    for plan in ("pro", "pro", "free"):
        a_request(cast.globex, AT - timedelta(minutes=1), properties={"plan": plan})
    for _ in range(5):
        a_request(cast.globex, AT - timedelta(minutes=1))
    a_property(HourlyPropertyUsage, cast.globex, "pro", 7, hour=NOON)
    a_property(HourlyPropertyUsage, cast.globex, "free", 1, hour=NOON)
    a_property(DailyPropertyUsage, cast.globex, "free", 9, day=NOON.replace(hour=0))
    a_property(DailyPropertyUsage, cast.shady, "pro", 9, day=NOON.replace(hour=0))
    for _ in range(3):
        evaluate_next(AT)
    assert fired() == [("free", 9), ("pro", 2), ("pro", 7)]


def test_one_value_of_a_property(cast):
    narrowed = {"property_name": "Plan", "property_value": "pro", "threshold": 1}
    for minutes in (5, 60):
        a_rule(Owner(cast.acme), window_minutes=minutes, **narrowed)
    for plan in ("pro", "free"):
        a_request(cast.globex, AT - timedelta(minutes=1), properties={"plan": plan})
        a_property(HourlyPropertyUsage, cast.globex, plan, 7, hour=NOON)
    for _ in range(2):
        evaluate_next(AT)
    assert fired() == [("", 1), ("", 7)]


def test_latencies_of_hours_are_within_five_percent(cast):
    """Bucket 74 is around 1,000 ms and bucket 98 around 10 s: 18 of the one, 2 of the other."""
    latencies = [(74 << SHIFT) + 18, (98 << SHIFT) + 2]
    an_hour(cast.globex, NOON, requests=20, latencies=latencies, end_user="ada")
    an_hour(cast.initech, NOON, requests=20, latencies=[(74 << SHIFT) + 20], end_user="ada")
    for metric, fields in [
        ("latency_p50", {}),
        ("latency_p95", {"group_by": "user"}),
        ("latency_p95", {"group_by": "model"}),
    ]:
        a_rule(Owner(cast.acme), name=metric, metric=metric, threshold=5000 if metric.endswith("95") else 500, **fields)
    for _ in range(3):
        evaluate_next(AT)
    [(_, median), (who, most)] = fired()
    assert who == "Globex · ada"
    assert abs(median - 1000) < 60
    assert abs(most - 10_000) < 600
