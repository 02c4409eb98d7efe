"""Invoices and credit notes as files. A draft is not for the customer yet."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404

from apps.billing.documents import faces
from apps.billing.models import CreditNote, Invoice
from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole


@portal_page(CustomerRole.VIEWER)
def invoice_pdf(request: PortalRequest, invoice_id: UUID) -> HttpResponse:
    """One of its final invoices."""
    return faces.invoice_pdf_answer(_invoice(request, invoice_id))


@portal_page(CustomerRole.VIEWER)
def invoice_json(request: PortalRequest, invoice_id: UUID) -> HttpResponse:
    """The same, for machines."""
    return faces.invoice_json_answer(_invoice(request, invoice_id))


@portal_page(CustomerRole.VIEWER)
def credit_note_pdf(request: PortalRequest, note_id: UUID) -> HttpResponse:
    """One of its credit notes."""
    return faces.credit_note_pdf_answer(_credit_note(request, note_id))


@portal_page(CustomerRole.VIEWER)
def credit_note_json(request: PortalRequest, note_id: UUID) -> HttpResponse:
    """The same, for machines."""
    return faces.credit_note_json_answer(_credit_note(request, note_id))


def _invoice(request: PortalRequest, invoice_id: UUID) -> Invoice:
    return get_object_or_404(request.customer.invoices.exclude(state=Invoice.State.DRAFT), pk=invoice_id)


def _credit_note(request: PortalRequest, note_id: UUID) -> CreditNote:
    return get_object_or_404(CreditNote, invoice__customer=request.customer, pk=note_id)
