"""The insights page: profits with subscriptions, plans with fees that are set there; the portal's, without costs."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.test import Client

from apps.accounts.models import AuditEvent, Role
from apps.customers.models import CustomerRole, PlanFee
from tests.cast import Cast, a_customer_member, a_member
from tests.pages import rows_of, text_of
from tests.used import a_property_hour, an_hour

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR = NOW.replace(hour=10)
MARCH = "since=2026-03-01&until=2026-03-31"


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW)


@pytest.fixture
def used(cast: Cast) -> None:
    amounts = {"requests": 10, "cost": Decimal("8.13"), "price": Decimal(4)}
    hidden = {"model": "gpt-secret", "sold_as": "house"}
    an_hour(cast.globex, HOUR, end_user="ann", **amounts, **hidden)
    a_property_hour(cast.globex, HOUR, "plan", "<b>pro", end_user="ann", **amounts)
    an_hour(cast.initech, HOUR, end_user="ira-user", cost=Decimal(1), price=Decimal(3))
    type(cast.initech).objects.filter(pk=cast.initech.pk).update(monthly_fee=Decimal(50))
    an_hour(cast.shady, HOUR, end_user="mal", cost=Decimal(100))


@pytest.mark.usefixtures("used")
def test_the_operator_sees_who_brings_what(client: Client, cast: Cast):
    client.force_login(cast.olivia)
    client.post("/console/insights/fees/set/", {"name": "Plan", "value": "<b>pro", "monthly_fee": "10"})
    answer = client.get(f"/console/insights/?{MARCH}")
    assert rows_of(answer)[:9] == [
        "User Requests Cost Price",
        "ann Globex 10 $8.13 $4.00",
        "ira-user Initech 10 $1.00 $3.00",
        "User Price Fees Cost Profit",
        "ann Globex $4.00 $10.00 $8.13 $5.87",
        "ira-user Initech $3.00 $0.00 $1.00 $2.00",
        "Customer Price Fees Cost Profit",
        "Initech $3.00 $50.00 $1.00 $52.00",
        "Globex $4.00 $0.00 $8.13 -$4.13",
    ]
    assert "<b>pro 1 10 1.5k – – $8.13 $8.13 $0.8130 $4.00 $4.00 Set $5.87" in text_of(answer)
    assert "<b>pro" not in answer.content.decode()
    assert "mal" not in text_of(answer).split()


def test_it_tells_how_long_calls_with_a_value_took_and_whose_are_slow(client: Client, cast: Cast):
    """Half of them 300 ms or less, one in twenty a minute: as a histogram has them, within 5 %."""
    took = [(61 << 40) + 19, (117 << 40) + 1]
    amounts = {"requests": 20, "cost": Decimal(2), "price": Decimal(3), "latency_ms": 65_700}
    a_property_hour(cast.globex, HOUR, "feature", "search", end_user="ann", latencies=took, **amounts)
    a_property_hour(cast.globex, HOUR, "feature", "chat", end_user="bob", requests=4, cost=Decimal(9))
    client.force_login(cast.olivia)
    answer = client.get(f"/console/insights/?{MARCH}&name=Feature")
    [chat, search] = answer.context["insights"].plans
    assert (chat.value, chat.latency.p50) == ("chat", None)
    assert search.latency.p50 == pytest.approx(300, rel=0.05)
    assert (search.latency.p95, search.latency.requests) == (search.latency.p50, 20)
    assert search.latency.p99 == pytest.approx(60_000, rel=0.05)
    assert rows_of(answer)[-4:] == [  # four requests are no rule
        "User Feature Requests Latency Cost each",
        "ann Globex search 20 3.29 s $0.1000",
        "User Feature Requests Latency Cost each",
        "ann Globex search 20 3.29 s $0.1000",
    ]


@pytest.mark.usefixtures("used")
def test_the_portal_tells_no_cost_and_has_fees_of_its_own(client: Client, cast: Cast):
    client.force_login(cast.olivia)
    client.post("/console/insights/fees/set/", {"name": "Plan", "value": "<b>pro", "monthly_fee": "77.77"})
    client.force_login(cast.gina)
    client.post("/portal/insights/fees/set/", {"name": "Plan", "value": "<b>pro", "monthly_fee": "10"})
    answer = client.get(f"/portal/insights/?{MARCH}")
    assert "ann $4.00 $10.00 $6.00" in text_of(answer)
    for secret in ("8.13", "77.77", "gpt-secret", "ira-user", "Cost each", "Margin"):
        assert secret not in answer.content.decode(), secret
    client.force_login(cast.ira)
    assert "10.00" not in text_of(client.get(f"/portal/insights/?{MARCH}"))


@pytest.mark.parametrize("face", ["console", "portal"])
def test_with_nothing_used_it_says_what_to_do(client: Client, cast: Cast, face: str):
    client.force_login(cast.olivia if face == "console" else cast.gina)
    said = text_of(client.get(f"/{face}/insights/"))
    assert "send Tollgate-Property-Plan: premium" in said
    assert "Nothing in this period." in said


def test_a_fee_is_set_by_those_who_may_and_noted(client: Client, cast: Cast):
    asked = {"name": "Plan", "value": "pro", "monthly_fee": "9.5"}
    client.force_login(a_member(cast.acme, Role.BILLING).user)
    assert client.post("/console/insights/fees/set/", asked).status_code == 403
    client.force_login(a_customer_member(cast.globex, CustomerRole.DEVELOPER).user)
    assert client.post("/portal/insights/fees/set/", asked).status_code == 403
    client.force_login(cast.olivia)
    for wrong in ("-1", "nonsense", "1e999"):
        client.post("/console/insights/fees/set/", asked | {"monthly_fee": wrong})
    assert not PlanFee.objects.exists()
    client.post("/console/insights/fees/set/", asked)
    assert PlanFee.objects.get().monthly_fee == Decimal("9.5")
    assert AuditEvent.objects.filter(action="plan_fee.set").count() == 1
    client.post("/console/insights/fees/set/", asked | {"monthly_fee": ""})
    assert not PlanFee.objects.exists()
