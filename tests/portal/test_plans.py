"""The customer's page of its plan."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from apps.billing.periods import day_of
from apps.billing.services.subscriptions import change_subscription, subscribe
from tests.billing.plans import TIERS, a_plan
from tests.cast import Cast
from tests.pages import rows_of, text_of
from tests.used import an_hour

D = Decimal
PAGE = "/portal/billing/plan/"
INCLUDED = [{"name": "Included", "models": "*", "metric": "tokens", "quantity": "1000000"}]


@pytest.fixture
def gina(client: Client, cast: Cast) -> Client:
    client.force_login(cast.gina)
    return client


def this_month(cast):
    """The first instant of the calendar month, and that of today."""
    now = timezone.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.replace(day=1), midnight


def test_without_a_plan_the_page_says_what_is_paid(gina: Client):
    assert "You pay for what you use, at the price of each request." in text_of(gina.get(PAGE))


def test_the_plan_is_told_with_what_is_left_and_what_usage_comes_to(gina: Client, cast: Cast):
    """2.5M tokens, of which 1M is included: 1.5M at 2 a million. Neither cost nor margin."""
    first, today = this_month(cast)
    version = a_plan(
        cast.acme, "Team", description="For teams", fee=D(10), allowance=D(20), allowances=INCLUDED, charges=TIERS
    )
    subscribe(cast.globex, version, by=None, at=timezone.now(), starts_on=first.date())
    an_hour(cast.globex, today, input_tokens=2_000_000, output_tokens=500_000, cost=D("1.2345"))
    an_hour(cast.globex, first - timedelta(days=1), input_tokens=9_000_000)
    shown = gina.get(PAGE)
    told = text_of(shown)
    for words in ("Team Active", "For teams", "$10.00 / Month", "Tokens tokens of *"):
        assert words in told
    assert rows_of(shown)[-6:] == [
        "Included tokens 1,000,000 1,000,000 0",
        f"Credit until 1 {day_of(first + timedelta(days=31), 'UTC'):%b %Y} $20.00 $0.00 $20.00",
        "Usage so far Quantity Amount",
        "Tokens 1,500,000 tokens $3.00",
        "Included 1,000,000 tokens $0.00",
        "Before credit, discounts and tax $3.00",
    ]
    assert "1.23" not in told


def test_what_is_to_come_is_told(gina: Client, cast: Cast):
    old, new = a_plan(cast.acme, "Old"), a_plan(cast.acme, "New")
    subscription = subscribe(cast.globex, old, by=None, at=timezone.now())
    change_subscription(subscription, new, by=None, at=timezone.now(), at_period_end=True)
    told = text_of(gina.get(PAGE))
    assert "on: New." in told
    assert "Nothing was used in this period yet." in told


def test_a_plan_in_a_currency_without_a_rate_is_shown_all_the_same(gina: Client, cast: Cast):
    subscribe(cast.globex, a_plan(cast.acme, "In euros", currency="EUR"), by=None, at=timezone.now())
    told = text_of(gina.get(PAGE))
    assert "In euros Active" in told
    assert "Usage so far" not in told
