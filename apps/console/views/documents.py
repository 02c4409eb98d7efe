"""Invoices and credit notes as files."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.billing.documents import faces


@operator_page(Role.VIEWER)
def invoice_pdf(request: OperatorRequest, invoice_id: UUID) -> HttpResponse:
    """A draft too: it is stamped so."""
    return faces.invoice_pdf_answer(get_object_or_404(request.organization.invoices, pk=invoice_id))


@operator_page(Role.VIEWER)
def invoice_json(request: OperatorRequest, invoice_id: UUID) -> HttpResponse:
    """The same, for machines."""
    return faces.invoice_json_answer(get_object_or_404(request.organization.invoices, pk=invoice_id))


@operator_page(Role.VIEWER)
def credit_note_pdf(request: OperatorRequest, note_id: UUID) -> HttpResponse:
    """A credit note."""
    return faces.credit_note_pdf_answer(get_object_or_404(request.organization.credit_notes, pk=note_id))


@operator_page(Role.VIEWER)
def credit_note_json(request: OperatorRequest, note_id: UUID) -> HttpResponse:
    """The same, for machines."""
    return faces.credit_note_json_answer(get_object_or_404(request.organization.credit_notes, pk=note_id))
