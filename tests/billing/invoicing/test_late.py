"""What comes to a period after its invoice is final, and credit notes."""

from decimal import Decimal

import pytest

from apps.billing.errors import NotPossible
from apps.billing.models import CreditedDay, CreditNote, InvoicedDay, Wallet
from apps.billing.services.credit_notes import credit_invoice
from apps.billing.services.drawing import draw_usage
from apps.billing.services.settling import settle_invoice
from apps.usage.models import DailyCustomer, DailyTotal
from tests.billing.invoicing.test_finalizing import balances, final
from tests.billing.made import AFTER, DECEMBER, a_subscription, a_tax, a_wallet, invoices, lines, run, used
from tests.cast import a_customer, an_organization, reread

OFFSET, CREDIT, REFUND = CreditNote.Settlement


@pytest.fixture
def customer(db):
    return a_customer(an_organization())


def repriced(customer, price):
    """October's usage is worth something else."""
    DailyTotal.objects.filter(customer_id=customer.pk, day__month=10).update(price=price)
    DailyCustomer.objects.filter(customer_id=customer.pk, day__month=10).update(price=price)


def test_late_usage_is_on_the_next_invoice_as_such(customer):
    used(customer, price="10", model="mystery")
    final(customer)
    used(customer, price="3", day=31, model="mystery")
    used(customer, price="5", month=11, model="mystery")
    november = final(customer, at=DECEMBER)
    assert lines(november) == [
        ("usage", "mystery", "5.00"),
        ("late_usage", "mystery · late, of INV-0001", "3.00"),
    ]
    assert sum(InvoicedDay.objects.values_list("price", flat=True)) == 18
    assert run(customer, at=DECEMBER, finalizes=True).finalized == 0


def test_late_usage_of_a_period_without_invoice(customer):
    used(customer, price="10", month=8, model="mystery")
    from datetime import UTC, datetime

    run(customer, at=datetime(2026, 9, 3, tzinfo=UTC), finalizes=True)
    used(customer, price="7", month=9, model="mystery")
    run(customer, at=AFTER, finalizes=True)
    assert [invoice.total for invoice in invoices(customer)] == [10, 7]


def test_usage_of_before_the_first_invoice_is_not_late(customer):
    used(customer, price="10", month=7, model="mystery")
    used(customer, price="1", model="mystery")
    assert final(customer).total == 1


def test_requests_that_became_cheaper_are_credited(customer):
    a_tax(customer, "20")
    used(customer, price="10", model="mystery")
    october = final(customer)
    repriced(customer, 6)
    done = run(customer, at=DECEMBER)
    [note] = CreditNote.objects.all()
    assert (done.credit_notes, note.number, note.subtotal, note.tax, note.total, note.settlement) == (
        1, "CN-0001", 4, Decimal("0.8"), Decimal("4.8"), "offset",
    )  # fmt: skip
    assert (reread(october).due, balances(customer)["revenue"]) == (Decimal("7.2"), 6)
    assert (CreditedDay.objects.get().price, run(customer, at=DECEMBER).credit_notes) == (-4, 0)


def test_requests_that_became_dearer_are_late_usage(customer):
    used(customer, price="10", model="mystery")
    final(customer)
    repriced(customer, 11)
    assert lines(final(customer, at=DECEMBER)) == [("late_usage", "mystery · late, of INV-0001", "1.00")]


def test_what_was_paid_is_credited_to_the_wallet(customer):
    used(customer, price="10", model="mystery")
    october = final(customer)
    settle_invoice(october, Decimal(10), at=AFTER, by=None)
    repriced(customer, 6)
    run(customer, at=DECEMBER)
    wallet = Wallet.objects.get(customer=customer)
    assert (wallet.settlement, wallet.balance, reread(october).state) == ("credit_first", 4, "paid")


def test_a_prepaid_customer_gets_its_credit_back_and_nothing_else(customer):
    wallet = a_wallet(customer, "100")
    used(customer, price="10", model="mystery")
    final(customer)
    repriced(customer, 6)
    run(customer, at=DECEMBER, finalizes=True)
    assert (reread(wallet).balance, CreditNote.objects.count()) == (94, 0)
    assert [invoice.total for invoice in invoices(customer)] == [0, 0]
    assert run(customer, at=DECEMBER).made == 0


