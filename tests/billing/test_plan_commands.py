"""Commands about plans: the same services as the pages, told as JSON."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.billing.services.plans import change_plan
from tests.billing.plans import NOON, TIERS, a_plan
from tests.cast import a_customer, an_organization
from tests.used import an_hour

D = Decimal


@pytest.fixture
def customer(db):
    return a_customer(an_organization("Acme"), "Globex")


def told(name, *arguments):
    out = StringIO()
    call_command(name, *arguments, "--organization", "acme", "--customer", "globex", "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_month_is_simulated(customer):
    a_plan(customer.organization, "Team", fee=D(10), charges=TIERS, discount_percent=D(50))
    hour = datetime(2026, 10, 5, 9, tzinfo=UTC)
    an_hour(customer, hour, input_tokens=1_000_000, output_tokens=500_000)
    assert told("simulate_plan", "team", "--month", "2026-10") == {
        "plan": "Team 1",
        "customer": "globex",
        "month": "2026-10",
        "currency": "USD",
        "lines": ["fee Team: 10.00", "charge Tokens: 3.00"],
        "discount": "6.50",
        "total": "6.50",
        "as_requests_are_priced": "3.000000000000",
        "cost": "2.000000000000",
        "margin": "4.500000000000",
    }


def test_a_version_is_named_by_its_number(customer):
    first = a_plan(customer.organization, "Team", fee=D(10))
    change_plan(first.plan, by=None, at=NOON, fee=D(20))
    assert [told("simulate_plan", name)["total"] for name in ("team", "team:1", "team:2")] == [
        "20.00",
        "10.00",
        "20.00",
    ]


@pytest.mark.parametrize("arguments", [["nothing"], ["team:3"], ["team:x"], ["team", "--month", "2026-13"]])
def test_what_there_is_not_is_told(customer, arguments):
    a_plan(customer.organization, "Team")
    with pytest.raises(CommandError, match=r"no plan|no month"):
        told("simulate_plan", *arguments)


def test_a_customer_is_put_on_plans_by_command_and_saying_it_twice_changes_nothing(customer):
    for name in ("Team", "Solo"):
        a_plan(customer.organization, name)
    first = told("subscribe", "team", "--from", "2026-01-01", "--trial-days", "3")
    assert (first["plan"], first["starts_at"], first["ends_at"]) == ("Team 1", "2026-01-01T00:00:00Z", None)
    assert told("subscribe", "team") == first
    assert told("subscribe", "solo", "--now")["plan"] == "Solo 1"
    ended = told("subscribe", "none")
    assert ended["ends_at"] is not None
    assert told("subscribe", "none") == ended
    assert customer.subscriptions.count() == 2


def test_who_is_on_no_plan_can_be_told_so(customer):
    assert told("subscribe", "none") == {"customer": "globex", "plan": None}
