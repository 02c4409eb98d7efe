"""A customer's wallet: what is left, what it came from and went to, codes, and credit that buys itself."""

from functools import partial

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import model_to_dict
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.billing.models import AutoTopUp, Wallet
from apps.billing.services.top_up_rules import FIELDS as RULE_FIELDS
from apps.billing.services.top_up_rules import set_auto_top_up
from apps.billing.services.vouchers import redeem_voucher
from apps.billing.services.wallets import update_wallet
from apps.billing.wallet_faces import requests_between, wallet_page
from apps.billing.wallet_forms import AutoTopUpForm, RedeemForm, WarningForm
from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.kit.errors import Refused
from apps.kit.templatetags.display import money

HERE = {"section": "billing", "tab": "wallet"}


@portal_page(CustomerRole.VIEWER)
def wallet(request: PortalRequest) -> HttpResponse:
    """Balance, lots and history; of who pays by invoice alone, that."""
    wallet = _wallet(request)
    context = HERE | {
        "may_change": request.customer_member.may(CustomerRole.ADMIN),
        "redeem_form": RedeemForm(),
        "zone": request.zone,
    }
    if wallet is not None:
        context["shown"] = wallet_page(
            wallet,
            page=request.GET.get("page"),
            zone=request.zone,
            at=timezone.now(),
            requests_url=partial(requests_between, reverse("portal:requests")),
        )
    return render(request, "portal/billing/wallet.html", context)


@require_POST
@portal_page(CustomerRole.ADMIN)
def voucher_redeem(request: PortalRequest) -> HttpResponse:
    """Credit for a code. Who tries many is stopped: see accounts' middleware."""
    form = RedeemForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Type the code."))
        return redirect("portal:wallet")
    try:
        lot, is_new = redeem_voucher(request.customer, form.cleaned_data["code"], by=request.user, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        told = _("%(amount)s of credit were added.") if is_new else _("This code was redeemed before: %(amount)s.")
        messages.success(request, told % {"amount": money(lot.amount)})
    return redirect("portal:wallet")


@portal_page(CustomerRole.ADMIN)
def wallet_warning(request: PortalRequest) -> HttpResponse:
    """From which balance on to be warned."""
    wallet = _wallet_or_404(request)
    form = WarningForm(request.POST or None, initial={"low_balance": wallet.low_balance})
    if request.method == "POST" and form.is_valid():
        update_wallet(wallet, by=request.user, at=timezone.now(), **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("portal:wallet")
    context = HERE | {"form": form, "title": _("Low balance warning")}
    return render(request, "portal/billing/wallet_form.html", context)


@portal_page(CustomerRole.ADMIN)
def auto_top_up(request: PortalRequest) -> HttpResponse:
    """Whether credit is bought by itself, and how much."""
    wallet = _wallet_or_404(request)
    rule = AutoTopUp.objects.filter(wallet=wallet).first()
    initial = model_to_dict(rule, RULE_FIELDS) if rule else {"is_on": True}
    form = AutoTopUpForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            set_auto_top_up(wallet, by=request.user, at=timezone.now(), **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)  # type: ignore[arg-type]
        else:
            messages.success(request, _("Saved."))
            return redirect("portal:wallet")
    has_method = request.customer.payment_methods.filter(removed_at=None, is_default=True).exists()
    context = HERE | {"form": form, "title": _("Automatic top-up"), "has_method": has_method, "is_buying": True}
    return render(request, "portal/billing/wallet_form.html", context)


def _wallet(request: PortalRequest) -> Wallet | None:
    wallets = Wallet.objects.select_related("account", "customer__organization")
    return wallets.filter(customer=request.customer).first()


def _wallet_or_404(request: PortalRequest) -> Wallet:
    wallet = _wallet(request)
    if wallet is None:
        raise Http404
    return wallet
