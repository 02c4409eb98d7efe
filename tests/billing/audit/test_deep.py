"""`audit --deep` is exact after all that can happen, and names each fault that is planted."""

import json
from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from apps.billing.audit.deep import deep_audit
from apps.billing.models import CreditNote, Invoice
from apps.billing.services.credit_notes import credit_invoice
from apps.billing.services.invoices import LineByHand, add_line, mark_uncollectible, void_invoice
from tests.billing.invoicing.test_late import repriced
from tests.billing.made import AFTER, DECEMBER, a_price, a_subscription, a_tax, a_wallet, invoices, run, used
from tests.cast import a_customer, an_organization


@pytest.fixture
def customer(db):
    a_price()
    customer = a_customer(an_organization("Acme"), "Globex")
    a_tax(customer, "20")
    used(customer, price="3.50")
    used(customer, price="0.123456789012", model="mystery")
    return customer


def findings(customer):
    return [str(each) for each in deep_audit(customer.organization_id).findings]


def everything_happens(customer):
    """Late events, new prices, voids, write-offs, credit notes, credit, plans, lines by hand."""
    prepaid, planned = a_customer(customer.organization, "Prepaid"), a_customer(customer.organization, "Planned")
    a_wallet(prepaid, "2")
    a_subscription(planned, fee=Decimal("30.01"), discount_percent=Decimal(10), minimum=Decimal(100))
    for each in (prepaid, planned):
        used(each, price="5.5", model="mystery")
    run(customer)
    add_line(invoices(customer)[0], LineByHand("Setup", Decimal("9.99")), by=None, at=AFTER)
    run(customer, finalizes=True)
    void_invoice(invoices(customer)[0], reason="", by=None, at=AFTER)
    used(customer, day=9, price="1.11", model="mystery")
    run(customer, finalizes=True)
    mark_uncollectible(invoices(planned)[0], reason="", by=None, at=AFTER)
    used(customer, month=11, price="2", model="mystery")
    used(customer, day=30, price="0.77", model="mystery")
    run(customer, at=DECEMBER, finalizes=True, month=date(2026, 11, 1))
    repriced(prepaid, 1)
    repriced(customer, "0.5")
    run(customer, at=DECEMBER, finalizes=True)
    credit_invoice(
        invoices(customer)[-1], settlement=CreditNote.Settlement.OFFSET, reason="", key="1", by=None, at=DECEMBER
    )


def test_exact_after_all_that_can_happen(customer):
    everything_happens(customer)
    assert Invoice.objects.filter(state="void").exists()
    assert CreditNote.objects.exists()
    assert findings(customer) == []


def tampered(sql):
    """As a superuser would, around all triggers."""
    connection.check_constraints()  # what was done before is looked at before
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(sql)
        assert cursor.rowcount == 1
        cursor.execute("SET session_replication_role = origin")


ONE_LINE = "id = (SELECT id FROM billing_invoiceline ORDER BY position LIMIT 1)"
PLANTED = [
    ("UPDATE billing_invoiceline SET amount = amount + 1 WHERE " + ONE_LINE,
     "invoice.line: invoice INV-0001, line 1 (gpt-4o-mini · input), amount"),
    ("UPDATE billing_invoiceline SET precise_amount = precise_amount + 0.01 WHERE " + ONE_LINE,
     "invoice.exact_line: invoice INV-0001, line 1 (gpt-4o-mini · input), exact amount: 1.01 is there, 1 should be"),
    ("UPDATE billing_invoiceline SET quantity = quantity * 2 WHERE " + ONE_LINE,
     "invoice.quantity: invoice INV-0001, line 1 (gpt-4o-mini · input), quantity times unit price"),
    ("UPDATE billing_invoiceline SET model = 'other' WHERE " + ONE_LINE,
     "invoice.usage: invoice INV-0001, usage of other"),
    ("DELETE FROM billing_invoiceline WHERE " + ONE_LINE,
     "invoice.usage: invoice INV-0001, usage of gpt-4o-mini: 2.5 is there, 3.5 should be"),
    ("UPDATE billing_invoicedday SET price = 4 WHERE sold_as = 'gpt-4o-mini'",
     "invoice.usage: invoice INV-0001, usage of gpt-4o-mini: 3.5 is there, 4 should be"),
    ("UPDATE billing_invoice SET total = total + 1", "invoice.total: invoice INV-0001, total: 5.34 is there, 4.34"),
    ("UPDATE billing_invoicetax SET amount = 9", "invoice.taxes: invoice INV-0001, sum of taxes: 9 is there, 0.72"),
    ("UPDATE billing_invoice SET sequence = 7", "numbers.gapless: numbers of invoices of acme: 0 is there, 1 should"),
    ("UPDATE billing_ledgerentry SET amount = amount + 1 WHERE amount = 0.72",
     "ledger.sums_to_zero: transaction invoice:"),
    ("UPDATE billing_ledgerentry SET amount = amount + 1 WHERE amount = 0.72",
     "ledger.balance: account tax in USD: 0.72 is there, 1.72 should be"),
    ("UPDATE billing_ledgerentry SET amount = amount + 1 WHERE amount = 0.72",
     "invoice.booked: invoice INV-0001, in the ledger: tax: 1.72 is there, 0.72 should be"),
    ("UPDATE billing_ledgeraccount SET balance = 5 WHERE kind = 'revenue'",
     "ledger.balance: account revenue in USD: 5 is there, 3.62 should be"),
    ("UPDATE billing_invoice SET state = 'void'", "invoice.voided: invoice INV-0001, booked back"),
    ("UPDATE billing_invoice SET paid = 1", "invoice.paid: invoice INV-0001, paid: 1 is there, 0 should be"),
    ("UPDATE billing_invoice SET credited = 1", "invoice.credited: invoice INV-0001, sum of credit notes: 1 is there"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "named"), PLANTED)
def test_what_was_changed_is_named(customer, sql, named):
    run(customer, finalizes=True)
    assert findings(customer) == []
    tampered(sql)
    assert [each for each in findings(customer) if each.startswith(named)]


def test_a_credit_note_that_was_changed_is_named(customer):
    run(customer, finalizes=True)
    credit_invoice(
        invoices(customer)[0], settlement=CreditNote.Settlement.OFFSET, reason="", key="1", by=None, at=AFTER
    )
    tampered("UPDATE billing_creditnoteline SET amount = 5 WHERE amount = 2.5")
    assert findings(customer)[0].startswith("credit_note.lines: credit note CN-0001, sum of lines")


def test_others_are_not_told(customer):
    run(customer, finalizes=True)
    tampered("UPDATE billing_invoice SET paid = 1")
    assert findings(a_customer(an_organization())) == []


def test_late_usage_that_waits_is_no_fault(customer):
    run(customer, finalizes=True)
    used(customer, day=20, price="1", model="mystery")
    found = deep_audit(customer.organization_id)
    assert found.is_equal
    assert [each.found for each in found.not_invoiced] == ["0"]


def test_the_command_says_what_and_exits_with_1(customer):
    run(customer, finalizes=True)
    tampered("UPDATE billing_invoice SET paid = 1")
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("audit", "--deep", "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert (answer["adds_up"], answer["findings"]) == (
        False,
        [{"check": "invoice.paid", "what": "invoice INV-0001, paid", "expected": "0", "found": "1"}],
    )
