"""Invoices and credit notes as files and e-mails; statements."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.billing.documents import faces
from apps.billing.documents.content import invoice_document
from apps.billing.documents.fonts import fonts
from apps.billing.documents.statement_faces import statement_context, statement_json, statement_pdf
from apps.billing.models import Invoice, Mailing
from apps.billing.queries.mailings import mailings_of
from apps.billing.services.mailing import SENDABLE, address_of, queue_credit_note, queue_invoice
from apps.kit.errors import Refused


@operator_page(Role.VIEWER)
def invoice_pdf(request: OperatorRequest, invoice_id: UUID) -> HttpResponse:
    """A draft too: it is stamped so."""
    return faces.invoice_pdf_answer(get_object_or_404(request.organization.invoices, pk=invoice_id))


@operator_page(Role.VIEWER)
def invoice_page(request: OperatorRequest, invoice_id: UUID) -> HttpResponse:
    """As it is printed."""
    invoice = get_object_or_404(request.organization.invoices.select_related("customer"), pk=invoice_id)
    document = invoice_document(invoice)
    context = {
        "section": "billing",
        "tab": "invoices",
        "invoice": invoice,
        "document": document,
        "lacking": fonts().lacking(document.text),
    }
    return render(request, "console/billing/document.html", context)


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


@operator_page(Role.VIEWER)
def customer_statement(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """What a customer was billed and paid over some days, and what is open; or what became of its credit."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    context = {"section": "customers", "customer": customer}
    context |= statement_context(
        request, customer, lambda kind: reverse(f"console:customer-statement-{kind}", args=[customer_id])
    )
    return render(request, "console/billing/statement.html", context)


@operator_page(Role.VIEWER)
def customer_statement_pdf(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """The same as a file."""
    return statement_pdf(request, get_object_or_404(request.organization.customers, pk=customer_id))


@operator_page(Role.VIEWER)
def customer_statement_json(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """The same, for machines."""
    return statement_json(request, get_object_or_404(request.organization.customers, pk=customer_id))


@operator_page(Role.VIEWER)
def invoice_mailings(request: OperatorRequest, invoice_id: UUID) -> HttpResponse:
    """What was sent about an invoice: itself, its credit notes, reminders; and a button to send it again."""
    invoice = get_object_or_404(request.organization.invoices.select_related("customer"), pk=invoice_id)
    context = {
        "section": "billing",
        "tab": "invoices",
        "invoice": invoice,
        "mailings": mailings_of(invoice),
        "address": address_of(invoice),
        "credit_notes": invoice.credit_notes.order_by("sequence"),
        "may_send": request.member.may(Role.BILLING) and invoice.state in SENDABLE,
    }
    return render(request, "console/billing/mailings.html", context)


@require_POST
@operator_page(Role.BILLING)
def invoice_send(request: OperatorRequest, invoice_id: UUID) -> HttpResponse:
    """To the customer's address, also if it was sent before."""
    invoice = get_object_or_404(request.organization.invoices, pk=invoice_id)
    return _sent(request, invoice, lambda: queue_invoice(invoice, by=request.user, at=timezone.now(), again=True))


@require_POST
@operator_page(Role.BILLING)
def credit_note_send(request: OperatorRequest, note_id: UUID) -> HttpResponse:
    """Likewise."""
    note = get_object_or_404(request.organization.credit_notes.select_related("invoice"), pk=note_id)
    return _sent(request, note.invoice, lambda: queue_credit_note(note, by=request.user, at=timezone.now(), again=True))


def _sent(request: OperatorRequest, invoice: Invoice, queue: Callable[[], Mailing]) -> HttpResponse:
    try:
        mailing = queue()
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("It is on its way to %(to)s.") % {"to": mailing.to})
    return redirect("console:invoice-mailings", invoice.pk)
