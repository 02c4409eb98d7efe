"""From a plan on a page to the lines of an invoice: subscribed, changed and ended by services, billed by a run."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from apps.billing.models import CreditNote
from apps.billing.services.coupons import add_coupon, apply_coupon
from apps.billing.services.credit_notes import credit_invoice
from apps.billing.services.plans import add_plan
from apps.billing.services.subscriptions import change_subscription, end_subscription, subscribe
from tests.billing.made import DECEMBER, a_price, invoices, lines, run, used
from tests.billing.plans import TIERS
from tests.cast import a_customer, an_organization

D = Decimal


def october(day, hour=12):
    return datetime(2026, 10, day, hour, tzinfo=UTC)


@pytest.fixture
def customer(db):
    a_price()
    return a_customer(an_organization(), "Globex")


def a_plan(customer, name, **terms):
    return add_plan(customer.organization, name=name, by=None, at=october(1), **terms)


def test_a_plan_that_is_changed_and_ended_is_billed_by_its_days(customer):
    """October: 19 days at 1 and 12 at 2; November's fee in advance, of which 20 days are taken back."""
    small = a_plan(customer, "Small", fee=D(31), charges=TIERS)
    large = a_plan(customer, "Large", fee=D(62), discount_percent=D(10))
    coupon = add_coupon(customer.organization, code="ONCE", amount=D(1), periods=1, by=None, at=october(1))
    apply_coupon(customer, coupon, by=None, at=october(1))
    subscription = subscribe(customer, small, by=None, at=october(1))
    used(customer, day=3, price="3", input_tokens=1_000_000, output_tokens=500_000)
    follows = change_subscription(subscription, large, by=None, at=october(20), at_period_end=False)
    used(customer, day=25, price="5")
    run(customer, finalizes=True)
    (invoice,) = invoices(customer)
    assert lines(invoice) == [
        ("fee", "Small · 1 Oct to 31 Oct 2026 · 19 of 31 days", "19.00"),
        ("fee", "Large · 1 Oct to 31 Oct 2026 · 12 of 31 days", "24.00"),
        ("fee", "Large · 1 Nov to 30 Nov 2026", "62.00"),
        ("charge", "Tokens", "3.00"),
        ("usage", "gpt-4o-mini · input", "1.43"),
        ("usage", "gpt-4o-mini · output", "3.57"),
    ]
    assert (invoice.subtotal, invoice.discount, invoice.total) == (113, D("12.20"), D("100.80"))

    end_subscription(follows, by=None, at=datetime(2026, 11, 10, 12, tzinfo=UTC), at_period_end=False)
    used(customer, month=11, day=4, price="50")
    run(customer, at=DECEMBER)
    last = invoices(customer)[-1]
    assert [(kind, amount) for kind, _, amount in lines(last)] == [
        ("fee", "-41.33"),
        ("usage", "14.29"),
        ("usage", "35.71"),
    ]
    assert (last.subtotal, last.discount, last.total) == (D("8.67"), D("0.87"), D("7.80"))


def test_what_a_credit_note_took_back_of_a_fee_is_not_taken_back_again(customer):
    """Who leaves in November without usage would be owed 20 of 30 days: nothing that an invoice can say."""
    subscription = subscribe(customer, a_plan(customer, "Team", fee=D(60)), by=None, at=october(1))
    run(customer, finalizes=True)
    (october_s,) = invoices(customer)
    assert lines(october_s)[-1] == ("fee", "Team · 1 Nov to 30 Nov 2026", "60.00")
    end_subscription(subscription, by=None, at=datetime(2026, 11, 10, 12, tzinfo=UTC), at_period_end=False)
    (refused,) = run(customer, at=DECEMBER).refused
    assert "come to -40.00 USD" in refused["reason"]

    fee = october_s.lines.last()
    offset = {"settlement": CreditNote.Settlement.OFFSET, "reason": "left", "key": "left", "by": None, "at": DECEMBER}
    credit_invoice(october_s, amounts={fee.pk: D(40)}, **offset)
    assert run(customer, at=DECEMBER).refused == []
    assert [invoice.total for invoice in invoices(customer)] == [120]
    october_s.refresh_from_db()
    assert (october_s.credited, october_s.due) == (40, 80)
