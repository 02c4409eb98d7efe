"""What an operator does to invoices. Each is safe to do twice: the second finds it done."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.billing.invoice_forms import CreditForm, LineForm, OneOffForm, ReasonForm
from apps.billing.models import CreditNote, Invoice
from apps.billing.parties import currency_of
from apps.billing.services.credit_notes import credit_invoice, creditable, paid_back_at_most
from apps.billing.services.finalizing import finalize_invoice
from apps.billing.services.invoices import (
    add_line,
    add_one_off_invoice,
    delete_draft,
    mark_uncollectible,
    rebuild_draft,
    remove_line,
    void_invoice,
)
from apps.kit.errors import Refused

HERE = {"section": "billing", "tab": "invoices"}


@operator_page(Role.BILLING)
def invoice_add(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """An invoice besides those of periods: a draft, to which more lines can be added."""
    customer = get_object_or_404(request.organization.customers.select_related("organization"), pk=customer_id)
    form = OneOffForm(request.POST or None, currency=currency_of(customer))
    if request.method == "POST" and form.is_valid():
        key, memo = str(form.cleaned_data["key"]), form.cleaned_data["memo"]
        try:
            invoice = add_one_off_invoice(customer, [form.line], key=key, memo=memo, by=request.user, at=timezone.now())
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("console:invoice-detail", invoice.pk)
    context = HERE | {"customer": customer, "form": form, "title": _("New invoice"), "button": _("Make the draft")}
    return render(request, "console/billing/invoices/form.html", context)


@require_POST
@operator_page(Role.BILLING)
def invoice_finalize(request: OperatorRequest, invoice_id: UUID) -> HttpResponse:
    """Its number is taken, it is booked, and nothing on it changes any more."""
    invoice = _invoice(request, invoice_id)
    try:
        done = finalize_invoice(invoice, by=request.user, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("console:invoice-detail", invoice.pk)
    if done is None:
        messages.info(request, _("There is nothing to invoice any more."))
        return redirect("console:invoices")
    messages.success(request, _("%(number)s is final.") % {"number": done.number})
    return redirect("console:invoice-detail", done.pk)


@require_POST
@operator_page(Role.BILLING)
def invoice_rebuild(request: OperatorRequest, invoice_id: UUID) -> HttpResponse:
    """A draft of a period, from the roll-ups as they are now."""
    invoice = _invoice(request, invoice_id)
    _try(request, lambda: rebuild_draft(invoice, at=timezone.now()), _("The draft is up to date."))
    if Invoice.objects.filter(pk=invoice.pk).exists():
        return redirect("console:invoice-detail", invoice.pk)
    return redirect("console:invoices")


@require_POST
@operator_page(Role.BILLING)
def invoice_delete(request: OperatorRequest, invoice_id: UUID) -> HttpResponse:
    """A draft that was made by hand."""
    invoice = _invoice(request, invoice_id)
    if _try(request, lambda: delete_draft(invoice, by=request.user), _("The draft is gone.")):
        return redirect("console:invoices")
    return redirect("console:invoice-detail", invoice.pk)


@operator_page(Role.BILLING)
def invoice_void(request: OperatorRequest, invoice_id: UUID) -> HttpResponse:
    """As if it had never been; the period is invoiced anew."""
    warning = _("The ledger is booked back. A period’s invoice is made anew by the next billing run.")
    return _with_reason(request, invoice_id, void_invoice, _("Void the invoice"), _("Void"), warning)


@operator_page(Role.BILLING)
def invoice_write_off(request: OperatorRequest, invoice_id: UUID) -> HttpResponse:
    """Nobody expects it to be paid."""
    warning = _("What is due is written off. If it is paid after all, record the payment as usual.")
    title = _("Mark as uncollectible")
    return _with_reason(request, invoice_id, mark_uncollectible, title, _("Write off"), warning)


@operator_page(Role.BILLING)
def invoice_credit(request: OperatorRequest, invoice_id: UUID) -> HttpResponse:
    """A credit note over all that is left of it, or over parts of lines."""
    invoice = _invoice(request, invoice_id)
    form = CreditForm(
        request.POST or None,
        invoice=invoice,
        left=creditable(invoice).items(),
        initial={"settlement": CreditNote.Settlement.OFFSET if invoice.due else CreditNote.Settlement.CREDIT},
    )
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            note = credit_invoice(
                invoice,
                amounts=form.amounts,
                settlement=CreditNote.Settlement(given["settlement"]),
                reason=given["reason"],
                key=f"by_hand:{given['key']}",
                by=request.user,
                at=timezone.now(),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Credit note %(number)s was issued.") % {"number": note.number})
            return redirect("console:invoice-detail", invoice.pk)
    context = HERE | {"invoice": invoice, "form": form, "paid": paid_back_at_most(invoice)}
    return render(request, "console/billing/invoices/credit.html", context)


@require_POST
@operator_page(Role.BILLING)
def invoice_line_add(request: OperatorRequest, invoice_id: UUID) -> HttpResponse:
    """A line on a draft."""
    invoice = _invoice(request, invoice_id)
    form = LineForm(request.POST, currency=invoice.currency)
    if form.is_valid():
        _try(request, lambda: add_line(invoice, form.line, by=request.user, at=timezone.now()), _("Added."))
    else:
        messages.error(request, " ".join(message for errors in form.errors.values() for message in errors))
    return redirect("console:invoice-detail", invoice.pk)


@require_POST
@operator_page(Role.BILLING)
def invoice_line_remove(request: OperatorRequest, invoice_id: UUID, line_id: UUID) -> HttpResponse:
    """A line that was added by hand."""
    invoice = _invoice(request, invoice_id)
    line = get_object_or_404(invoice.lines.select_related("invoice__customer__organization"), pk=line_id)
    _try(request, lambda: remove_line(line, by=request.user, at=timezone.now()), _("Removed."))
    return redirect("console:invoice-detail", invoice.pk)


def _with_reason(
    request: OperatorRequest,
    invoice_id: UUID,
    do: Callable[..., Invoice],
    title: str,
    button: str,
    warning: str,
) -> HttpResponse:
    """A page that asks why, and does it."""
    invoice = _invoice(request, invoice_id)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            do(invoice, reason=form.cleaned_data["reason"], by=request.user, at=timezone.now())
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Done."))
            return redirect("console:invoice-detail", invoice.pk)
    context = HERE | {"invoice": invoice, "form": form, "title": title, "button": button, "warning": warning}
    return render(request, "console/billing/invoices/form.html", context)


def _try(request: OperatorRequest, action: Callable[[], object], done: str) -> bool:
    """Do it, and say that it was done or why it was not."""
    try:
        action()
    except Refused as refusal:
        messages.error(request, str(refusal))
        return False
    messages.success(request, done)
    return True


def _invoice(request: OperatorRequest, invoice_id: UUID) -> Invoice:
    invoices = Invoice.objects.filter(organization=request.organization)
    return get_object_or_404(invoices.select_related("customer__organization", "organization"), pk=invoice_id)
