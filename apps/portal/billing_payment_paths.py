"""Addresses of the customer's pages on payments."""

from django.urls import URLPattern, path

from apps.portal.views import billing_payments as views

payment_paths: list[URLPattern] = [
    path("billing/payments/", views.payments, name="payments"),
    path("billing/payments/<uuid:payment_id>/", views.payment_detail, name="payment-detail"),
    path("billing/payments/<uuid:payment_id>/cancel/", views.payment_cancel, name="payment-cancel"),
    path("billing/top-up/", views.top_up, name="top-up"),
    path("billing/invoices/<uuid:invoice_id>/pay/", views.invoice_pay, name="invoice-pay"),
    path("billing/methods/add/", views.payment_method_add, name="payment-method-add"),
    path("billing/methods/read/", views.payment_methods_read, name="payment-methods-read"),
    path("billing/methods/<uuid:method_id>/default/", views.payment_method_default, name="payment-method-default"),
    path("billing/methods/<uuid:method_id>/remove/", views.payment_method_remove, name="payment-method-remove"),
]
