"""What a payment does to an invoice."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from apps.accounts.models import User
from apps.billing.models import Invoice, InvoiceTransition


@transaction.atomic
def settle_invoice(invoice: Invoice, amount: Decimal, *, at: datetime, by: User | None) -> Invoice:
    """So much of the invoice was paid, below zero: paid back. It is paid once nothing is due, and open again else."""
    invoice = Invoice.objects.select_for_update(no_key=True).get(pk=invoice.pk)
    before = invoice.state
    invoice.paid += amount
    invoice.state = Invoice.State.OPEN if invoice.due else Invoice.State.PAID
    invoice.save(update_fields=["paid", "state"])
    if invoice.state != before:
        InvoiceTransition.objects.create(invoice=invoice, before=before, after=invoice.state, at=at, by=by)
    return invoice
