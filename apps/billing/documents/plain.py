"""Invoices, credit notes and statements as plain data: what the API gives, and the lines of an export.

Amounts are text, exact, with the currency's places; instants are ISO 8601 in UTC, days are days.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.billing.models import CreditNote, Invoice, InvoiceLine
from apps.billing.money import minor_units
from apps.billing.parties import details_of, seller_of
from apps.billing.queries.snapshots import buyer_snapshot, seller_snapshot
from apps.billing.queries.statements import Statement

Plain = dict[str, Any]
INNER = frozenset({"logo", "accent", "time_zone"})  # of a snapshot: how documents look, nobody's business elsewhere


def invoice_summary(invoice: Invoice) -> Plain:
    """An invoice without what is on it."""
    places = minor_units(invoice.currency)
    amounts = {name: _amount(getattr(invoice, name), places) for name in ("subtotal", "discount", "tax", "total")}
    return {
        "id": str(invoice.pk),
        "number": invoice.number or None,
        "kind": invoice.kind,
        "state": invoice.state,
        "customer": str(invoice.customer_id),
        "currency": invoice.currency,
        **amounts,
        "paid": _amount(invoice.paid, places),
        "credited": _amount(invoice.credited, places),
        "due": _amount(invoice.due if invoice.state == Invoice.State.OPEN else Decimal(0), places),
        "period_start": _instant(invoice.period_start),
        "period_end": _instant(invoice.period_end),
        "issued_on": _day(invoice.issued_on),
        "due_on": _day(invoice.due_on),
        "created_at": _instant(invoice.created_at),
        "finalized_at": _instant(invoice.finalized_at),
        "sent_at": _instant(invoice.sent_at),
    }


def invoice_plain(invoice: Invoice) -> Plain:
    """All that stands on it."""
    seller = invoice.seller or seller_snapshot(seller_of(invoice.organization))
    buyer = invoice.buyer or buyer_snapshot(details_of(invoice.customer))
    places = minor_units(invoice.currency)
    taxes = sorted(invoice.taxes.all(), key=lambda tax: (tax.name, tax.percent))  # which may be fetched already
    return {
        **invoice_summary(invoice),
        "per_dollar": _exact(invoice.per_dollar),
        "memo": invoice.memo,
        "seller": {name: value for name, value in seller.items() if name not in INNER},
        "buyer": {name: value for name, value in buyer.items() if name not in INNER},
        "lines": [line_plain(line, places) for line in invoice.lines.all()],
        "taxes": [
            {
                "name": tax.name,
                "percent": _exact(tax.percent),
                "is_inclusive": tax.is_inclusive,
                "base": _amount(tax.base, places),
                "amount": _amount(tax.amount, places),
            }
            for tax in taxes
        ],
    }


def line_plain(line: InvoiceLine, places: int) -> Plain:
    """A line: what it was computed to exactly, and its share of the rounded subtotal."""
    return {
        "id": str(line.pk),
        "position": line.position,
        "kind": line.kind,
        "description": line.description,
        "model": line.model or None,
        "token_kind": line.token_kind or None,
        "quantity": _exact(line.quantity),
        "unit": line.unit or None,
        "unit_price": _exact(line.unit_price),
        "precise_amount": _exact(line.precise_amount),
        "amount": _amount(line.amount, places),
        "tax_percent": _exact(line.tax_percent),
        "period_start": _instant(line.period_start),
        "period_end": _instant(line.period_end),
    }


def credit_note_plain(note: CreditNote) -> Plain:
    """All that stands on a credit note."""
    invoice = note.invoice
    places = minor_units(invoice.currency)
    return {
        "id": str(note.pk),
        "number": note.number,
        "invoice": str(invoice.pk),
        "invoice_number": invoice.number,
        "customer": str(invoice.customer_id),
        "currency": invoice.currency,
        "issued_on": _day(note.issued_on),
        "reason": note.reason,
        "settlement": note.settlement,
        "subtotal": _amount(note.subtotal, places),
        "tax": _amount(note.tax, places),
        "total": _amount(note.total, places),
        "created_at": _instant(note.created_at),
        "lines": [
            {"description": line.description, "amount": _amount(line.amount, places)}
            for line in sorted(note.lines.all(), key=lambda line: line.pk)
        ],
    }


def statement_plain(found: Statement) -> Plain:
    """All that stands on a statement; amounts with all places that they have."""
    return {
        "customer": str(found.customer.pk),
        "account": str(found.account),
        "currency": found.currency,
        "since": _day(found.since),
        "until": _day(found.until),
        "opening": _exact(found.opening),
        "closing": _exact(found.closing),
        "due": _exact(found.due),
        "movements": [
            {
                "on": _day(each.on),
                "since": _day(each.since),
                "kind": each.kind,
                "number": each.number,
                "amount": _exact(each.amount),
                "balance": _exact(each.balance),
            }
            for each in found.movements
        ],
        "open_invoices": [invoice_summary(each) for each in found.open_items],
    }


def _amount(amount: Decimal, places: int) -> str:
    return f"{amount:.{places}f}"


def _exact(number: Decimal | None) -> str | None:
    return None if number is None else f"{number.normalize():f}"


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def _day(day: Any) -> str | None:
    return day.isoformat() if day else None
