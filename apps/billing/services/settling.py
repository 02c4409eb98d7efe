"""What a payment does to an invoice. What the payment itself does to the ledger is booked with the payment."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from apps.accounts.models import User
from apps.billing.models import Invoice, InvoiceTransition, LedgerAccount, LedgerTransaction
from apps.billing.services.ledger import account_of, book
from apps.kit.after_commit import after_commit

State = Invoice.State


@transaction.atomic
def settle_invoice(invoice: Invoice, amount: Decimal, *, at: datetime, by: User | None) -> Invoice:
    """So much of the invoice was paid, below zero: paid back. It is paid once nothing is due, and open again else.

    What was written off and is paid after all is owed again first.
    """
    invoice = Invoice.objects.select_for_update(no_key=True).get(pk=invoice.pk)
    before = invoice.state
    if before == State.UNCOLLECTIBLE:
        _write_back(invoice, amount, at)
    invoice.paid += amount
    if not invoice.due:
        invoice.state = State.PAID
    elif before != State.UNCOLLECTIBLE:
        invoice.state = State.OPEN
    invoice.save(update_fields=["paid", "state"])
    if invoice.state != before:
        InvoiceTransition.objects.create(invoice=invoice, before=before, after=invoice.state, at=at, by=by)
    if invoice.state == State.PAID:
        after_commit("billing.reinstate", str(invoice.customer_id))  # if it was suspended for what was overdue
    return invoice


def _write_back(invoice: Invoice, amount: Decimal, at: datetime) -> None:
    """So much less is lost; under a key that the invoice has once for each sum that was paid before."""
    customer = invoice.customer
    book(
        invoice.organization,
        LedgerTransaction.Kind.WRITE_OFF,
        key=f"write_back:{invoice.pk}:{invoice.paid.normalize():f}:{invoice.transitions.count()}",
        at=at,
        customer=customer,
        entries={
            account_of(invoice.organization, LedgerAccount.Kind.WRITTEN_OFF, invoice.currency): amount,
            account_of(invoice.organization, LedgerAccount.Kind.RECEIVABLE, invoice.currency, customer): -amount,
        },
        source={"invoice": str(invoice.pk), "number": invoice.number},
    )
