"""From a plan on a page to the lines of an invoice: subscribed, changed and ended by services, billed by a run."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from apps.billing.audit.deep import deep_audit
from apps.billing.invoicing.preview import preview
from apps.billing.models import CreditNote, Wallet
from apps.billing.services.coupons import add_coupon, apply_coupon
from apps.billing.services.credit_notes import credit_invoice
from apps.billing.services.lots import grant_credit
from apps.billing.services.plans import add_plan
from apps.billing.services.settling import settle_invoice
from apps.billing.services.subscriptions import change_subscription, end_subscription, subscribe
from tests.billing.made import DECEMBER, a_price, a_tax, invoices, lines, run, used
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


NOVEMBER_10 = datetime(2026, 11, 10, 12, tzinfo=UTC)


def left_on_the_tenth(customer, **terms):
    """Billed for November in advance, and gone after ten of its thirty days. Gives the invoice that has the fee."""
    plan = a_plan(customer, "Team", **{"fee": D(60), **terms})
    subscription = subscribe(customer, plan, by=None, at=october(1))
    run(customer, finalizes=True)
    (october_s,) = invoices(customer)
    assert lines(october_s)[-1][:2] == ("fee", "Team · 1 Nov to 30 Nov 2026")
    end_subscription(subscription, by=None, at=NOVEMBER_10, at_period_end=False)
    return october_s


def exact(customer):
    assert [str(each) for each in deep_audit(customer.organization_id).findings] == []


def test_days_that_never_came_are_credited_on_the_invoice_that_has_their_fee(customer):
    october_s = left_on_the_tenth(customer)
    assert preview(customer, at=NOVEMBER_10).total == 0
    assert not CreditNote.objects.exists()  # it was only looked at
    done = run(customer, at=DECEMBER, finalizes=True)
    assert (done.refused, done.credit_notes, done.made) == ([], 1, 0)
    note = CreditNote.objects.get()
    assert (note.invoice, note.total, note.settlement, note.lines.get().line) == (
        october_s, 40, "offset", october_s.lines.last(),
    )  # fmt: skip
    october_s.refresh_from_db()
    assert (october_s.credited, october_s.due) == (40, 80)
    assert run(customer, at=DECEMBER, finalizes=True).credit_notes == 0
    assert [invoice.total for invoice in invoices(customer)] == [120]
    exact(customer)


def test_what_was_paid_already_is_credit_in_the_wallet(customer):
    october_s = left_on_the_tenth(customer)
    settle_invoice(october_s, D(120), at=NOVEMBER_10, by=None)
    used(customer, month=11, price="5", model="mystery")
    run(customer, at=DECEMBER, finalizes=True)
    assert CreditNote.objects.get().settlement == "credit"
    assert Wallet.objects.get(customer=customer).balance == 40
    assert lines(invoices(customer)[-1]) == [("usage", "mystery", "5.00")]


def test_discount_and_tax_go_back_with_the_fee(customer):
    a_tax(customer, "20")
    october_s = left_on_the_tenth(customer, discount_percent=D(10))
    assert october_s.total == D("129.60")
    run(customer, at=DECEMBER, finalizes=True)
    note = CreditNote.objects.get()
    assert (note.subtotal, note.tax, note.total) == (D(36), D("7.20"), D("43.20"))
    exact(customer)


@pytest.mark.parametrize(("fee", "back"), [("62", "41.33"), ("61.01", "40.67"), ("0.02", "0.01")])
def test_of_what_is_no_whole_cent_nothing_is_left_over(customer, fee, back):
    left_on_the_tenth(customer, fee=D(fee))
    for _ in range(2):
        assert run(customer, at=DECEMBER, finalizes=True).refused == []
    assert CreditNote.objects.get().total == D(back)
    assert len(invoices(customer)) == 1


def test_whoever_pays_usage_beforehand_is_not_kept_waiting_for_its_fee(customer):
    """Credit has paid the usage of November: there is nothing to take the fee off."""
    left_on_the_tenth(customer, settlement="prepaid")
    grant_credit(Wallet.objects.get(customer=customer), D(100), key="first", at=october(1), by=None)
    used(customer, month=11, price="50", model="mystery")
    run(customer, at=DECEMBER, finalizes=True)
    assert CreditNote.objects.get().total == 40
    last = invoices(customer)[-1]
    assert (lines(last), last.total) == (
        [("usage", "mystery", "50.00"), ("credit", "Paid from credit", "-50.00")], 0,
    )  # fmt: skip
    exact(customer)


def test_what_a_credit_note_by_hand_took_back_of_a_fee_is_not_taken_back_again(customer):
    october_s = left_on_the_tenth(customer)
    fee = october_s.lines.last()
    offset = {"settlement": CreditNote.Settlement.OFFSET, "reason": "left", "key": "left", "by": None, "at": DECEMBER}
    credit_invoice(october_s, amounts={fee.pk: D(40)}, **offset)
    done = run(customer, at=DECEMBER)
    assert (done.refused, done.credit_notes) == ([], 0)
    assert [invoice.total for invoice in invoices(customer)] == [120]
    october_s.refresh_from_db()
    assert (october_s.credited, october_s.due) == (40, 80)


def test_a_smaller_plan_instead_is_charged_and_the_rest_credited(customer):
    october_s = left_on_the_tenth(customer)
    small = a_plan(customer, "Small", fee=D(3))
    subscribe(customer, small, by=None, at=datetime(2026, 11, 11, 12, tzinfo=UTC))
    run(customer, at=DECEMBER, finalizes=True)
    assert CreditNote.objects.get().total == 40
    assert lines(invoices(customer)[-1]) == [
        ("fee", "Small · 1 Nov to 30 Nov 2026 · 20 of 30 days", "2.00"),
        ("fee", "Small · 1 Dec to 31 Dec 2026", "3.00"),
    ]
    october_s.refresh_from_db()
    assert october_s.due == 80
    exact(customer)
