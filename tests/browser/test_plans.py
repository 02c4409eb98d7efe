"""Plans in a browser: an operator makes one with tiers, and every page of them is accessible and fits a phone."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from apps.billing.models import PlanVersion
from apps.billing.services.coupons import add_coupon, apply_coupon
from apps.billing.services.subscriptions import subscribe
from tests.billing.plans import NOON, TIERS, a_plan
from tests.browser.visits import check, sign_in_as
from tests.cast import Cast
from tests.used import an_hour

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
INCLUDED = [{"name": "Included", "models": "*", "metric": "tokens", "quantity": "1000000", "rolls_over": True}]


def test_a_plan_with_tiers_is_made_and_a_customer_put_on_it(page: Page, cast: Cast, complaints: list[str]):
    sign_in_as(page, cast.olivia)
    page.goto("/console/billing/plans/add/")
    page.fill("input[name=name]", "Team")
    page.fill("input[name=fee]", "49.90")
    page.click("summary:has-text('Another charge')")
    page.fill("input[name=charges-0-name]", "Tokens")
    page.fill("textarea[name=charges-0-tiers]", "1000000 2.50\n* 1.50 10")
    page.click("button:has-text('Add plan')")
    expect(page.get_by_role("heading", name="Team")).to_be_visible()
    version = PlanVersion.objects.get()
    assert version.charges[0]["tiers"] == [
        {"up_to": "1000000", "unit": "2.50"},
        {"up_to": None, "unit": "1.50", "flat": "10"},
    ]
    page.goto(f"/console/customers/{cast.globex.pk}/plan/")
    page.click("main button:has-text('Subscribe')")
    expect(page.get_by_text("Globex is on Team from")).to_be_visible()
    assert complaints == []


def test_pages_of_plans_are_accessible_and_fit_a_phone(page: Page, cast: Cast, complaints: list[str]):
    version = a_plan(cast.acme, "Team", allowance=Decimal(5), allowances=INCLUDED, charges=TIERS, minimum=Decimal(50))
    subscribe(cast.globex, version, by=None, at=NOON)
    coupon = add_coupon(cast.acme, code="WELCOME", percent=Decimal(10), periods=3, by=None, at=NOON)
    apply_coupon(cast.globex, coupon, by=None, at=NOON)
    an_hour(cast.globex, datetime(2026, 10, 5, 9, tzinfo=UTC), input_tokens=1_000_000)
    sign_in_as(page, cast.olivia)
    plan, customer = f"/console/billing/plans/{version.plan_id}/", f"/console/customers/{cast.globex.pk}/plan/"
    for path in ("/console/billing/plans/", plan, f"{plan}edit/", customer, f"{customer}simulate/?month=2026-10"):
        check(page, path)
    page.context.clear_cookies()
    sign_in_as(page, cast.gina)
    check(page, "/portal/billing/plan/")
    assert complaints == []
