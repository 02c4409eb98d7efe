"""What the operator sets about billing: who it is, terms, logo, tax rates and exchange rates."""

from base64 import b64encode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.billing.models import ExchangeRate
from apps.billing.parties import seller_of
from apps.billing.queries.taxes import rates_in_force
from apps.billing.services.rates import add_tax_rate, remove_exchange_rate, retire_tax_rate, set_exchange_rate
from apps.billing.services.sellers import remove_logo, set_logo, update_seller
from apps.billing.setup.forms import ExchangeDayForm, ExchangeRateForm, LogoForm, SellerForm, TaxRateForm, TermsForm
from apps.kit.errors import Refused

HERE = {"section": "billing", "tab": "settings"}


@operator_page(Role.BILLING)
def billing_settings(request: OperatorRequest) -> HttpResponse:
    """The seller as invoices name it, and how they look."""
    seller = seller_of(request.organization)
    form = SellerForm(request.POST or None, instance=seller)
    if request.method == "POST" and form.is_valid():
        update_seller(request.organization, by=request.user, **form.cleaned_data)
        messages.success(request, _("Saved. Invoices that are final stay as they are."))
        return redirect("console:billing-settings")
    logo = b64encode(seller.logo).decode() if seller.logo else ""
    context = {**HERE, "form": form, "logo": logo, "logo_form": LogoForm(), "subject": "seller"}
    return render(request, "console/billing/settings/seller.html", context)


@require_POST
@operator_page(Role.BILLING)
def billing_logo_set(request: OperatorRequest) -> HttpResponse:
    """Another logo."""
    form = LogoForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, " ".join(form.errors["logo"]))
        return redirect("console:billing-settings")
    try:
        set_logo(request.organization, form.cleaned_data["logo"], by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("That is the logo of documents from now on."))
    return redirect("console:billing-settings")


@require_POST
@operator_page(Role.BILLING)
def billing_logo_remove(request: OperatorRequest) -> HttpResponse:
    """No logo."""
    remove_logo(request.organization, by=request.user)
    messages.success(request, _("Documents have no logo from now on."))
    return redirect("console:billing-settings")


@operator_page(Role.BILLING)
def billing_terms(request: OperatorRequest) -> HttpResponse:
    """When invoices are final, sent, due, and what happens then."""
    form = TermsForm(request.POST or None, instance=seller_of(request.organization))
    if request.method == "POST" and form.is_valid():
        update_seller(request.organization, by=request.user, **form.cleaned_data)
        messages.success(request, _("Saved. It holds from now on."))
        return redirect("console:billing-terms")
    return render(request, "console/billing/settings/terms.html", {**HERE, "form": form, "subject": "terms"})


@operator_page(Role.BILLING)
def billing_rates(request: OperatorRequest) -> HttpResponse:
    """Tax rates and exchange rates, and forms for more of them."""
    return _rates_page(request, TaxRateForm(), ExchangeRateForm(initial={"effective_from": timezone.localdate()}))


@require_POST
@operator_page(Role.BILLING)
def tax_rate_add(request: OperatorRequest) -> HttpResponse:
    """A tax from a day on."""
    form = TaxRateForm(request.POST)
    if form.is_valid():
        try:
            rate = add_tax_rate(request.organization, by=request.user, **form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%(rate)s was added.") % {"rate": rate})
            return redirect("console:billing-rates")
    return _rates_page(request, form, ExchangeRateForm())


@require_POST
@operator_page(Role.BILLING)
def tax_rate_retire(request: OperatorRequest, rate_id: UUID) -> HttpResponse:
    """Charge it no more."""
    rate = get_object_or_404(request.organization.tax_rates, pk=rate_id)
    retire_tax_rate(rate, by=request.user, at=timezone.now())
    messages.success(request, _("%(rate)s is not charged from today on.") % {"rate": rate})
    return redirect("console:billing-rates")


@require_POST
@operator_page(Role.BILLING)
def exchange_rate_set(request: OperatorRequest) -> HttpResponse:
    """What a dollar is worth from a day on."""
    form = ExchangeRateForm(request.POST)
    if form.is_valid():
        try:
            set_exchange_rate(request.organization, by=request.user, **form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("console:billing-rates")
    return _rates_page(request, TaxRateForm(), form)


@require_POST
@operator_page(Role.BILLING)
def exchange_rate_remove(request: OperatorRequest) -> HttpResponse:
    """One that was wrong; the form says which by its currency and day."""
    asked = ExchangeDayForm(request.POST)
    rates = ExchangeRate.objects.filter(organization=request.organization)
    if asked.is_valid() and (rate := rates.filter(**asked.cleaned_data).first()):
        remove_exchange_rate(rate, by=request.user)
        messages.success(request, _("The rate was removed."))
    return redirect("console:billing-rates")


def _rates_page(request: OperatorRequest, tax_form: TaxRateForm, exchange_form: ExchangeRateForm) -> HttpResponse:
    organization = request.organization
    in_force = {rate.pk for rate in rates_in_force(organization, timezone.localdate())}
    context = {
        **HERE,
        "subject": "rates",
        "tax_rates": organization.tax_rates.order_by("country", "name", "-effective_from"),
        "in_force": in_force,
        "exchange_rates": organization.exchange_rates.order_by("currency", "-effective_from")[:100],
        "tax_form": tax_form,
        "exchange_form": exchange_form,
    }
    return render(request, "console/billing/settings/rates.html", context)
