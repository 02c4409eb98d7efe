"""What is earned: by users, customers, models and plans, with and without subscription fees; worked out by hand."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from apps.customers.models import PlanFee
from apps.customers.plan_fees import plan_fees, set_plan_fee
from apps.usage.queries import Scope, UserKey
from apps.usage.queries.profits import operations, plans, profits_by, profits_of_users
from apps.usage.ranges import chosen_range
from tests.cast import Cast
from tests.used import a_property_hour, an_hour

ZONE = ZoneInfo("UTC")
NOON = datetime(2026, 3, 10, 12, tzinfo=ZONE)


@pytest.fixture
def scope(cast: Cast) -> Scope:
    return Scope(cast.acme.pk, datetime(2026, 3, 1, tzinfo=ZONE), datetime(2026, 4, 1, tzinfo=ZONE))


@pytest.fixture(autouse=True)
def history(cast: Cast) -> None:
    """Ann is on premium and was on free before; bob is free; cy has no plan; dee is Initech's, on premium."""

    def used(customer, user, plan, *, hour=NOON, requests=10, cost, price, model="m"):
        amounts = {"requests": requests, "cost": Decimal(cost), "price": Decimal(price)}
        an_hour(customer, hour, end_user=user, model=model, **amounts)
        if plan:
            a_property_hour(customer, hour, "plan", plan, end_user=user, **amounts)

    used(cast.globex, "ann", "premium", cost="8", price="4")
    used(cast.globex, "ann", "free", hour=NOON.replace(day=2), requests=2, cost="1", price="2")
    used(cast.globex, "bob", "free", cost="3", price="3.5", model="slow")
    used(cast.globex, "cy", None, cost="0.5", price="2.5")
    used(cast.globex, None, "free", cost="5", price="1")
    used(cast.initech, "dee", "premium", cost="2", price="2")
    used(cast.shady, "mal", "premium", cost="100", price="500")


FEES = {("plan", "premium"): Decimal(20), ("plan", "free"): Decimal(1)}


def told(found) -> list[tuple[str | None, Decimal]]:
    return [(each.whose.end_user, each.profit) for each in found]


def profits(scope: Scope, *, is_worst=False, **changes):
    usual = {"fees": {}, "months": Decimal(1), "is_operator": True, "most": 10}
    return profits_of_users(scope, **usual | changes)[is_worst]


def test_without_fees_profit_is_price_less_cost_and_nobody_is_not_a_user(scope):
    assert told(profits(scope)) == [("cy", 2), ("bob", Decimal("0.5")), ("dee", 0), ("ann", -3)]
    assert told(profits(scope, is_worst=True, most=2)) == [("ann", -3), ("dee", 0)]


def test_a_user_pays_for_the_plan_that_it_was_on_last(scope):
    assert told(profits(scope, fees=FEES, months=Decimal("0.5"))) == [
        ("dee", 10),
        ("ann", 7),
        ("cy", 2),
        ("bob", Decimal("1.0")),
    ]


def test_of_a_customer_fees_less_what_it_pays_are_its_profit(cast, scope):
    of_globex = Scope(scope.organization_id, scope.since, scope.until, customer_id=cast.globex.pk)
    found = profits(of_globex, fees=FEES, is_operator=False)
    assert told(found) == [("ann", 14), ("cy", Decimal("-2.5")), ("bob", Decimal("-2.5"))] or told(found) == [
        ("ann", 14),
        ("bob", Decimal("-2.5")),
        ("cy", Decimal("-2.5")),
    ]


def test_customers_and_models_with_their_subscriptions(cast, scope):
    found = profits_by(scope, "customer", {cast.initech.pk: Decimal(5)})
    assert [(each.whose, each.profit) for each in found] == [
        (cast.initech.pk, 5),
        (cast.globex.pk, Decimal("-4.5")),
    ]
    models = profits_by(scope, "model")
    assert [(each.whose, each.profit) for each in models] == [("slow", Decimal("0.5")), ("m", -5)]


def test_a_plan_has_its_users_averages_and_what_they_pay(scope):
    found = plans(scope, "Plan", fees=FEES, months=Decimal(1), is_operator=True)
    assert [(plan.value, plan.users, plan.figures.requests, plan.cost_per_user) for plan in found] == [
        ("premium", 2, 20, 5),
        ("free", 2, 22, Decimal("4.5")),  # of ann and bob; what names nobody costs, and is nobody
    ]
    assert [(plan.paid, plan.profit) for plan in found] == [(40, 36), (2, Decimal("-0.5"))]
    assert plans(scope, "feature", fees={}, months=Decimal(1), is_operator=True) == []


def test_a_plan_without_users_has_no_average(cast, scope):
    a_property_hour(cast.globex, NOON, "tier", "x", end_user=None)
    [plan] = plans(scope, "tier", fees={}, months=Decimal(1), is_operator=True)
    assert (plan.users, plan.cost_per_user, plan.price_per_user, plan.fee) == (0, None, None, None)


def test_slow_and_dear_operations_leave_out_what_was_done_few_times(cast, scope):
    an_hour(cast.globex, NOON, end_user="eve", model="once", requests=4, cost=Decimal(400), latency_ms=10**6)
    an_hour(cast.globex, NOON, end_user="eve", model="often", requests=5, cost=Decimal(1), latency_ms=50_000)
    slow, dear = operations(scope, is_operator=True, most=1)
    assert [(each.key, each.model, each.latency_ms) for each in slow] == [
        (UserKey(cast.globex.pk, "eve"), "often", 10_000.0)
    ]
    assert [(each.key.end_user, each.cost) for each in dear] == [("ann", Decimal("0.75"))]


@pytest.mark.parametrize(
    ("asked", "months"),
    [
        ({"since": "2026-03-01", "until": "2026-03-31"}, "1"),
        ({"since": "2026-02-01", "until": "2026-03-31"}, "2"),
        ({"since": "2026-02-01", "until": "2026-02-07"}, "0.25"),
        ({"since": "2026-02-22", "until": "2026-04-15"}, "1.75"),
    ],
)
def test_a_fee_is_due_for_the_days_of_a_month_that_are_meant(asked, months):
    assert chosen_range(asked, NOON, ZONE).months == Decimal(months)


def test_fees_are_the_operators_or_one_customers(cast: Cast):
    set_plan_fee(cast.acme, None, name="Plan", value="pro", monthly_fee=Decimal(9), by=None)
    set_plan_fee(cast.acme, cast.globex, name="plan", value="pro", monthly_fee=Decimal(30), by=None)
    assert plan_fees(cast.acme, None) == {("plan", "pro"): 9}
    assert plan_fees(cast.acme, cast.globex) == {("plan", "pro"): 30}
    assert plan_fees(cast.acme, cast.initech) == {}
    assert plan_fees(cast.evil_corp, None) == {}
    set_plan_fee(cast.acme, cast.globex, name="plan", value="pro", monthly_fee=Decimal(31), by=None)
    set_plan_fee(cast.acme, None, name="plan", value="pro", monthly_fee=None, by=None)
    assert [(str(row), row.monthly_fee) for row in PlanFee.objects.all()] == [("plan=pro", 31)]
