"""Profits and operations by token: worked out by hand, and without what a customer isn't told."""

from datetime import timedelta
from decimal import Decimal

import pytest

from apps.customers.models import Customer
from apps.customers.plan_fees import set_plan_fee
from tests.api.v1.conftest import NOW, Program
from tests.cast import Cast
from tests.used import a_property_hour, an_hour

HOUR = NOW - timedelta(hours=1)
MARCH = {"since": "2026-03-01T00:00:00Z", "until": "2026-04-01T00:00:00Z"}

pytestmark = pytest.mark.usefixtures("at_noon", "used")


@pytest.fixture
def used(cast: Cast) -> None:
    """Ada of Globex is on premium and slow, bob is on free; ira of Initech, and mal of another operator."""

    def calls(customer, user, feature, **fields) -> None:
        amounts = {"requests": 10, "latency_ms": 10_000} | fields
        an_hour(customer, HOUR, end_user=user, **amounts, model="gpt-secret", sold_as="house")
        a_property_hour(customer, HOUR, "plan", feature, end_user=user, **amounts)

    calls(cast.globex, "ada", "premium", cost=Decimal(8), price=Decimal(4), latency_ms=90_000)
    calls(cast.globex, "bob", "free", cost=Decimal(1), price=Decimal(2))
    calls(cast.globex, None, "free", cost=Decimal(1), price=Decimal(1))
    calls(cast.initech, "ira", "free", cost=Decimal(3), price=Decimal(9))
    calls(cast.shady, "mal", "premium", cost=Decimal(100), price=Decimal(500), latency_ms=10**7)
    an_hour(cast.globex, HOUR, end_user="cy", requests=4, latency_ms=10**6, price=Decimal(0), cost=Decimal(0))
    Customer.objects.filter(pk=cast.initech.pk).update(monthly_fee=Decimal(50))
    set_plan_fee(cast.acme, None, name="plan", value="premium", monthly_fee=Decimal(20), by=None)
    set_plan_fee(cast.acme, cast.globex, name="plan", value="free", monthly_fee=Decimal(7), by=None)


def profits(program: Program, name: str, **query: str) -> list[tuple[str | None, str]]:
    found = program.get("profits", **MARCH, **query)
    assert found["next"] is None
    return [(each[name], each["profit"]) for each in found["data"]]


def test_users_who_bring_most_and_least(acmes: Program, cast: Cast):
    assert profits(acmes, "user") == [("ada", "16"), ("ira", "6"), ("bob", "1"), ("cy", "0")]
    assert profits(acmes, "user", order="profit", limit="2") == [("cy", "0"), ("bob", "1")]
    assert profits(acmes, "user", customer=str(cast.initech.pk)) == [("ira", "6")]
    assert profits(acmes, "user", customer=str(cast.globex.pk), limit="1") == [("ada", "16")]  # the operator's fees
    [ada] = acmes.get("profits", **MARCH, limit="1")["data"]
    assert (ada["customer"], ada["price"], ada["cost"], ada["fee"]) == (str(cast.globex.pk), "4", "8", "20")


def test_customers_models_and_plans(acmes: Program, cast: Cast):
    customers = [(str(cast.initech.pk), "56"), (str(cast.globex.pk), "-3")]
    assert profits(acmes, "customer", group_by="customer") == customers
    assert profits(acmes, "customer", group_by="customer", order="profit") == customers[::-1]
    assert profits(acmes, "customer", group_by="customer", customer=str(cast.globex.pk)) == customers[1:]
    assert profits(acmes, "value", group_by="model") == [("gpt-secret", "3"), ("gpt-4o-mini", "0")]
    plans = {"group_by": "property", "property": "Plan"}
    assert profits(acmes, "value", **plans) == [("premium", "16"), ("free", "7")]
    assert profits(acmes, "value", order="profit", **plans) == [("free", "7"), ("premium", "16")]


def test_a_customer_sees_its_own_fees_less_what_it_pays(globexs: Program):
    assert profits(globexs, "user") == [("bob", "5"), ("cy", "0"), ("ada", "-4")]
    assert profits(globexs, "value", group_by="property", property="plan") == [("free", "4"), ("premium", "-4")]
    assert all("cost" not in each for each in globexs.get("profits", **MARCH)["data"])


def operations(program: Program, **query: str) -> list[tuple[str | None, str, float]]:
    found = program.get("operations", **MARCH, **query)["data"]
    return [(each["user"], each["value"], each["latency_ms"]) for each in found]


def test_slow_and_dear_operations_by_model(acmes: Program, globexs: Program):
    assert operations(acmes, limit="2") == [("ada", "gpt-secret", 9000.0), ("bob", "gpt-secret", 1000.0)]
    assert operations(acmes, order="-cost", limit="2") == [("ada", "gpt-secret", 9000.0), ("ira", "gpt-secret", 1000.0)]
    assert operations(acmes, order="-price", limit="1") == [("ira", "gpt-secret", 1000.0)]
    assert operations(acmes, user="bob") == [("bob", "gpt-secret", 1000.0)]
    assert operations(acmes, user="") == [(None, "gpt-secret", 1000.0)]
    assert operations(acmes, user="cy") == []  # fewer than five
    assert operations(globexs, order="-price") == [
        ("ada", "house", 9000.0),
        ("bob", "house", 1000.0),
        (None, "house", 1000.0),
    ]
    [ada] = acmes.get("operations", **MARCH, limit="1")["data"]
    assert (ada["requests"], ada["cost"], ada["price"]) == (10, "0.8", "0.4")


def test_slow_and_dear_operations_by_a_property(acmes: Program, globexs: Program):
    assert operations(acmes, property="PLAN", limit="2") == [("ada", "premium", 9000.0), ("bob", "free", 1000.0)]
    assert operations(acmes, property="plan", order="-price", limit="1") == [("ira", "free", 1000.0)]
    assert operations(acmes, property="plan", user="bob") == [("bob", "free", 1000.0)]
    assert operations(globexs, property="plan", order="-price", limit="1") == [("ada", "premium", 9000.0)]
    assert all("cost" not in each for each in globexs.get("operations", **MARCH, property="plan")["data"])
    assert operations(acmes, property="unheard-of") == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("profits", {"group_by": "property"}),
        ("profits", {"property": "plan"}),
        ("profits", {"order": "price"}),
        ("profits", {"limit": "101"}),
        ("profits", {"since": "2010-01-01T00:00:00Z"}),
        ("operations", {"order": "latency_ms"}),
        ("operations", {"property": ""}),
    ],
)
def test_what_makes_no_sense_is_told(acmes: Program, path, query):
    assert acmes("GET", path, **query).status_code == 400


@pytest.mark.parametrize(
    ("path", "query"),
    [("profits", {"group_by": "customer"}), ("profits", {"group_by": "model"}), ("operations", {"order": "-cost"})],
)
def test_what_is_for_operators_is_not_for_customers(globexs: Program, cast: Cast, path, query):
    assert globexs("GET", path, **query).status_code == 400
    assert globexs("GET", path, customer=str(cast.initech.pk)).status_code in (400, 404)
