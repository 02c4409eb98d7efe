"""Payments and the ledger agree after everything that happens to them, and what is changed by hand is named."""

from decimal import Decimal

import pytest
from django.db import connection

from apps.billing.audit.deep import deep_audit
from apps.billing.audit.payments import payment_findings
from apps.billing.models import CreditLot, Payment, Refund
from apps.billing.payments.base import Declined
from apps.billing.services import refunds as refund_services
from apps.billing.services.credit_notes import credit_invoice
from apps.billing.services.invoices import mark_uncollectible
from apps.customers.models import Customer
from tests.billing.payments.conftest import NOW
from tests.billing.payments.test_payments import (
    Moody,
    a_paid_top_up,
    a_top_up,
    a_transfer,
    an_invoice,
    in_euros,
    refund,
)
from tests.cast import Cast, reread

D = Decimal


def everything_that_happens(customer: Customer, monkeypatch) -> Payment:
    """Top-ups and invoices, paid, over-paid, written off, refunded, refused. Gives a top-up that half went back of."""
    in_euros(customer, "19")
    top_up = a_paid_top_up(customer)
    refund(top_up, "23.80")
    a_top_up(customer)
    with monkeypatch.context() as refusing:
        refusing.setattr(refund_services, "provider_of", lambda *_: Moody(Declined("No.")))
        refund(top_up, "10.01")
    first, second = an_invoice(customer), an_invoice(customer, "30", "2")
    over = a_transfer(customer, "200", invoice=first, currency="EUR")
    refund(over, "50")
    (line,) = second.lines.all()
    how = {"settlement": "refund", "reason": "Late", "key": "1", "by": None, "at": NOW}
    credit_invoice(reread(second), amounts={line.pk: D(10)}, **how)
    refund(over, "11.90")
    lost = mark_uncollectible(an_invoice(customer, "40", "3"), reason="Gone", by=None, at=NOW)
    a_transfer(customer, "47.60", "bank-2", invoice=lost, currency="EUR")
    return top_up


def names(customer: Customer) -> list[str]:
    return [finding.check for finding in payment_findings(customer.organization_id)]


def test_everything_adds_up(cast: Cast, monkeypatch):
    everything_that_happens(cast.globex, monkeypatch)
    assert deep_audit(cast.acme.pk).findings == []


FAULTS = [
    pytest.param("UPDATE billing_payment SET amount = amount + 1 WHERE id = %s", {"payment.came_in"}, id="an-amount"),
    pytest.param("UPDATE billing_payment SET state = 'failed' WHERE id = %s", {"payment.came_in"}, id="a-state"),
    pytest.param("UPDATE billing_payment SET refunded = 1 WHERE id = %s", {"payment.refunded"}, id="a-sum"),
    pytest.param(
        "UPDATE billing_refund SET amount = 1 WHERE payment_id = %s AND state = 'succeeded'",
        {"payment.went_back", "payment.refunded"},
        id="a-refund",
    ),
    pytest.param("UPDATE billing_payment SET credit = credit + 1 WHERE id = %s", {"payment.credit"}, id="a-credit"),
]


@pytest.mark.parametrize(("fault", "named"), FAULTS)
def test_what_is_changed_by_hand_is_named(cast: Cast, monkeypatch, fault: str, named: set[str]):
    top_up = everything_that_happens(cast.globex, monkeypatch)
    with connection.cursor() as cursor:
        cursor.execute(fault, [top_up.pk])
        assert cursor.rowcount
    assert set(names(cast.globex)) == named
    assert names(cast.shady) == []


def test_an_allocation_too_many_is_named(cast: Cast, monkeypatch):
    payment = a_transfer(cast.globex, "100", invoice=an_invoice(cast.globex))
    payment.allocations.create(invoice=payment.invoice, amount=D(1))
    assert names(cast.globex) == ["payment.over"]


def test_a_lot_that_is_gone_is_named(cast: Cast, monkeypatch):
    payment = a_paid_top_up(cast.globex)
    CreditLot.objects.filter(key=f"top_up:{payment.pk}").update(key="another")
    assert names(cast.globex) == ["payment.credit"]
    assert not Refund.objects.exists()
