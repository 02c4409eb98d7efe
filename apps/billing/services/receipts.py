"""The invoice of credit that was bought: final and paid from the start, with the figures it was quoted with.

It is booked as every invoice is: the customer owes its total, of which a part is tax and the rest revenue. The
payment has set that revenue aside as credit, to be earned when it is used (`services/payments.py`).
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from apps.billing.models import Invoice, InvoiceLine, InvoiceTax, InvoiceTransition, Payment, PaymentAllocation
from apps.billing.services.finalizing import finalize_invoice
from apps.billing.services.settling import settle_invoice
from apps.customers.models import Customer
from apps.customers.services import lock as lock_customer


@transaction.atomic
def make_receipt(payment: Payment, *, at: datetime) -> Invoice | None:
    """The payment's invoice; made once. None: it bought no credit, or nothing was paid for it.

    Raises NotPossible, NotConfigured, nothing changed, when an invoice cannot be made final now.
    """
    customer = lock_customer(payment.customer)
    payment = Payment.objects.select_for_update(of=("self",), no_key=True).get(pk=payment.pk)
    if payment.state != Payment.State.SUCCEEDED or not payment.is_top_up or not payment.amount:
        return None
    if payment.invoice:
        return payment.invoice
    draft = _draft(payment, customer, at)
    invoice = finalize_invoice(draft, by=None, at=at)
    assert invoice is not None  # a draft with a total becomes final
    PaymentAllocation.objects.create(payment=payment, invoice=invoice, amount=invoice.total, created_at=at)
    payment.invoice = settle_invoice(invoice, invoice.total, at=at, by=None)
    payment.save(update_fields=["invoice"])
    return payment.invoice


def _draft(payment: Payment, customer: Customer, at: datetime) -> Invoice:
    details = payment.details
    is_inclusive = details.get("treatment") == "inclusive"
    net = payment.amount - payment.tax
    subtotal = payment.amount if is_inclusive else net
    invoice = Invoice.objects.create(
        organization=customer.organization,
        customer=customer,
        kind=Invoice.Kind.TOP_UP,
        key=f"top_up:{payment.pk}",
        currency=payment.currency,
        per_dollar=Decimal(details.get("per_dollar", 1)),
        precise_subtotal=subtotal,
        subtotal=subtotal,
        tax=payment.tax,
        total=payment.amount,
        built_at=at,
        created_at=at,
    )
    InvoiceTransition.objects.create(invoice=invoice, after=Invoice.State.DRAFT, at=at)
    taxes = details.get("taxes") or [] if payment.tax else []
    InvoiceLine.objects.create(
        invoice=invoice,
        position=1,
        kind=InvoiceLine.Kind.TOP_UP,
        description=f"Prepaid credit of ${payment.credit:,.2f}",
        quantity=1,
        unit_price=subtotal,
        precise_amount=subtotal,
        amount=subtotal,
        tax_percent=sum((Decimal(tax["percent"]) for tax in taxes), Decimal(0)),
        details={"discount": Decimal(0), "net": net, "tax": payment.tax, "payment": str(payment.pk)},
    )
    _put_taxes(invoice, taxes, payment, net, is_inclusive=is_inclusive)
    return invoice


def _put_taxes(
    invoice: Invoice, taxes: list[Mapping[str, Any]], payment: Payment, net: Decimal, *, is_inclusive: bool
) -> None:
    """As they were quoted; where another amount came in, the last one takes the difference."""
    left = payment.tax
    for number, tax in enumerate(taxes, start=1):
        is_last = number == len(taxes)
        amount = left if is_last else min(Decimal(tax["amount"]), left)
        left -= amount
        InvoiceTax.objects.create(
            invoice=invoice,
            name=tax["name"],
            percent=Decimal(tax["percent"]),
            is_inclusive=is_inclusive,
            base=net,
            amount=amount,
        )
