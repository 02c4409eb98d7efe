"""Addresses of what is set about billing, and of documents."""

from django.urls import path

from apps.console.views import billing_details, billing_settings, documents

document_paths = [
    path("billing/settings/", billing_settings.billing_settings, name="billing-settings"),
    path("billing/settings/logo/", billing_settings.billing_logo_set, name="billing-logo-set"),
    path("billing/settings/logo/remove/", billing_settings.billing_logo_remove, name="billing-logo-remove"),
    path("billing/settings/terms/", billing_settings.billing_terms, name="billing-terms"),
    path("billing/settings/rates/", billing_settings.billing_rates, name="billing-rates"),
    path("billing/settings/rates/add/", billing_settings.tax_rate_add, name="tax-rate-add"),
    path("billing/settings/rates/<uuid:rate_id>/retire/", billing_settings.tax_rate_retire, name="tax-rate-retire"),
    path("billing/settings/exchange-rates/set/", billing_settings.exchange_rate_set, name="exchange-rate-set"),
    path("billing/settings/exchange-rates/remove/", billing_settings.exchange_rate_remove, name="exchange-rate-remove"),
    path(
        "customers/<uuid:customer_id>/billing/details/",
        billing_details.customer_billing_details,
        name="customer-billing-details",
    ),
    path("billing/invoices/<uuid:invoice_id>.pdf", documents.invoice_pdf, name="invoice-pdf"),
    path("billing/invoices/<uuid:invoice_id>/document/", documents.invoice_page, name="invoice-document"),
    path("billing/invoices/<uuid:invoice_id>.json", documents.invoice_json, name="invoice-json"),
    path("billing/credit-notes/<uuid:note_id>.pdf", documents.credit_note_pdf, name="credit-note-pdf"),
    path("billing/credit-notes/<uuid:note_id>.json", documents.credit_note_json, name="credit-note-json"),
    path("billing/invoices/<uuid:invoice_id>/mailings/", documents.invoice_mailings, name="invoice-mailings"),
    path("billing/invoices/<uuid:invoice_id>/send/", documents.invoice_send, name="invoice-send"),
    path("billing/credit-notes/<uuid:note_id>/send/", documents.credit_note_send, name="credit-note-send"),
    path("customers/<uuid:customer_id>/billing/statement/", documents.customer_statement, name="customer-statement"),
    path(
        "customers/<uuid:customer_id>/billing/statement.pdf",
        documents.customer_statement_pdf,
        name="customer-statement-pdf",
    ),
    path(
        "customers/<uuid:customer_id>/billing/statement.json",
        documents.customer_statement_json,
        name="customer-statement-json",
    ),
]
