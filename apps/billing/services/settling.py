"""What a payment does to an invoice."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from apps.accounts.models import User
from apps.billing.models import Invoice, InvoiceTransition, LedgerTransaction
from apps.billing.services.ledger import book


@transaction.atomic
def settle_invoice(invoice: Invoice, amount: Decimal, *, at: datetime, by: User | None) -> Invoice:
    """So much of the invoice was paid, below zero: paid back. It is paid once nothing is due, and open again else."""
    invoice = Invoice.objects.select_for_update(no_key=True).get(pk=invoice.pk)
    before = invoice.state
    if before == Invoice.State.UNCOLLECTIBLE:
        _write_on(invoice, at)
    invoice.paid += amount
    invoice.state = Invoice.State.OPEN if invoice.due else Invoice.State.PAID
    invoice.save(update_fields=["paid", "state"])
    if invoice.state != before:
        InvoiceTransition.objects.create(invoice=invoice, before=before, after=invoice.state, at=at, by=by)
    return invoice


def _write_on(invoice: Invoice, at: datetime) -> None:
    """Paid after all, at least in part: what was written off is owed again."""
    organization = invoice.organization
    first = LedgerTransaction.objects.filter(organization=organization, key=f"write_off:{invoice.pk}").first()
    if first is not None:
        book(
            organization,
            LedgerTransaction.Kind.WRITE_OFF,
            key=f"written_on:{invoice.pk}",
            at=at,
            customer=invoice.customer,
            entries={entry.account: -entry.amount for entry in first.entries.select_related("account")},
            source={"invoice": str(invoice.pk), "reverses": str(first.pk)},
        )
