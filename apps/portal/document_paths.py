"""Addresses of billing details, and of documents."""

from django.urls import path

from apps.portal.views import billing_details, documents

document_paths = [
    path("billing/details/", billing_details.billing_details, name="billing-details"),
    path("billing/details/edit/", billing_details.billing_details_edit, name="billing-details-edit"),
    path("billing/invoices/<uuid:invoice_id>.pdf", documents.invoice_pdf, name="invoice-pdf"),
    path("billing/invoices/<uuid:invoice_id>/document/", documents.invoice_page, name="invoice-document"),
    path("billing/invoices/<uuid:invoice_id>.json", documents.invoice_json, name="invoice-json"),
    path("billing/credit-notes/<uuid:note_id>.pdf", documents.credit_note_pdf, name="credit-note-pdf"),
    path("billing/credit-notes/<uuid:note_id>.json", documents.credit_note_json, name="credit-note-json"),
    path("billing/statement/", documents.billing_statement, name="billing-statement"),
    path("billing/statement.pdf", documents.billing_statement_pdf, name="billing-statement-pdf"),
    path("billing/statement.json", documents.billing_statement_json, name="billing-statement-json"),
]
