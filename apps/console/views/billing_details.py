"""How a customer is billed."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.billing.parties import details_of, seller_of
from apps.billing.queries.taxes import tax_for
from apps.billing.services.details import is_currency_fixed, update_details
from apps.billing.setup.forms import DetailsForm


@operator_page(Role.BILLING)
def customer_billing_details(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Who the customer is before the law, its currency and taxes, and where its invoices go."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    form = DetailsForm(
        request.POST or None,
        instance=details_of(customer),
        seller=seller_of(request.organization),
        is_currency_fixed=is_currency_fixed(customer),
    )
    if request.method == "POST" and form.is_valid():
        try:
            update_details(customer, by=request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Saved. Invoices that are final stay as they are."))
            return redirect("console:customer-billing-details", customer_id)
    context = {
        "section": "customers",
        "customer": customer,
        "form": form,
        "tax": tax_for(customer, timezone.localdate()),
    }
    return render(request, "console/billing/settings/details.html", context)
