"""The operator's pages of plans and coupons."""

from decimal import Decimal

import pytest
from django.test import Client

from apps.accounts.models import Role
from apps.billing.models import Coupon, Plan, PlanVersion
from apps.billing.services.plans import change_plan, newest_version
from apps.billing.services.subscriptions import subscribe
from tests.billing.plans import NOON, a_plan
from tests.cast import Cast, a_member, reread
from tests.pages import rows_of, text_of

D = Decimal
TERMS = {
    "name": "Team",
    "description": "For teams",
    "currency": "EUR",
    "interval": "month",
    "alignment": "calendar",
    "fee": "49.90",
    "fee_due": "advance",
    "settlement": "postpaid",
    "allowance": "0",
    "minimum": "100",
    "discount_percent": "5",
    "trial_days": "14",
}
CHARGE = {
    "name": "Tokens",
    "models": "gpt-4o*",
    "metric": "tokens",
    "mode": "graduated",
    "per": "1000000",
    "tiers": "1,000,000 10\r\n\r\n* 4 1.50\r\n",
    "free": "5000",
}
ALLOWANCE = {"name": "Included", "models": "*", "metric": "requests", "quantity": "1000", "rolls_over": "on"}


def typed(charges=(), allowances=(), **terms):
    data = TERMS | terms
    for prefix, rows in (("charges", charges), ("allowances", allowances)):
        data |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": 0}
        data |= {f"{prefix}-{index}-{name}": value for index, row in enumerate(rows) for name, value in row.items()}
    return data


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


def test_a_plan_is_offered_as_it_was_typed(olivia: Client, cast: Cast):
    answer = olivia.post("/console/billing/plans/add/", typed([CHARGE], [ALLOWANCE]))
    plan = Plan.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/console/billing/plans/{plan.pk}/")
    version = newest_version(plan)
    assert (plan.organization, plan.name, version.currency, version.fee) == (cast.acme, "Team", "EUR", D("49.90"))
    assert version.charges == [
        {
            "name": "Tokens",
            "models": "gpt-4o*",
            "metric": "tokens",
            "mode": "graduated",
            "per": "1000000",
            "tiers": [{"up_to": "1000000", "unit": "10"}, {"up_to": None, "unit": "4", "flat": "1.50"}],
            "free": "5000",
        }
    ]
    assert version.allowances == [
        {"name": "Included", "models": "*", "metric": "requests", "rolls_over": True, "quantity": "1000"}
    ]
    shown = text_of(olivia.get(f"/console/billing/plans/{plan.pk}/"))
    for told in (
        "€49.90",
        "Commitment €100.00",
        "14 days",
        "Tokens tokens of gpt-4o*",
        "1,000 requests of *",
        "1,000,000 10 / 1,000,000",
    ):
        assert told in shown


WRONG = [
    ({"charges": [CHARGE | {"tiers": "1000 10"}]}, "Tokens: The last tier must be without an upper end"),
    ({"charges": [CHARGE | {"tiers": "1000"}]}, "Line 1:"),
    ({"charges": [CHARGE | {"tiers": "* dear"}]}, "“dear” is not a number"),
    ({"charges": [CHARGE | {"name": ""}]}, "Give each charge and each allowance a name"),
    ({"charges": [CHARGE], "settlement": "prepaid"}, "let usage be on the invoice"),
    ({"allowances": [ALLOWANCE | {"quantity": "0"}]}, "includes more than nothing"),
    ({"fee": "-1"}, "greater than or equal to 0"),
    ({"name": ""}, "This field is required"),
    ({"currency": "XYZ"}, "Select a valid choice"),
]


@pytest.mark.parametrize(("wrong", "told"), WRONG)
def test_what_is_wrong_is_told_and_nothing_is_offered(olivia: Client, wrong, told):
    answer = olivia.post("/console/billing/plans/add/", typed(**wrong))
    assert answer.status_code == 200
    assert told in text_of(answer)
    assert not Plan.objects.exists()


