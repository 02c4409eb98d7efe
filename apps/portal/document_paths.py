"""Addresses of billing details, and of documents."""

from django.urls import path

from apps.portal.views import billing_details

document_paths = [
    path("billing/details/", billing_details.billing_details, name="billing-details"),
    path("billing/details/edit/", billing_details.billing_details_edit, name="billing-details-edit"),
]
