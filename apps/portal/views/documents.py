"""Invoices and credit notes as files; statements. A draft is not for the customer yet."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from apps.billing.documents import faces
from apps.billing.documents.content import invoice_document
from apps.billing.documents.statement_faces import statement_context, statement_json, statement_pdf
from apps.billing.models import CreditNote, Invoice
from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole


@portal_page(CustomerRole.VIEWER)
def invoice_pdf(request: PortalRequest, invoice_id: UUID) -> HttpResponse:
    """One of its final invoices."""
    return faces.invoice_pdf_answer(_invoice(request, invoice_id))


@portal_page(CustomerRole.VIEWER)
def invoice_page(request: PortalRequest, invoice_id: UUID) -> HttpResponse:
    """As it is printed."""
    invoice = _invoice(request, invoice_id)
    context = {"section": "billing", "tab": "invoices", "invoice": invoice, "document": invoice_document(invoice)}
    return render(request, "portal/billing/document.html", context)


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


@portal_page(CustomerRole.VIEWER)
def billing_statement(request: PortalRequest) -> HttpResponse:
    """What was billed and paid over some days, and what is open; or what became of its credit."""
    context = {"section": "billing", "tab": "statement"}
    context |= statement_context(request, request.customer, lambda kind: reverse(f"portal:billing-statement-{kind}"))
    return render(request, "portal/billing/statement.html", context)


@portal_page(CustomerRole.VIEWER)
def billing_statement_pdf(request: PortalRequest) -> HttpResponse:
    """The same as a file."""
    return statement_pdf(request, request.customer)


@portal_page(CustomerRole.VIEWER)
def billing_statement_json(request: PortalRequest) -> HttpResponse:
    """The same, for machines."""
    return statement_json(request, request.customer)
