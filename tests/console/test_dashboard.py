"""The operator's overview: exact sums of exactly its customers, in its own zone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from apps.accounts.models import Organization
from apps.usage.models import DayCardinality, Keeping
from tests.cast import Cast, a_customer, a_person, a_provider_key, a_proxy_key, an_organization
from tests.pages import rows_of, text_of
from tests.used import an_hour

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR = NOW.replace(hour=10)


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW)


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


@pytest.fixture
def used(cast: Cast) -> None:
    """3 hours of two customers, and one of another operator's."""
    an_hour(cast.globex, HOUR, requests=10, cost=Decimal(2), price=Decimal(3), refused=2, failed=1)
    an_hour(cast.globex, HOUR - timedelta(days=1), model="o4-mini", end_user=None, cost=Decimal(1), price=Decimal(4))
    an_hour(cast.initech, HOUR, requests=5, input_tokens=40, output_tokens=2, cost=Decimal(8), price=Decimal(6))
    an_hour(cast.shady, HOUR, requests=1000, cost=Decimal(1000), price=Decimal(1000))


@pytest.mark.usefixtures("used")
def test_the_sums_are_those_of_the_operators_customers(olivia: Client):
    said = text_of(olivia.get("/console/"))
    assert "Requests 25 2 refused by limits" in said
    assert "Tokens 3.04k 2.04k in, 1k out" in said
    assert "Cost $11.00 what providers charge" in said
    assert "Price $13.00 $2.00 margin" in said
    assert "Errors 4.3% 1 failed" in said  # of the 23 that were let in


@pytest.mark.usefixtures("used")
def test_customers_and_models_are_ordered_by_what_they_pay(olivia: Client):
    assert rows_of(olivia.get("/console/")) == [
        "Customer Requests Tokens Cost Price",
        "Globex 20 3k $3.00 $7.00",
        "Initech 5 42 $8.00 $6.00",
        "Model Requests Tokens Cost Price",
        "gpt-4o-mini 15 1.54k $10.00 $9.00",
        "o4-mini 10 1.5k $1.00 $4.00",
    ]


@pytest.mark.usefixtures("used")
def test_a_period_holds_what_began_in_it(olivia: Client, cast: Cast):
    assert "Price $9.00" in text_of(olivia.get("/console/?period=today"))
    assert "Price $13.00" in text_of(olivia.get("/console/?period=7d"))
    assert "Price $0.00" in text_of(olivia.get("/console/?period=last_month"))
    an_hour(cast.globex, HOUR - timedelta(days=89), price=Decimal(1))
    an_hour(cast.globex, HOUR - timedelta(days=90), price=Decimal(20))
    assert "Price $14.00" in text_of(olivia.get("/console/?period=90d"))
    assert "Price $13.00" in text_of(olivia.get("/console/?period=nonsense"))


@pytest.mark.usefixtures("used")
def test_unpriced_requests_are_told(olivia: Client, cast: Cast):
    an_hour(cast.globex, HOUR, model="new", unpriced=3, cost=0, price=0)
    assert "The price of 3 requests is not known: they are in no sum of money here." in text_of(olivia.get("/console/"))


@pytest.mark.usefixtures("used")
def test_more_end_users_and_values_than_may_be_are_told(olivia: Client, cast: Cast):
    assert "(other)" not in text_of(olivia.get("/console/"))
    DayCardinality.objects.create(organization=cast.evil_corp, day=HOUR, has_other_users=True, has_other_values=True)
    assert "(other)" not in text_of(olivia.get("/console/"))
    Keeping.objects.create(organization=cast.acme, most_end_users=7)
    DayCardinality.objects.create(organization=cast.acme, day=HOUR, has_other_users=True, has_other_values=True)
    told = text_of(olivia.get("/console/"))
    assert f"On {HOUR:%-d %B} more than 7 end users made calls" in told
    assert f"On {HOUR:%-d %B} properties had more than 50000 different values" in told


def test_today_begins_at_midnight_there(client: Client, cast: Cast):
    owner = a_person()
    delhi = an_organization(owner=owner, time_zone="Asia/Kolkata")
    customer = a_customer(delhi)
    midnight = datetime(2026, 3, 9, 18, 30, tzinfo=UTC)  # 5 h 30 min before UTC's
    an_hour(customer, midnight, price=Decimal(5))
    an_hour(customer, midnight - timedelta(hours=1), price=Decimal(7))
    client.force_login(owner)
    answer = client.get("/console/?period=today")
    assert "Price $5.00" in text_of(answer)
    assert b"00:00: $5.00" in answer.content


STEPS = ["Put a provider key in the vault", "Add a customer", "Have the customer sign in and generate a key"]


def test_a_new_operator_is_told_what_to_do(client: Client, cast: Cast):
    owner = a_person()
    new = an_organization(owner=owner)
    client.force_login(owner)
    assert done(client, new) == []
    a_provider_key(new)
    assert done(client, new) == STEPS[:1]
    customer = a_customer(new)
    assert done(client, new) == STEPS[:2]
    assert f"/console/customers/{customer.pk}/" in client.get("/console/").content.decode()  # where people are invited
    a_proxy_key(customer)
    assert "Set up" not in text_of(client.get("/console/"))


def done(client: Client, organization: Organization) -> list[str]:
    """The steps that have a tick; the others are links."""
    said = text_of(client.get("/console/"))
    assert all(step in said for step in STEPS)
    return [step for step in STEPS if f"✓ {step}" in said]


def test_more_customers_are_no_more_queries(olivia: Client, cast: Cast, django_assert_num_queries):
    an_hour(cast.globex, HOUR)
    with django_assert_num_queries(10):
        olivia.get("/console/")
    for _ in range(20):
        an_hour(a_customer(cast.acme), HOUR)
    with django_assert_num_queries(10):
        olivia.get("/console/")
