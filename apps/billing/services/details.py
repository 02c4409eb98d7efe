"""How a customer is billed: its own people change who it is, its operator the rest too."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import User
from apps.billing.models import BillingDetails, Invoice
from apps.billing.parties import details_of, seller_of
from apps.customers.models import Customer
from apps.customers.services import lock

OWN = ("legal_name", "address", "country", "tax_id", "email", "language", "purchase_order")  # of its own people
OPERATORS = ("currency", "tax_status", "tax_rate", "net_days", "is_reminded")
FIELDS = (*OWN, *OPERATORS)


@transaction.atomic
def update_details(customer: Customer, *, by: User | None, **changes: Any) -> BillingDetails:
    """Change some of FIELDS. Invoices that are final stay as they are; drafts follow.

    Raises ValidationError: also for another currency once there is an invoice, and for a reverse charge without
    a tax id.
    """
    if unknown := changes.keys() - set(FIELDS):
        raise TypeError(f"not a field of billing details: {', '.join(sorted(unknown))}")
    customer = lock(customer)  # before a look: nobody makes an invoice final meanwhile
    details_of(customer)
    details = BillingDetails.objects.select_related("tax_rate", "customer").get(customer=customer)
    before, currency = _told(details), currency_of(customer, details)
    for name, value in changes.items():
        setattr(details, name, value)
    if details.tax_rate is not None and details.tax_rate.organization_id != customer.organization_id:
        raise ValidationError({"tax_rate": _("There is no such tax rate.")})
    if details.tax_status == BillingDetails.TaxStatus.REVERSE_CHARGE and not details.tax_id:
        raise ValidationError({"tax_id": _("A reverse charge needs the customer's tax id.")})
    details.full_clean()
    if difference := audit.difference(before, _told(details)):
        if is_currency_fixed(customer) and currency != currency_of(customer, details):
            raise ValidationError({"currency": _("The currency is fixed: there is an invoice in it.")})
        details.save(update_fields=list(difference))
        audit.record(
            customer.organization, "billing_details.update", details, actor=by, changes=difference, customer=customer
        )
    return details


def currency_of(customer: Customer, details: BillingDetails) -> str:
    """The currency that these details give the customer: its own, else the seller's."""
    return details.currency or seller_of(customer.organization).currency


def is_currency_fixed(customer: Customer) -> bool:
    """Whether there is a final invoice: amounts of one customer are never in two currencies."""
    return Invoice.objects.final().filter(customer=customer).exists()


def _told(details: BillingDetails) -> dict[str, Any]:
    told = audit.fields_of(details, FIELDS)
    return {**told, "tax_rate": str(details.tax_rate) if details.tax_rate else None}
