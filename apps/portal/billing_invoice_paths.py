"""The addresses of billing and of invoices in the portal."""

from django.urls import path

from apps.portal.views import billing_invoices as invoices

invoice_paths = [
    path("billing/", invoices.billing, name="billing"),
    path("billing/invoices/", invoices.invoices, name="invoices"),
    path("billing/invoices/<uuid:invoice_id>/", invoices.invoice_detail, name="invoice-detail"),
]
