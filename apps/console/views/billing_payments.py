"""What customers paid, what goes back to them, and who takes the money."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.billing.models import Payment, Refund
from apps.billing.models.payments import MANUAL
from apps.billing.payments.base import Declined, ProviderError
from apps.billing.payments.registry import LABELS
from apps.billing.queries.payments import events_to_see_to, payments_by_state, payments_of
from apps.billing.services.bank_transfers import receive_transfer, record_transfer
from apps.billing.services.collecting import ask_about
from apps.billing.services.payment_events import dismiss_event, process_event, take_as_payment
from apps.billing.services.payment_settings import check_stripe, remove_stripe, set_up_stripe, settings_of
from apps.billing.services.payments import apply_surplus, surplus_of
from apps.billing.services.refund_entries import most_refundable
from apps.billing.services.refunds import refund_payment
from apps.console.billing_payment_forms import ReceivedForm, RefundForm, StripeForm, TransferForm
from apps.kit.errors import Refused
from apps.kit.templatetags.display import plain_amount

PAGE = 50
HERE = {"section": "billing", "tab": "payments"}


@operator_page(Role.VIEWER)
def payments(request: OperatorRequest) -> HttpResponse:
    """All payments, the newest first."""
    page = Paginator(payments_of(request.organization, request.GET), PAGE).get_page(request.GET.get("page"))
    counts = payments_by_state(request.organization)
    context = HERE | {
        "page": page,
        "wanted": request.GET.get("q", "").strip(),
        "state": request.GET.get("state", ""),
        "states": [(state.value, state.label, counts.get(state.value, 0)) for state in Payment.State],
        "is_empty": not counts,
        "to_see_to": events_to_see_to(request.organization).count(),
        "labels": LABELS,
        "may_change": request.member.may(Role.BILLING),
    }
    return render(request, "console/billing/payments/list.html", context)


@operator_page(Role.VIEWER)
def payment_detail(request: OperatorRequest, payment_id: UUID) -> HttpResponse:
    """A payment: what it was for, what it did, what went back."""
    payment = _payment(request, payment_id)
    context = HERE | {
        "payment": payment,
        "provider": LABELS.get(payment.provider, payment.provider),
        "allocations": payment.allocations.select_related("invoice").order_by("pk"),
        "refunds": payment.refunds.order_by("-created_at"),
        "disputes": payment.disputes.order_by("-opened_at"),
        "surplus": surplus_of(payment),
        "most": most_refundable(payment),
        "refund_form": RefundForm(payment=payment),
        "received_form": ReceivedForm(initial={"amount": plain_amount(payment.amount)}),
        "may_change": request.member.may(Role.BILLING),
    }
    return render(request, "console/billing/payments/detail.html", context)


@require_POST
@operator_page(Role.BILLING)
def payment_refund(request: OperatorRequest, payment_id: UUID) -> HttpResponse:
    """Pay some of it back."""
    payment = _payment(request, payment_id)
    form = RefundForm(request.POST, payment=payment)
    if not form.is_valid():
        messages.error(request, _("Give an amount and a reason."))
        return redirect("console:payment-detail", payment_id)
    try:
        refund = refund_payment(payment, **form.cleaned_data, by=request.user, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        _tell_of(request, refund)
    return redirect("console:payment-detail", payment_id)


@require_POST
@operator_page(Role.BILLING)
def payment_receive(request: OperatorRequest, payment_id: UUID) -> HttpResponse:
    """The transfer that was waited for came in."""
    payment, form = _payment(request, payment_id), ReceivedForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give the amount that came in."))
        return redirect("console:payment-detail", payment_id)
    try:
        is_new = receive_transfer(payment, amount=form.cleaned_data["amount"], by=request.user, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Recorded.") if is_new else _("It was recorded before."))
    return redirect("console:payment-detail", payment_id)


@require_POST
@operator_page(Role.BILLING)
def payment_apply(request: OperatorRequest, payment_id: UUID) -> HttpResponse:
    """Pay other invoices of the customer with what is over."""
    used = apply_surplus(_payment(request, payment_id), by=request.user, at=timezone.now())
    if used:
        messages.success(request, _("Other invoices were paid with it."))
    else:
        messages.warning(request, _("There is no open invoice in this currency."))
    return redirect("console:payment-detail", payment_id)


@require_POST
@operator_page(Role.BILLING)
def payment_ask(request: OperatorRequest, payment_id: UUID) -> HttpResponse:
    """Ask the provider how a pending payment stands."""
    try:
        payment = ask_about(_payment(request, payment_id), at=timezone.now())
    except (Refused, Declined, ProviderError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("It is: %(state)s.") % {"state": payment.get_state_display()})
    return redirect("console:payment-detail", payment_id)


@operator_page(Role.BILLING)
def transfer_add(request: OperatorRequest) -> HttpResponse:
    """Put down a bank transfer."""
    form = TransferForm(request.POST or None, organization=request.organization, initial=_of_invoice(request))
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data
        try:
            payment, is_new = record_transfer(**wanted, by=request.user, at=timezone.now())
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Recorded.") if is_new else _("It was recorded before."))
            return redirect("console:payment-detail", payment.pk)
    if known := _put_down_before(request, form):
        messages.success(request, _("It was recorded before."))
        return redirect("console:payment-detail", known.pk)
    return render(request, "console/billing/payments/transfer.html", HERE | {"form": form})


@sensitive_post_parameters("secret_key", "webhook_secret")
@operator_page(Role.ADMIN)
def payment_settings(request: OperatorRequest) -> HttpResponse:
    """Who takes the money. Secrets go into the vault, and are not shown again."""
    row = settings_of(request.organization)
    form = StripeForm(request.POST or None, row=row)
    if request.method == "POST" and form.is_valid():
        try:
            set_up_stripe(request.organization, by=request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Saved. It holds from now on."))
            return redirect("console:payment-settings")
    webhook = reverse("billing:stripe-webhook", args=[request.organization.pk])
    context = HERE | {"form": form, "row": row, "webhook_url": f"{settings.PUBLIC_URL}{webhook}"}
    return render(request, "console/billing/payments/settings.html", context)


@require_POST
@operator_page(Role.ADMIN)
def payment_settings_test(request: OperatorRequest) -> HttpResponse:
    """Ask Stripe something with the key."""
    try:
        check_stripe(request.organization, at=timezone.now())
    except (Refused, Declined, ProviderError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Stripe takes the key."))
    return redirect("console:payment-settings")


@require_POST
@operator_page(Role.ADMIN)
def payment_settings_remove(request: OperatorRequest) -> HttpResponse:
    """Forget the keys."""
    remove_stripe(request.organization, by=request.user)
    messages.warning(request, _("The keys are gone: payments go by bank transfer."))
    return redirect("console:payment-settings")


@operator_page(Role.VIEWER)
def payment_events(request: OperatorRequest) -> HttpResponse:
    """What was told of and has no payment here, or could not be done."""
    page = Paginator(events_to_see_to(request.organization), PAGE).get_page(request.GET.get("page"))
    context = HERE | {"page": page, "may_change": request.member.may(Role.BILLING)}
    return render(request, "console/billing/payments/events.html", context)


@require_POST
@operator_page(Role.BILLING)
def payment_event_retry(request: OperatorRequest, event_id: str) -> HttpResponse:
    """Act on an event once more."""
    event = get_object_or_404(request.organization.payment_events, event_id=event_id)
    try:
        process_event(event, at=timezone.now(), again=True)
    except (Refused, Declined, ProviderError) as error:
        messages.error(request, str(error))
    else:
        event.refresh_from_db()
        messages.success(request, _("It is: %(state)s.") % {"state": event.get_outcome_display()})
    return redirect("console:payment-events")


@require_POST
@operator_page(Role.BILLING)
def payment_event_take(request: OperatorRequest, event_id: str) -> HttpResponse:
    """Money that nobody waited for, as a payment of the customer who sent it."""
    event = get_object_or_404(request.organization.payment_events, event_id=event_id)
    try:
        payment = take_as_payment(event, by=request.user, at=timezone.now())
    except (Refused, Declined, ProviderError) as error:
        messages.error(request, str(error))
        return redirect("console:payment-events")
    messages.success(request, _("Recorded."))
    return redirect("console:payment-detail", payment.pk)


@require_POST
@operator_page(Role.BILLING)
def payment_event_dismiss(request: OperatorRequest, event_id: str) -> HttpResponse:
    """It has nothing to do with us."""
    event = get_object_or_404(request.organization.payment_events, event_id=event_id)
    dismiss_event(event, by=request.user, at=timezone.now())
    messages.success(request, _("It is not shown any more."))
    return redirect("console:payment-events")


def _payment(request: OperatorRequest, payment_id: UUID) -> Payment:
    found = request.organization.payments.select_related("customer__organization", "organization", "invoice")
    payment: Payment = get_object_or_404(found, pk=payment_id)
    return payment


def _put_down_before(request: OperatorRequest, form: TransferForm) -> Payment | None:
    """The payment of a form that was sent twice: its invoice is paid by now, and no choice any more."""
    if request.method != "POST" or set(form.errors) != {"invoice"}:
        return None
    sent = {name: form.cleaned_data[name] for name in ("customer", "amount", "currency")}
    known = request.organization.payments.filter(provider=MANUAL, provider_id=form.cleaned_data["reference"], **sent)
    return known.filter(invoice__pk=form.data["invoice"]).first() if _is_uuid(form.data.get("invoice", "")) else None


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _of_invoice(request: OperatorRequest) -> dict[str, object]:
    """What is known of the invoice that the page was opened for."""
    try:
        wanted = UUID(request.GET.get("invoice", ""))
    except ValueError:
        return {}
    invoice = request.organization.invoices.filter(pk=wanted).first()
    if invoice is None:
        return {}
    return {
        "customer": invoice.customer_id,
        "invoice": invoice.pk,
        "amount": plain_amount(invoice.due),
        "currency": invoice.currency,
    }


def _tell_of(request: OperatorRequest, refund: Refund) -> None:
    if refund.state == Refund.State.FAILED:
        messages.error(request, refund.error)
    elif refund.state == Refund.State.PENDING:
        messages.warning(request, _("The refund is on its way: the provider has not confirmed it yet."))
    else:
        messages.success(request, _("Paid back."))
