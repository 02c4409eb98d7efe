"""How the customer is billed: its own people see all of it, and change who they are."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from apps.billing.countries import country_name
from apps.billing.documents.words import LANGUAGES
from apps.billing.parties import currency_of, details_of
from apps.billing.services.details import update_details
from apps.billing.setup.forms import OwnDetailsForm
from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole


@portal_page(CustomerRole.VIEWER)
def billing_details(request: PortalRequest) -> HttpResponse:
    """As documents have it."""
    details = details_of(request.customer)
    context = {
        "section": "billing",
        "tab": "details",
        "details": details,
        "country": country_name(details.country),
        "language": LANGUAGES.get(details.language, details.language),
        "currency": currency_of(request.customer),
        "may_change": request.customer_member.may(CustomerRole.ADMIN),
    }
    return render(request, "portal/billing/details.html", context)


@portal_page(CustomerRole.ADMIN)
def billing_details_edit(request: PortalRequest) -> HttpResponse:
    """Name, address, tax id, where invoices go; currency and tax are the operator's to change."""
    form = OwnDetailsForm(request.POST or None, instance=details_of(request.customer))
    if request.method == "POST" and form.is_valid():
        try:
            update_details(request.customer, by=request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Saved. It is on documents from now on."))
            return redirect("portal:billing-details")
    context = {"section": "billing", "tab": "details", "form": form}
    return render(request, "portal/billing/details_edit.html", context)
