"""The addresses of the billing overview and of invoices in the console."""

from django.urls import path

from apps.console.views import billing_actions as actions
from apps.console.views import billing_invoices as invoices
from apps.console.views import billing_overview as overview

invoice_paths = [
    path("billing/", overview.billing, name="billing"),
    path("billing/run/", overview.billing_run_now, name="billing-run"),
    path("billing/preview/<uuid:customer_id>/", invoices.invoice_preview, name="invoice-preview"),
    path("billing/invoices/", invoices.invoices, name="invoices"),
    path("billing/invoices/add/<uuid:customer_id>/", actions.invoice_add, name="invoice-add"),
    path("billing/invoices/<uuid:invoice_id>/", invoices.invoice_detail, name="invoice-detail"),
    path("billing/invoices/<uuid:invoice_id>/finalize/", actions.invoice_finalize, name="invoice-finalize"),
    path("billing/invoices/<uuid:invoice_id>/rebuild/", actions.invoice_rebuild, name="invoice-rebuild"),
    path("billing/invoices/<uuid:invoice_id>/delete/", actions.invoice_delete, name="invoice-delete"),
    path("billing/invoices/<uuid:invoice_id>/void/", actions.invoice_void, name="invoice-void"),
    path("billing/invoices/<uuid:invoice_id>/write-off/", actions.invoice_write_off, name="invoice-write-off"),
    path("billing/invoices/<uuid:invoice_id>/credit/", actions.invoice_credit, name="invoice-credit"),
    path("billing/invoices/<uuid:invoice_id>/lines/add/", actions.invoice_line_add, name="invoice-line-add"),
    path(
        "billing/invoices/<uuid:invoice_id>/lines/<uuid:line_id>/remove/",
        actions.invoice_line_remove,
        name="invoice-line-remove",
    ),
]
