"""Invoices and what belongs to them, made straight from the tables: what bills them is tested elsewhere."""

from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

from django.db.models import Max
from PIL import Image

from apps.billing.models import CreditNote, CreditNoteLine, Invoice, InvoiceLine, InvoiceTax
from apps.billing.parties import currency_of, details_of, seller_of
from apps.billing.queries.snapshots import buyer_snapshot, seller_snapshot
from apps.customers.models import Customer

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
ISSUED = date(2026, 11, 2)
DUE = date(2026, 12, 2)
USAGE = {"kind": "usage", "model": "gpt-4o", "token_kind": "input", "unit": "1M tokens", "unit_price": Decimal("2.75")}


def a_logo(size: tuple[int, int] = (240, 60), colour: str = "#1f5eff", kind: str = "PNG") -> bytes:
    """A picture."""
    written = BytesIO()
    Image.new("RGB", size, colour).save(written, kind)
    return written.getvalue()


def a_draft(customer: Customer, amounts: tuple[str, ...] = ("100",), *, tax: str = "0", **fields: Any) -> Invoice:
    """A draft with a line of usage for each amount."""
    subtotal, taxed = sum(map(Decimal, amounts)), Decimal(tax)
    number = Invoice.objects.filter(customer=customer).count() + 1
    given = {
        "kind": "period",
        "key": f"period:{number}",
        "period_start": OCTOBER,
        "period_end": NOVEMBER,
        "currency": currency_of(customer),
        "subtotal": subtotal,
        "precise_subtotal": subtotal,
        "tax": taxed,
        "total": subtotal + taxed,
    } | fields
    invoice = Invoice.objects.create(organization=customer.organization, customer=customer, **given)
    for position, amount in enumerate(amounts, 1):
        InvoiceLine.objects.create(
            invoice=invoice,
            position=position,
            description=f"gpt-4o, input tokens ({position})",
            quantity=Decimal("36.363636"),
            precise_amount=Decimal(amount),
            amount=Decimal(amount),
            **USAGE,
        )
    if taxed:
        InvoiceTax.objects.create(invoice=invoice, name="VAT", percent=Decimal(19), base=subtotal, amount=taxed)
    invoice.refresh_from_db()
    return invoice


def an_invoice(customer: Customer, amounts: tuple[str, ...] = ("100",), **fields: Any) -> Invoice:
    """One that is final; `state` and what is paid are given after that, as things go."""
    after = {name: fields.pop(name) for name in ("state", "paid", "credited", "sent_at") if name in fields}
    finals = {"issued_on": ISSUED, "due_on": DUE, "finalized_at": datetime(2026, 11, 2, 9, tzinfo=UTC)}
    finals |= {name: fields.pop(name) for name in tuple(finals) if name in fields}
    invoice = a_draft(customer, amounts, **fields)
    return made_final(invoice, **finals, **after)


def made_final(invoice: Invoice, **fields: Any) -> Invoice:
    """With a number and who sold and bought, as they are now."""
    organization = invoice.organization
    seller = seller_of(organization)
    last = Invoice.objects.filter(organization=organization).aggregate(last=Max("sequence"))["last"] or 0
    invoice.sequence = last + 1
    invoice.number = f"{seller.invoice_prefix}{invoice.sequence:05}"
    invoice.seller, invoice.buyer = seller_snapshot(seller), buyer_snapshot(details_of(invoice.customer))
    state = fields.pop("state", Invoice.State.OPEN)
    for name, value in fields.items():
        setattr(invoice, name, value)
    invoice.state = Invoice.State.OPEN
    invoice.save()
    if state != Invoice.State.OPEN:
        invoice.state = state
        invoice.save()
    return invoice


def a_credit_note(invoice: Invoice, subtotal: str = "40", tax: str = "0", **fields: Any) -> CreditNote:
    """Takes back part of an invoice."""
    net, taxed = Decimal(subtotal), Decimal(tax)
    number = CreditNote.objects.filter(organization=invoice.organization).count() + 1
    given = {"key": f"note:{number}", "issued_on": date(2026, 11, 12), "reason": "Usage was rated anew"} | fields
    note = CreditNote.objects.create(
        organization=invoice.organization,
        invoice=invoice,
        sequence=number,
        number=f"CN-{number:05}",
        settlement=given.pop("settlement", "offset"),
        subtotal=net,
        tax=taxed,
        total=net + taxed,
        **given,
    )
    CreditNoteLine.objects.create(credit_note=note, description="gpt-4o, input tokens", amount=net)
    return note
