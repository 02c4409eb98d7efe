"""Plans, subscriptions, coupons and the simulator by API."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from apps.billing.models import AppliedCoupon, Plan, PlanVersion, Subscription
from apps.billing.services.subscriptions import subscribe
from apps.pricing.rate_cards import add_rate_card
from tests.api.v1.conftest import NOW, Program
from tests.billing.plans import a_plan
from tests.cast import Cast, an_api_token
from tests.used import an_hour

pytestmark = pytest.mark.usefixtures("noon")

TIERS = [{"up_to": "1000000", "unit": "5"}, {"up_to": None, "unit": "4", "flat": "1.50"}]
CHARGE = {"name": "GPT", "models": "gpt-*", "metric": "tokens", "per": "1000000", "tiers": TIERS, "minimum": "10"}
ALLOWANCE = {"name": "Free", "metric": "requests", "quantity": "1000", "rolls_over": True}


def a_card(organization, name: str = "Retail"):
    rules = [{"match": "*", "mode": "cost_plus", "markup_percent": "50"}]
    return add_rate_card(organization, name=name, rules=rules, effective_from=NOW, by=None)


def test_a_plan_is_offered_with_its_terms(acmes: Program, cast: Cast):
    card = a_card(cast.acme)
    body = {
        "name": "Pro", "description": "For teams", "fee": "99", "interval": "quarter", "minimum": "200",
        "charges": [CHARGE], "allowances": [ALLOWANCE], "rate_card": str(card.pk), "trial_days": 14,
    }  # fmt: skip
    told = acmes.does("POST", "plans", body, key="1", status=201)
    assert (told["name"], told["slug"], told["description"]) == ("Pro", "pro", "For teams")
    terms = told["terms"]
    assert (terms["number"], terms["fee"], terms["interval"], terms["currency"]) == (1, "99", "quarter", "USD")
    assert (terms["minimum"], terms["trial_days"], terms["rate_card"]) == ("200", 14, str(card.pk))
    assert terms["charges"] == [
        {"name": "GPT", "models": "gpt-*", "metric": "tokens", "mode": "graduated", "per": "1000000", "minimum": "10",
         "tiers": [{"up_to": "1000000", "unit": "5"}, {"up_to": None, "unit": "4", "flat": "1.5"}]}
    ]  # fmt: skip
    assert terms["allowances"] == [ALLOWANCE | {"models": "*"}]
    assert told["versions"] == [terms]
    assert acmes.get(f"plans/{told['id']}") == told


WRONG = [
    pytest.param({"currency": "XXX"}, "currency", id="no-such-currency"),
    pytest.param({"charges": [CHARGE | {"tiers": TIERS[:1]}]}, "charges", id="tiers-that-end"),
    pytest.param({"charges": [CHARGE, CHARGE]}, "charges", id="two-of-a-name"),
    pytest.param({"charges": [CHARGE], "settlement": "prepaid"}, "settlement", id="tiers-of-what-is-prepaid"),
    pytest.param({"charges": [CHARGE | {"colour": "red"}]}, "charges/0/colour", id="a-member-that-is-none"),
    pytest.param({"fee": "-1"}, "fee", id="a-fee-below-nothing"),
    pytest.param({"fee": 99}, "fee", id="a-fee-as-a-float"),
    pytest.param({"discount_percent": "101"}, "discount_percent", id="more-than-all-of-it"),
]


@pytest.mark.parametrize(("terms", "pointer"), WRONG)
def test_terms_that_cannot_be_counted_with_are_refused(acmes: Program, terms, pointer):
    told = acmes.does("POST", "plans", {"name": "Pro", **terms}, key="1", status=400)
    assert told["errors"][0]["pointer"] == f"#/{pointer}"
    assert not Plan.objects.exists()


def test_a_rate_card_of_somebody_else_is_none(acmes: Program, cast: Cast):
    card = a_card(cast.evil_corp)
    told = acmes.does("POST", "plans", {"name": "Pro", "rate_card": str(card.pk)}, key="1", status=400)
    assert told["errors"] == [{"detail": "There is no such rate card.", "pointer": "#/rate_card"}]


def test_a_change_is_the_next_version_and_the_same_is_none(acmes: Program, globexs: Program, cast: Cast):
    plan = a_plan(cast.acme, "Pro").plan
    subscribe(cast.globex, plan.versions.get(), by=None, at=NOW)
    path = f"plans/{plan.pk}"
    told = acmes.does("POST", f"{path}/versions", {"fee": "49", "charges": [CHARGE]}, status=201)
    assert [(each["number"], each["fee"]) for each in told["versions"]] == [(1, "31"), (2, "49")]
    assert told["versions"][0]["charges"] == []
    again = acmes.does("POST", f"{path}/versions", {"fee": "49"}, status=201)
    assert again == told
    assert PlanVersion.objects.count() == 2
    own = globexs.get(path)
    assert [each["number"] for each in own["versions"]] == [1]
    assert "rate_card" not in own["terms"]
    assert Program(an_api_token(cast.acme, cast.initech)[1])("GET", path).status_code == 404


def test_a_plan_is_renamed_retired_and_offered_again(acmes: Program, cast: Cast):
    plan = a_plan(cast.acme, "Pro").plan
    path = f"plans/{plan.pk}"
    told = acmes.does("PATCH", path, {"description": "For teams"})
    assert (told["name"], told["description"], len(told["versions"])) == ("Pro", "For teams", 1)
    assert acmes.does("POST", f"{path}/retire")["retired_at"] == "2026-03-10T12:00:00Z"
    body = {"customer": str(cast.globex.pk), "plan": str(plan.pk)}
    refused = acmes.does("POST", "subscriptions", body, status=409)
    assert refused["detail"] == "Pro is retired: offer it again first, or choose another."
    assert acmes.does("POST", f"{path}/offer")["retired_at"] is None
    acmes.does("POST", "subscriptions", body, status=201)


def test_a_customer_is_put_on_a_plan_once(acmes: Program, globexs: Program, cast: Cast):
    plan = a_plan(cast.acme, "Pro").plan
    body = {"customer": str(cast.globex.pk), "plan": str(plan.pk), "starts_on": "2026-03-05", "trial_days": 7}
    told = acmes.does("POST", "subscriptions", body, status=201)
    assert (told["starts_at"], told["trial_ends_at"], told["anchor_on"]) == (
        "2026-03-05T00:00:00Z", "2026-03-12T00:00:00Z", "2026-03-05"
    )  # fmt: skip
    assert (told["customer"], told["plan_name"], told["terms"]["fee"]) == (str(cast.globex.pk), "Pro", "31")
    acmes.does("POST", "subscriptions", body, status=409)
    assert globexs.get(f"subscriptions/{told['id']}")["id"] == told["id"]
    assert Subscription.objects.count() == 1


@pytest.mark.parametrize(("when", "day"), [("now", "2026-03-10T00:00:00Z"), ("period_end", "2026-04-01T00:00:00Z")])
def test_a_plan_is_changed_now_or_when_the_period_is_over(acmes: Program, cast: Cast, when: str, day: str):
    old, new = a_plan(cast.acme, "Old"), a_plan(cast.acme, "New")
    subscription = subscribe(cast.globex, old, by=None, at=datetime(2026, 2, 1, tzinfo=UTC))
    path = f"subscriptions/{subscription.pk}"
    follows = acmes.does("POST", f"{path}/change", {"plan": str(new.plan_id), "when": when}, status=201)
    assert (follows["plan_name"], follows["starts_at"]) == ("New", day)
    assert acmes.get(path)["ends_at"] == day


def test_an_end_is_taken_back(acmes: Program, cast: Cast):
    subscription = subscribe(cast.globex, a_plan(cast.acme), by=None, at=datetime(2026, 2, 1, tzinfo=UTC))
    path = f"subscriptions/{subscription.pk}"
    assert acmes.does("POST", f"{path}/end")["ends_at"] == "2026-04-01T00:00:00Z"
    assert acmes.does("POST", f"{path}/keep")["ends_at"] is None
    assert acmes.does("POST", f"{path}/end", {"when": "now"})["ends_at"] == "2026-03-11T00:00:00Z"


def test_one_that_has_not_begun_is_gone(acmes: Program, cast: Cast):
    plan = a_plan(cast.acme)
    body = {"customer": str(cast.globex.pk), "plan": str(plan.plan_id), "starts_on": "2026-05-01"}
    made = acmes.does("POST", "subscriptions", body, status=201)
    told = acmes.does("POST", f"subscriptions/{made['id']}/end", {"when": "now"})
    assert (told["id"], told["starts_at"], told["ends_at"]) == (made["id"], made["starts_at"], made["starts_at"])
    acmes.does("GET", f"subscriptions/{made['id']}", status=404)


def test_subscribers_are_moved_to_the_newest_terms(acmes: Program, cast: Cast):
    plan = a_plan(cast.acme).plan
    for customer in (cast.globex, cast.initech):
        subscribe(customer, plan.versions.get(), by=None, at=datetime(2026, 2, 1, tzinfo=UTC))
    acmes.does("POST", f"plans/{plan.pk}/versions", {"fee": "49"}, status=201)
    assert acmes.does("POST", f"plans/{plan.pk}/move") == {"moved": 2}
    assert acmes.does("POST", f"plans/{plan.pk}/move") == {"moved": 0}


def test_coupons_are_made_given_taken_and_retired(acmes: Program, cast: Cast):
    made = acmes.does("POST", "coupons", {"code": "welcome", "percent": "12.5", "periods": 3}, status=201)
    assert (made["code"], made["percent"], made["amount"], made["periods"]) == ("WELCOME", "12.5", None, 3)
    acmes.does("POST", "coupons", {"code": "Welcome", "percent": "5"}, status=400)
    acmes.does("POST", "coupons", {"code": "BOTH", "percent": "5", "amount": "5"}, status=400)
    acmes.does("POST", "coupons", {"code": "NEITHER"}, status=400)
    path = f"customers/{cast.globex.pk}/coupons"
    held = acmes.does("POST", path, {"coupon": made["id"]}, status=201)
    assert held == {
        "coupon": made["id"], "code": "WELCOME", "periods_left": 3, "created_at": "2026-03-10T12:00:00Z"
    }  # fmt: skip
    acmes.does("POST", path, {"coupon": made["id"]}, status=409)
    assert acmes.get(path) == {"data": [held]}
    acmes.does("DELETE", f"{path}/{made['id']}", status=204)
    acmes.does("DELETE", f"{path}/{made['id']}", status=404)
    assert acmes.get(path) == {"data": []}
    assert acmes.does("POST", f"coupons/{made['id']}/retire")["retired_at"] is not None
    acmes.does("POST", path, {"coupon": made["id"]}, status=409)
    assert [each["code"] for each in acmes.everything("coupons")] == ["WELCOME"]
    assert AppliedCoupon.objects.count() == 1


def test_a_month_on_each_plan(acmes: Program, globexs: Program, cast: Cast):
    an_hour(cast.globex, datetime(2026, 2, 3, 8, tzinfo=UTC), price=Decimal(30), cost=Decimal(20), requests=3)
    cheap = a_plan(cast.acme, "Cheap", fee=Decimal(5))
    a_plan(cast.acme, "Euro", fee=Decimal(5), currency="EUR")
    subscribe(cast.globex, cheap, by=None, at=NOW)
    path = f"customers/{cast.globex.pk}/simulation"
    told = acmes.get(path, month="2026-02")
    assert (told["month"], told["priced"], told["cost"]) == ("2026-02-01", "30", "20")
    [row] = told["plans"]
    assert (row["plan_name"], row["is_current"], row["total"], row["difference"], row["margin"]) == (
        "Cheap", True, "35", "5", "15"
    )  # fmt: skip
    assert [(line["kind"], line["amount"]) for line in row["lines"]] == [("fee", "5"), ("usage", "30")]
    assert "no exchange rate of EUR" in told["problems"][0]["detail"]
    assert acmes.get(path)["month"] == "2026-02-01"
    acmes.does("GET", path, month="2026-13", status=400)
    globexs.does("GET", path, status=403)
