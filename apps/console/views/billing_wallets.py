"""Wallets: all of them, and each customer's, with what an operator does to it by hand."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.forms import model_to_dict
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.billing.models import Wallet
from apps.billing.queries.wallets import balance_after, entries_of, figures_of, outstanding, wallets_of
from apps.billing.services.lots import adjust_credit, grant_credit
from apps.billing.services.top_ups import top_up_by_hand
from apps.billing.services.wallets import FIELDS as WALLET_FIELDS
from apps.billing.services.wallets import open_wallet, update_wallet
from apps.billing.wallet_faces import requests_between, wallet_page
from apps.billing.wallet_forms import GrantForm, OpenForm, TakeForm, TopUpForm, WalletForm
from apps.customers.models import Customer
from apps.kit.errors import Refused

PAGE = 50
HERE = {"section": "billing", "tab": "wallets"}


@operator_page(Role.VIEWER)
def wallets(request: OperatorRequest) -> HttpResponse:
    """Those with the least left first."""
    wanted = request.GET.get("q", "").strip()
    found = wallets_of(request.organization, wanted=wanted)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    figures = figures_of(page, at=timezone.now())
    context = HERE | {
        "page": page,
        "rows": [(wallet, figures[wallet.pk]) for wallet in page],
        "wanted": wanted,
        "outstanding": outstanding(request.organization),
        "may_change": request.member.may(Role.BILLING),
    }
    return render(request, "console/billing/wallets/list.html", context)


@operator_page(Role.VIEWER)
def wallet_detail(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """A customer's balance, lots and history; or how it would get a wallet."""
    customer = _customer(request, customer_id)
    wallet = _wallet_of(customer)
    context = HERE | {"customer": customer, "may_change": request.member.may(Role.BILLING), "zone": request.zone}
    if wallet is None:
        context["form"] = OpenForm(initial={"settlement": Wallet.Settlement.PREPAID})
        return render(request, "console/billing/wallets/none.html", context)
    url = partial(requests_between, reverse("console:requests"), customer=customer.pk)
    shown = wallet_page(wallet, page=request.GET.get("page"), zone=request.zone, at=timezone.now(), requests_url=url)
    return render(request, "console/billing/wallets/detail.html", context | {"shown": shown})


@operator_page(Role.VIEWER)
def wallet_entries(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Each entry of the ledger, with what there was after it."""
    customer = _customer(request, customer_id)
    wallet = _wallet_of(customer)
    if wallet is None:
        raise Http404
    page = Paginator(entries_of(wallet), PAGE).get_page(request.GET.get("page"))
    rows, after = [], balance_after(wallet, page[0]) if len(page) else None
    for entry in page:
        rows.append((entry, after))
        after = None if after is None else after - entry.amount
    context = HERE | {"customer": customer, "page": page, "rows": rows}
    return render(request, "console/billing/wallets/entries.html", context)


@require_POST
@operator_page(Role.BILLING)
def wallet_open(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Pay a customer's usage from credit, from today on."""
    customer = _customer(request, customer_id)
    form = OpenForm(request.POST)
    if form.is_valid():
        settlement = Wallet.Settlement(form.cleaned_data["settlement"])
        open_wallet(customer, settlement=settlement, by=request.user, at=timezone.now())
        messages.success(request, _("%(customer)s has a wallet.") % {"customer": customer})
    else:
        messages.error(request, _("Choose how usage is paid."))
    return redirect("console:wallet-detail", customer.pk)


@operator_page(Role.BILLING)
def wallet_update(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """How usage is paid, when to warn, how far below zero; a change holds at once, on every process."""
    wallet = _wallet(request, customer_id)
    form = WalletForm(request.POST or None, initial=model_to_dict(wallet, WALLET_FIELDS))

    def save(fields: dict[str, Any], at: datetime) -> None:
        update_wallet(wallet, by=request.user, at=at, **fields)

    return _form_page(request, wallet, form, save, title=_("Settings"), button=_("Save"), done=_("Saved."))


@operator_page(Role.BILLING)
def credit_grant(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Credit given by hand. The form carries a key made when it was shown: a double click grants once."""
    wallet = _wallet(request, customer_id)

    def grant(fields: dict[str, Any], at: datetime) -> None:
        key, expires_at = f"by_hand:{fields.pop('key')}", fields.pop("last_day")
        grant_credit(wallet, key=key, expires_at=expires_at, by=request.user, at=at, **fields)

    form = GrantForm(request.POST or None, zone=request.zone)
    return _form_page(request, wallet, form, grant, title=_("Give credit"), button=_("Give"), done=_("Given."))


@operator_page(Role.BILLING)
def credit_take(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Unused credit taken away by hand."""
    wallet = _wallet(request, customer_id)

    def take(fields: dict[str, Any], at: datetime) -> None:
        fields["key"] = f"by_hand:{fields['key']}"
        adjust_credit(wallet, by=request.user, at=at, **fields)

    form = TakeForm(request.POST or None)
    return _form_page(request, wallet, form, take, title=_("Take credit away"), button=_("Take"), done=_("Taken."))


@operator_page(Role.BILLING)
def credit_top_up(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Money that came in by other ways than a payment provider."""
    wallet = _wallet(request, customer_id)

    def top_up(fields: dict[str, Any], at: datetime) -> None:
        _lot, is_new = top_up_by_hand(wallet.customer, by=request.user, at=at, **fields)
        if not is_new:
            messages.info(request, _("This reference was credited before: nothing was added."))

    form = TopUpForm(request.POST or None)
    title, button = _("Credit a payment"), _("Credit")
    return _form_page(request, wallet, form, top_up, title=title, button=button, done=_("Credited."))


def _form_page(
    request: OperatorRequest,
    wallet: Wallet,
    form: forms.BaseForm,
    do: Callable[[dict[str, Any], datetime], None],
    *,
    title: str,
    button: str,
    done: str,
) -> HttpResponse:
    """A form about a wallet; done, back to it."""
    if request.method == "POST" and form.is_valid():
        try:
            do(dict(form.cleaned_data), timezone.now())
        except ValidationError as error:
            form.add_error(None, error.messages)  # type: ignore[arg-type]
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, done)
            return redirect("console:wallet-detail", wallet.customer_id)
    context = HERE | {"customer": wallet.customer, "wallet": wallet, "form": form, "title": title, "button": button}
    return render(request, "console/billing/wallets/form.html", context)


def _customer(request: OperatorRequest, customer_id: UUID) -> Customer:
    return get_object_or_404(request.organization.customers.select_related("organization"), pk=customer_id)


def _wallet_of(customer: Customer) -> Wallet | None:
    wallets = Wallet.objects.select_related("account", "customer__organization")
    return wallets.filter(customer=customer).first()


def _wallet(request: OperatorRequest, customer_id: UUID) -> Wallet:
    return get_object_or_404(
        Wallet.objects.select_related("account", "customer__organization"),
        customer__organization=request.organization,
        customer_id=customer_id,
    )
