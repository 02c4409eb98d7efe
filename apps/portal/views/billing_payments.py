"""Paying: credit, open invoices, and the cards that are charged. What is paid is written down when it comes in."""

from collections.abc import Callable
from decimal import Decimal
from urllib.parse import urlencode
from uuid import UUID

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.billing.errors import NotConfigured
from apps.billing.models import Invoice, Payment, PaymentMethod
from apps.billing.parties import seller_of
from apps.billing.payments.base import Declined, PaymentProvider, ProviderError
from apps.billing.payments.manual import ManualPayments
from apps.billing.payments.registry import provider_of
from apps.billing.queries.payments import payments_of_customer
from apps.billing.services.collecting import ask_about, start_invoice_payment, start_top_up
from apps.billing.services.payment_methods import read_methods, remove_method, set_default_method, start_method
from apps.billing.services.payments import cancel_payment
from apps.billing.services.quotes import Quote, quote_top_up
from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.kit.errors import Refused
from apps.portal.billing_payment_forms import PayForm, TopUpForm

PAGE = 25
HERE = {"section": "billing", "tab": "payments"}
SOME_PAYMENT = UUID(int=0)
PRESETS = [Decimal(amount) for amount in (20, 50, 100, 250, 500)]

# A form here may lead to the provider's own pages: browsers hold redirects of forms to be forms too.
to_provider = csp_update({"form-action": ["https://checkout.stripe.com", "https://*.stripe.com"]})


@to_provider
@portal_page(CustomerRole.VIEWER)
def payments(request: PortalRequest) -> HttpResponse:
    """What was paid, and what is charged."""
    customer = request.customer
    provider = provider_of(customer.organization)
    context = HERE | {
        "page": Paginator(payments_of_customer(customer), PAGE).get_page(request.GET.get("page")),
        "methods": customer.payment_methods.live(),
        "has_methods": provider.has_methods,
        "due": customer.invoices.filter(state=Invoice.State.OPEN).order_by("due_on", "sequence"),
        "may_change": request.customer_member.may(CustomerRole.ADMIN),
    }
    return render(request, "portal/billing/payments/list.html", context)


@portal_page(CustomerRole.VIEWER)
def payment_detail(request: PortalRequest, payment_id: UUID) -> HttpResponse:
    """A payment: paid, or what to do so that it is. Whoever comes back from the provider's page comes here."""
    payment = _payment(request, payment_id)
    if payment.state == Payment.State.PENDING and payment.provider != ManualPayments.name:
        try:
            payment = ask_about(payment, at=timezone.now())
        except (Refused, Declined, ProviderError):
            messages.warning(request, _("The payment provider can't be asked now: look again in a minute."))
    context = HERE | {
        "payment": payment,
        "terms": seller_of(request.customer.organization).payment_terms,
        "refunds": payment.refunds.exclude(state="failed").order_by("-created_at"),
        "may_change": request.customer_member.may(CustomerRole.ADMIN),
    }
    return render(request, "portal/billing/payments/detail.html", context)


@to_provider
@portal_page(CustomerRole.ADMIN)
def top_up(request: PortalRequest) -> HttpResponse:
    """Buy credit: how much, what it costs with tax, and how to pay."""
    customer, form = request.customer, TopUpForm(request.POST or request.GET or None)
    way = PayForm(request.POST, customer=customer) if request.method == "POST" else None
    if way is not None and form.is_valid() and way.is_valid():
        credit = form.cleaned_data["credit"]
        again = f"{reverse('portal:top-up')}?{urlencode({'credit': credit})}"
        return _pay(request, again, way, lambda **how: start_top_up(customer, credit, **how))
    quote, why = _quoted(request, form)
    context = HERE | {"form": form, "quote": quote, "why": why, "presets": PRESETS} | _ways(request)
    return render(request, "portal/billing/payments/top_up.html", context)


@to_provider
@portal_page(CustomerRole.ADMIN)
def invoice_pay(request: PortalRequest, invoice_id: UUID) -> HttpResponse:
    """Pay what is due on an invoice."""
    invoices = request.customer.invoices.exclude(state=Invoice.State.DRAFT)
    invoice = get_object_or_404(invoices.select_related("customer__organization", "organization"), pk=invoice_id)
    way = PayForm(request.POST, customer=request.customer) if request.method == "POST" else None
    if way is not None and way.is_valid():
        return _pay(request, request.path, way, lambda **how: start_invoice_payment(invoice, **how))
    return render(request, "portal/billing/payments/invoice.html", HERE | {"invoice": invoice} | _ways(request))