def test_what_credit_paid_after_the_invoice_was_final_is_given_back(customer):
    wallet = a_wallet(customer, "5", "credit_first")
    used(customer, price="10", model="mystery")
    october = final(customer)
    assert october.total == 5
    used(customer, price="3", day=30, model="mystery")
    from apps.billing.services.lots import grant_credit

    grant_credit(wallet, Decimal(2), key="more", at=AFTER, by=None)
    draw_usage(wallet.pk, at=AFTER)
    run(customer, at=DECEMBER, finalizes=True)
    assert lines(invoices(customer)[-1]) == [
        ("late_usage", "mystery · late, of INV-0001", "3.00"),
        ("credit", "Paid from credit · late, of INV-0001", "-2.00"),
    ]


NOTES = [  # tax, amounts of the lines, what is credited of the first: net, tax
    pytest.param("25", "16000", "15467", ("15467", "3866.75"), id="cn-prorate-16000"),
    pytest.param("20", "0.43", "0.43", ("0.43", "0.09"), id="all-of-it"),
    pytest.param("0", "10", "4", ("4", "0"), id="without-tax"),
]


@pytest.mark.parametrize(("tax", "amount", "back", "expected"), NOTES)
def test_part_of_a_line_is_credited(customer, tax, amount, back, expected):
    a_tax(customer, tax)
    used(customer, price=amount, model="mystery")
    invoice = final(customer)
    note = credit_invoice(
        invoice,
        amounts={invoice.lines.get().pk: Decimal(back)},
        settlement=OFFSET,
        reason="",
        key="1",
        by=None,
        at=AFTER,
    )
    assert (note.subtotal, note.tax, note.total) == (*map(Decimal, expected), sum(map(Decimal, expected)))


def test_all_notes_together_are_the_invoice(customer):
    a_tax(customer, "20")
    for number, price in enumerate(("33.33", "33.33", "33.34", "0.07")):
        used(customer, price=price, model=f"model-{number}")
    invoice = final(customer)
    for number, line in enumerate(invoice.lines.all()):
        amounts = {line.pk: line.amount}
        credit_invoice(invoice, amounts=amounts, settlement=OFFSET, reason="", key=str(number), by=None, at=AFTER)
    invoice = reread(invoice)
    assert (invoice.credited, invoice.due, invoice.state, balances(customer)) == (invoice.total, 0, "paid", {})
    with pytest.raises(NotPossible, match="nothing left"):
        credit_invoice(invoice, settlement=OFFSET, reason="", key="more", by=None, at=AFTER)


def test_credited_twice_with_one_key_is_credited_once(customer):
    used(customer, price="10", model="mystery")
    invoice = final(customer)
    notes = {credit_invoice(invoice, settlement=OFFSET, reason="", key="1", by=None, at=AFTER).pk for _ in range(2)}
    assert (len(notes), reread(invoice).credited) == (1, 10)


def test_no_more_than_was_paid_goes_back(customer):
    used(customer, price="10", model="mystery")
    invoice = final(customer)
    settle_invoice(invoice, Decimal(4), at=AFTER, by=None)
    line = invoice.lines.get()
    for settlement, amount in ((CREDIT, 5), (REFUND, 5), (OFFSET, 7)):
        with pytest.raises(NotPossible, match="Only"):
            credit_invoice(invoice, amounts={line.pk: Decimal(amount)}, settlement=settlement, reason="", key="1",
                           by=None, at=AFTER)  # fmt: skip
    assert (reread(invoice).credited, CreditNote.objects.count()) == (0, 0)
    note = credit_invoice(
        invoice, amounts={line.pk: Decimal(4)}, settlement=CREDIT, reason="", key="1", by=None, at=AFTER
    )
    assert (note.total, customer.wallet.balance, reread(invoice).due) == (4, 4, 2)


def test_late_usage_of_a_charge_counts_in_the_next_periods_tiers(customer):
    tiers = [{"up_to": "3000", "unit": "2", "flat": "0"}, {"up_to": None, "unit": "1", "flat": "0"}]
    charge = {
        "name": "All",
        "models": "mystery",
        "metric": "tokens",
        "mode": "graduated",
        "per": "1000",
        "tiers": tiers,
    }
    a_subscription(customer, charges=[charge])
    used(customer, price="999", model="mystery")  # 1,500 tokens
    assert final(customer).total == 3
    used(customer, price="999", day=30, model="mystery")
    used(customer, price="999", month=11, model="mystery")
    november = final(customer, at=DECEMBER)
    assert (lines(november), november.total) == ([("charge", "All", "6.00")], 6)
    assert sum(InvoicedDay.objects.values_list("requests", flat=True)) == 30
    assert run(customer, at=DECEMBER, finalizes=True).finalized == 0
