"""Final invoices and credit notes of some days, as rows of a file."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from django.db.models import Prefetch, QuerySet

from apps.accounts.models import Organization
from apps.billing.documents.plain import Plain, credit_note_plain, invoice_plain
from apps.billing.models import CreditNote, CreditNoteLine, Invoice, InvoiceTax

COLUMNS = (
    "document", "number", "state", "issued_on", "due_on", "customer", "customer_name", "customer_country",
    "customer_tax_id", "purchase_order", "period_start", "period_end", "currency", "per_dollar", "subtotal",
    "discount", "tax", "total", "paid", "credited", "due", "taxes", "tax_status", "of_invoice", "reason",
)  # fmt: skip


AMOUNTS = ("subtotal", "discount", "tax", "total", "paid", "credited", "due")  # numbers, also below zero


def invoices_issued(organization: Organization | None, since: date | None, until: date | None) -> QuerySet[Invoice]:
    """By the day of issue, both included; void ones too: their numbers are part of the series."""
    found = Invoice.objects.final().filter(**_issued(since, until))
    if organization is not None:
        found = found.filter(organization=organization)
    taxes = Prefetch("taxes", InvoiceTax.objects.order_by("name", "percent"))
    related = found.select_related("organization__seller", "customer__organization").prefetch_related("lines", taxes)
    return related.order_by("organization", "sequence")


def credit_notes_issued(
    organization: Organization | None, since: date | None, until: date | None
) -> QuerySet[CreditNote]:
    """Likewise."""
    found = CreditNote.objects.filter(**_issued(since, until))
    if organization is not None:
        found = found.filter(organization=organization)
    related = found.select_related("invoice__organization", "invoice__customer", "organization")
    lines = Prefetch("lines", CreditNoteLine.objects.order_by("pk"))
    return related.prefetch_related(lines).order_by("organization", "sequence")


def rows(invoices: QuerySet[Invoice], notes: QuerySet[CreditNote]) -> Iterator[Plain]:
    """One for each document; amounts of credit notes are below zero, so that columns add up."""
    for invoice in invoices.iterator(chunk_size=200):
        yield invoice_row(invoice)
    for note in notes.iterator(chunk_size=200):
        yield credit_note_row(note)


def invoice_row(invoice: Invoice) -> Plain:
    """With what a book-keeper needs; the lines are in JSONL."""
    plain = invoice_plain(invoice)
    taxes = "; ".join(f"{tax['name']} {tax['percent']} %: {tax['amount']}" for tax in plain["taxes"])
    amounts = {name: Decimal(plain[name]) for name in AMOUNTS}
    return plain | amounts | _buyer(invoice) | {"document": "invoice", "taxes": taxes}


def credit_note_row(note: CreditNote) -> Plain:
    """Likewise."""
    plain = credit_note_plain(note)
    taken = {name: -Decimal(plain[name]) for name in ("subtotal", "tax", "total")}
    of_invoice = plain["invoice_number"]
    return plain | taken | _buyer(note.invoice) | {"document": "credit_note", "of_invoice": of_invoice}


def _buyer(invoice: Invoice) -> Plain:
    buyer = invoice.buyer
    return {
        "customer": invoice.customer.slug,
        "customer_name": buyer.get("legal_name", invoice.customer.name),
        "customer_country": buyer.get("country", ""),
        "customer_tax_id": buyer.get("tax_id", ""),
        "purchase_order": buyer.get("purchase_order", ""),
        "tax_status": buyer.get("tax_status", ""),
    }


def _issued(since: date | None, until: date | None) -> dict[str, date]:
    bounds = {"issued_on__gte": since, "issued_on__lte": until}
    return {name: day for name, day in bounds.items() if day is not None}
