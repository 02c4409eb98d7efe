"""Documents as answers to a browser: what the operator's pages and the customer's have alike."""

import re

from django.http import HttpResponse, JsonResponse

from apps.billing.documents.content import credit_note_document, invoice_document
from apps.billing.documents.pdf import as_pdf
from apps.billing.documents.plain import credit_note_plain, invoice_plain
from apps.billing.models import CreditNote, Invoice


def invoice_pdf_answer(invoice: Invoice) -> HttpResponse:
    """To be saved under its number."""
    return pdf_answer(as_pdf(invoice_document(invoice)), invoice.number or "draft")


def credit_note_pdf_answer(note: CreditNote) -> HttpResponse:
    """Likewise."""
    return pdf_answer(as_pdf(credit_note_document(note)), note.number)


def invoice_json_answer(invoice: Invoice) -> HttpResponse:
    """As the API has it."""
    return JsonResponse(invoice_plain(invoice), json_dumps_params={"indent": 2})


def credit_note_json_answer(note: CreditNote) -> HttpResponse:
    """Likewise."""
    return JsonResponse(credit_note_plain(note), json_dumps_params={"indent": 2})


def pdf_answer(content: bytes, name: str) -> HttpResponse:
    """A PDF that browsers save under that name."""
    headers = {"Content-Disposition": f'attachment; filename="{file_name(name)}.pdf"'}
    return HttpResponse(content, content_type="application/pdf", headers=headers)


def file_name(number: str) -> str:
    """A document's number as the name of a file: prefixes may have slashes and spaces."""
    return re.sub(r"[^0-9A-Za-z._-]+", "-", number).strip(".-") or "document"
