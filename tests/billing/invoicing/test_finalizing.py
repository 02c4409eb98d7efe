"""Final: once, with a number, in the ledger; and what can be done to it then."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from apps.billing.errors import NotPossible
from apps.billing.invoicing.runs import finalize_due
from apps.billing.models import AppliedCoupon, Coupon, Invoice, LedgerAccount, LedgerTransaction, NumberSeries
from apps.billing.parties import seller_of
from apps.billing.services.finalizing import finalize_invoice
from apps.billing.services.invoices import (
    LineByHand,
    add_line,
    add_one_off_invoice,
    delete_draft,
    mark_uncollectible,
    remove_line,
    void_invoice,
)
from apps.billing.services.settling import settle_invoice
from tests.billing.made import (
    AFTER,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    a_tax,
    a_wallet,
    invoices,
    lines,
    run,
    the_invoice,
    used,
)
from tests.cast import a_customer, an_organization, at_once, reread


@pytest.fixture
def customer(db):
    return a_customer(an_organization())


def final(customer, at=AFTER, **options):
    run(customer, at=at, finalizes=True, **options)
    return invoices(customer)[-1]


def balances(customer):
    rows = LedgerAccount.objects.filter(organization=customer.organization).exclude(balance=0)
    return {row.kind: row.balance for row in rows}


def test_final_has_number_dates_parties_and_entries(customer):
    a_tax(customer, "20")
    used(customer, price="10", model="mystery")
    invoice = final(customer)
    assert (invoice.state, invoice.number, invoice.sequence) == ("open", "INV-0001", 1)
    assert (invoice.issued_on, invoice.due_on) == (date(2026, 11, 3), date(2026, 12, 3))
    assert (invoice.seller["legal_name"], invoice.buyer["country"]) == (str(customer.organization), "AT")
    assert balances(customer) == {"receivable": -12, "revenue": 10, "tax": 2}
    assert [(each.before, each.after) for each in invoice.transitions.all()] == [("", "draft"), ("draft", "open")]


def test_final_twice_is_final_once(customer):
    used(customer)
    invoice = final(customer)
    again = run(customer, finalizes=True)
    assert (again.finalized, finalize_invoice(invoice, by=None, at=DECEMBER)) == (0, invoice)
    assert (NumberSeries.objects.get().last, LedgerTransaction.objects.count()) == (1, 1)


def test_usage_that_came_since_the_draft_is_on_it(customer):
    used(customer, price="3")
    run(customer)
    used(customer, price="4", day=9)
    assert finalize_invoice(the_invoice(customer), by=None, at=AFTER).total == 7


def test_what_was_paid_from_credit_leaves_nothing_due(customer):
    a_wallet(customer, "100")
    used(customer, price="10", model="mystery")
    invoice = final(customer)
    assert (invoice.state, invoice.total) == ("paid", 0)
    assert balances(customer) == {"credit": 90, "promotion": -100, "revenue": 10}


def test_days_of_grace(customer):
    seller = seller_of(customer.organization)
    seller.grace_days = 3
    seller.save()
    used(customer)
    run(customer)
    assert finalize_due(customer.organization, at=AFTER).finalized == 0
    assert finalize_due(customer.organization, at=DECEMBER).finalized == 1
    assert the_invoice(customer).number == "INV-0001"


def test_numbers_have_no_gaps(customer):
    others = [a_customer(customer.organization) for _ in range(3)]
    for each in (customer, *others):
        used(each)
    run(customer)
    add_one_off_invoice(customer, [LineByHand("Setup", Decimal(5))], key="1", by=None, at=AFTER)
    delete_draft(Invoice.objects.get(kind="one_off"), by=None)
    run(customer, finalizes=True)
    assert sorted(Invoice.objects.values_list("sequence", flat=True)) == [1, 2, 3, 4]


@pytest.mark.django_db(transaction=True)
def test_ten_runs_at_once_make_one_invoice_each():
    organization = an_organization()
    customers = [a_customer(organization) for _ in range(5)]
    for each in customers:
        used(each, price="2.5", model="mystery")
    outcomes = at_once(10, lambda: run(customers[0], finalizes=True))
    assert not [each for each in outcomes if isinstance(each, Exception)]
    assert sum(each.finalized for each in outcomes) == 5
    assert sorted(Invoice.objects.values_list("sequence", "total")) == [(n, Decimal("2.5")) for n in range(1, 6)]
    assert LedgerAccount.objects.get(kind="revenue").balance == Decimal("12.5")


def test_the_database_keeps_what_is_final(customer):
    used(customer)
    invoice = final(customer)
    with pytest.raises(DatabaseError, match="is final"), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(total=1)
    with pytest.raises(DatabaseError, match="is final"), transaction.atomic():
        invoice.lines.update(amount=1)


def test_void_books_back_and_is_built_again(customer):
    used(customer, price="10", model="mystery")
    invoice = final(customer)
    void_invoice(invoice, reason="wrong address", by=None, at=AFTER)
    assert balances(customer) == {}
    void_invoice(invoice, reason="again", by=None, at=AFTER)
    second = final(customer)
    assert (reread(invoice).state, second.version, second.number, second.total) == ("void", 2, "INV-0002", 10)
    assert balances(customer) == {"receivable": -10, "revenue": 10}


def test_void_period_is_not_late_usage_of_the_next(customer):
    used(customer, price="10", model="mystery")
    void_invoice(final(customer), reason="", by=None, at=AFTER)
    used(customer, month=11, price="1", model="mystery")
    run(customer, at=DECEMBER, month=date(2026, 11, 1))
    assert invoices(customer)[-1].total == 1


def test_what_was_paid_is_not_voided(customer):
    used(customer, price="10", model="mystery")
    invoice = final(customer)
    settle_invoice(invoice, Decimal(4), at=AFTER, by=None)
    with pytest.raises(NotPossible, match="credit note"):
        void_invoice(invoice, reason="", by=None, at=AFTER)
    assert (reread(invoice).state, balances(customer)) == ("open", {"receivable": -10, "revenue": 10})


def test_written_off_and_paid_after_all(customer):
    used(customer, price="10", model="mystery")
    invoice = final(customer)
    mark_uncollectible(invoice, reason="gone", by=None, at=AFTER)
    assert balances(customer) == {"revenue": 10, "written_off": -10}
    settle_invoice(invoice, Decimal(4), at=DECEMBER, by=None)
    assert (reread(invoice).state, balances(customer)) == (
        "uncollectible", {"revenue": 10, "written_off": -6, "receivable": -4},
    )  # fmt: skip
    settle_invoice(invoice, Decimal(6), at=DECEMBER, by=None)
    assert reread(invoice).state == "paid"


def test_written_off_can_be_voided(customer):
    used(customer, price="10", model="mystery")
    invoice = final(customer)
    mark_uncollectible(invoice, reason="gone", by=None, at=AFTER)
    void_invoice(invoice, reason="never was", by=None, at=AFTER)
    assert (reread(invoice).state, balances(customer)) == ("void", {})


STATES = [("draft", False), ("open", True), ("paid", False), ("void", True), ("uncollectible", True)]


@pytest.mark.parametrize(("state", "is_allowed"), STATES)
def test_from_which_states_an_invoice_becomes_void(customer, state, is_allowed):
    used(customer, price="10", model="mystery")
    run(customer, finalizes=state != "draft")
    invoice = the_invoice(customer)
    if state == "paid":
        settle_invoice(invoice, Decimal(10), at=AFTER, by=None)
    elif state not in ("draft", "open"):
        Invoice.objects.update(state=state)
    try:
        void_invoice(invoice, reason="", by=None, at=AFTER)
    except NotPossible:
        assert not is_allowed
        assert reread(invoice).state == state
    else:
        assert is_allowed
        assert reread(invoice).state == "void"


def test_lines_by_hand_stay_when_a_draft_is_built_anew(customer):
    used(customer, price="10", model="mystery")
    run(customer)
    added = add_line(the_invoice(customer), LineByHand("Setup", Decimal("-2.50")), by=None, at=AFTER)
    used(customer, price="1", day=20, model="mystery")
    run(customer)
    invoice = the_invoice(customer)
    assert lines(invoice) == [("usage", "mystery", "11.00"), ("adjustment", "Setup", "-2.50")]
    assert invoice.total == Decimal("8.50")
    remove_line(added, by=None, at=AFTER)
    assert the_invoice(customer).total == 11


def test_less_than_nothing_is_no_invoice(customer):
    used(customer, price="10", model="mystery")
    run(customer)
    with pytest.raises(NotPossible, match="come to -1"):
        add_line(the_invoice(customer), LineByHand("Gift", Decimal(-11)), by=None, at=AFTER)
    assert (the_invoice(customer).total, the_invoice(customer).lines.count()) == (10, 1)


def test_one_off(customer):
    a_tax(customer, "20")
    asked = [LineByHand("Setup", Decimal(100), Decimal(2)), LineByHand("Thanks", Decimal(-10))]
    invoice = add_one_off_invoice(customer, asked, key="1", memo="As agreed", by=None, at=AFTER)
    again = add_one_off_invoice(customer, asked, key="1", by=None, at=AFTER)
    assert (again, invoice.subtotal, invoice.tax, invoice.total) == (invoice, 90, 18, 108)
    done = finalize_invoice(invoice, by=None, at=AFTER)
    assert (done.number, done.state, balances(customer)["receivable"]) == ("INV-0001", "open", -108)


def test_a_coupon_is_used_up(customer):
    coupon = Coupon.objects.create(organization=customer.organization, code="HALF", percent=50, periods=1)
    AppliedCoupon.objects.create(customer=customer, coupon=coupon, periods_left=1)
    for month in (10, 11):
        used(customer, month=month, price="10", model="mystery")
        run(customer, at=NOVEMBER if month == 10 else DECEMBER, finalizes=True)
    assert [invoice.total for invoice in invoices(customer)] == [5, 10]
    assert (AppliedCoupon.objects.get().periods_left, OCTOBER.month) == (0, 10)