def test_what_is_changed_is_the_next_version(olivia: Client, cast: Cast):
    olivia.post("/console/billing/plans/add/", typed([CHARGE], [ALLOWANCE]))
    plan = Plan.objects.get()
    page = olivia.get(f"/console/billing/plans/{plan.pk}/edit/").content.decode()
    assert "1000000 10\n* 4 1.50</textarea>" in page
    assert 'value="49.9"' in page
    address = f"/console/billing/plans/{plan.pk}/edit/"
    kept = CHARGE | {"tiers": "1000000 10\n* 4 1.50"}
    olivia.post(address, typed([kept], [ALLOWANCE], name="Team Plus"))
    assert (plan.versions.count(), reread(plan).name) == (1, "Team Plus")
    olivia.post(address, typed([kept, kept | {"name": "", "tiers": ""}], fee="59"))
    second = newest_version(plan)
    assert (second.number, second.fee, len(second.charges), second.allowances) == (2, 59, 1, [])
    assert PlanVersion.objects.get(plan=plan, number=1).fee == D("49.90")


def test_the_list_tells_what_plans_bring(olivia: Client, cast: Cast):
    yearly = a_plan(cast.acme, "Yearly", fee=D(120), interval="year")
    a_plan(cast.acme, "Empty", fee=0)
    a_plan(cast.evil_corp, "Theirs")
    for customer in (cast.globex, cast.initech):
        subscribe(customer, yearly, by=None, at=NOON)
    change_plan(yearly.plan, by=None, at=NOON, fee=D(240))
    assert rows_of(olivia.get("/console/billing/plans/"))[1:] == [
        "Empty version 1 none nothing as requests are priced 0 $0.00",
        "Yearly version 2 $240.00 / Year nothing as requests are priced 2 2 on earlier versions $20.00",
    ]


def test_who_is_behind_is_moved(olivia: Client, cast: Cast):
    plan = a_plan(cast.acme).plan
    subscribe(cast.globex, newest_version(plan), by=None, at=NOON)
    change_plan(plan, by=None, at=NOON, fee=D(40))
    address = f"/console/billing/plans/{plan.pk}/"
    assert "Move 1 to this version" in text_of(olivia.get(address))
    assert "1 customer moves when its period is over" in text_of(olivia.post(f"{address}move/", follow=True))
    assert cast.globex.subscriptions.get(ends_at=None).version.number == 2
    assert "Move 1" not in text_of(olivia.get(address))


def test_a_plan_is_retired_and_offered_again(olivia: Client, cast: Cast):
    plan = a_plan(cast.acme).plan
    assert "Nobody new" in text_of(olivia.post(f"/console/billing/plans/{plan.pk}/retire/", follow=True))
    assert reread(plan).retired_at is not None
    assert "offered again" in text_of(olivia.post(f"/console/billing/plans/{plan.pk}/offer/", follow=True))
    assert reread(plan).retired_at is None


def test_coupons_are_made_and_retired(olivia: Client, cast: Cast):
    assert "There are none" not in text_of(olivia.get("/console/billing/plans/"))
    fields = {"code": "welcome", "percent": "10", "currency": "USD", "periods": "3"}
    olivia.post("/console/billing/coupons/add/", fields)
    coupon = Coupon.objects.get()
    assert (coupon.organization, coupon.code, coupon.percent, coupon.periods) == (cast.acme, "WELCOME", 10, 3)
    assert "WELCOME 10 % 3 periods Retire" in text_of(olivia.get("/console/billing/plans/"))
    both = olivia.post("/console/billing/coupons/add/", fields | {"code": "B", "amount": "5"}, follow=True)
    assert "Give a percentage or an amount" in text_of(both)
    olivia.post(f"/console/billing/coupons/{coupon.pk}/retire/")
    assert reread(coupon).retired_at is not None
    assert Coupon.objects.count() == 1


def test_who_only_looks_is_shown_nothing_to_press(client: Client, cast: Cast):
    plan = a_plan(cast.acme).plan
    client.force_login(a_member(cast.acme, Role.VIEWER).user)
    for address in ("", f"{plan.pk}/"):
        page = client.get(f"/console/billing/plans/{address}").content.decode().split("<main", 1)[1]
        assert "<form" not in page
        assert "button-primary" not in page