@require_POST
@portal_page(CustomerRole.ADMIN)
def payment_cancel(request: PortalRequest, payment_id: UUID) -> HttpResponse:
    """A transfer that was announced is not sent after all."""
    try:
        cancel_payment(_payment(request, payment_id), by=request.user, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Cancelled."))
    return redirect("portal:payments")


@require_POST
@portal_page(CustomerRole.ADMIN)
def payment_method_add(request: PortalRequest) -> HttpResponse:
    """To the provider's page, where a card is left."""
    back = f"{settings.PUBLIC_URL}{reverse('portal:payment-methods-read')}"
    try:
        return redirect(start_method(request.customer, back))
    except (Refused, Declined, ProviderError) as error:
        messages.error(request, str(error))
    return redirect("portal:payments")


@portal_page(CustomerRole.ADMIN)
def payment_methods_read(request: PortalRequest) -> HttpResponse:
    """Back from there: the card is listed."""
    customer = request.customer
    provider = provider_of(customer.organization)
    try:
        if provider.has_methods:
            read_methods(customer, provider, at=timezone.now())
    except (Declined, ProviderError):
        messages.warning(request, _("The payment provider can't be asked now: look again in a minute."))
    return redirect("portal:payments")


@require_POST
@portal_page(CustomerRole.ADMIN)
def payment_method_default(request: PortalRequest, method_id: UUID) -> HttpResponse:
    """Charge this one when nobody is there to choose."""
    try:
        set_default_method(_method(request, method_id), by=request.user)
    except (Refused, Declined, ProviderError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("It is charged from now on."))
    return redirect("portal:payments")


@require_POST
@portal_page(CustomerRole.ADMIN)
def payment_method_remove(request: PortalRequest, method_id: UUID) -> HttpResponse:
    """Forget a card."""
    try:
        remove_method(_method(request, method_id), by=request.user, at=timezone.now())
    except (Refused, ProviderError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("It is removed."))
    return redirect("portal:payments")


def _pay(request: PortalRequest, again: str, way: PayForm, start: Callable[..., Payment]) -> HttpResponse:
    """Begin a payment, and go where the payer has to. Refused: back to the page, which says why."""
    provider: PaymentProvider = ManualPayments() if way.is_transfer else provider_of(request.customer.organization)
    back = f"{settings.PUBLIC_URL}{reverse('portal:payment-detail', args=[SOME_PAYMENT])}"
    how = {"provider": provider, "method": way.method, "return_url": back.replace(str(SOME_PAYMENT), "{payment}")}
    try:
        payment = start(by=request.user, at=timezone.now(), **how)
    except (Refused, ProviderError) as error:
        messages.error(request, str(error))
        return redirect(again)
    if payment.state == Payment.State.PENDING and (url := payment.details.get("url")):
        return redirect(url)
    return redirect("portal:payment-detail", payment.pk)


def _ways(request: PortalRequest) -> dict[str, object]:
    """How the customer can pay."""
    organization = request.customer.organization
    provider = provider_of(organization)
    return {
        "methods": list(request.customer.payment_methods.live().filter(provider=provider.name)),
        "has_page": provider.name != ManualPayments.name,
        "terms": seller_of(organization).payment_terms,
    }


def _quoted(request: PortalRequest, form: TopUpForm) -> tuple[Quote | None, str]:
    """What the chosen credit costs, or why it can't be said."""
    if not form.is_bound or not form.is_valid():
        return None, ""
    try:
        return quote_top_up(request.customer, form.cleaned_data["credit"], at=timezone.now()), ""
    except NotConfigured:
        return None, _("Credit can't be bought in your currency yet: ask who you buy from.")


def _payment(request: PortalRequest, payment_id: UUID) -> Payment:
    found = request.customer.payments.select_related("customer__organization", "organization", "invoice")
    payment: Payment = get_object_or_404(found, pk=payment_id)
    return payment


def _method(request: PortalRequest, method_id: UUID) -> PaymentMethod:
    found = request.customer.payment_methods.live().select_related("customer__organization")
    method: PaymentMethod = get_object_or_404(found, pk=method_id)
    return method
