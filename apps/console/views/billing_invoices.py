"""Invoices: all of them, and each with what it is made of and what happened to it."""

from datetime import date
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.billing.errors import NotPossible
from apps.billing.invoice_forms import LineForm
from apps.billing.invoicing.preview import preview
from apps.billing.models import Invoice
from apps.billing.queries.invoices import OVERDUE, invoices_of, line_rows

PAGE = 50
HERE = {"section": "billing", "tab": "invoices"}
STATES = (*Invoice.State.choices[:2], (OVERDUE, "Overdue"), *Invoice.State.choices[2:])


@operator_page(Role.VIEWER)
def invoices(request: OperatorRequest) -> HttpResponse:
    """The newest first."""
    context = HERE | listed(request, request.organization) | {"may_change": request.member.may(Role.BILLING)}
    return render(request, "console/billing/invoices/list.html", context)


def listed(request: HttpRequest, owner: Any) -> dict[str, Any]:
    """A page of somebody's invoices, as asked for in the address."""
    state, wanted = request.GET.get("state", ""), request.GET.get("q", "").strip()
    month = _month(request.GET.get("month", ""))
    today = timezone.localdate()
    found = invoices_of(owner, state=state, wanted=wanted, month=month, on=today)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    return {
        "page": page,
        "states": STATES,
        "state": state,
        "wanted": wanted,
        "month": f"{month:%Y-%m}" if month else "",
        "is_filtered": bool(state or wanted or month),
        "today": today,
    }


def _month(text: str) -> date | None:
    """ "2026-10"; anything else is no month."""
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        return None


@operator_page(Role.VIEWER)
def invoice_detail(request: OperatorRequest, invoice_id: UUID) -> HttpResponse:
    """Its lines down to the requests, what was paid and taken back, and each step that it took."""
    invoice = get_object_or_404(
        Invoice.objects.filter(organization=request.organization).select_related(
            "customer", "subscription__version__plan"
        ),
        pk=invoice_id,
    )
    context = HERE | {
        "invoice": invoice,
        "rows": line_rows(invoice, with_customer=True),
        "taxes": invoice.taxes.all(),
        "transitions": invoice.transitions.select_related("by"),
        "payments": invoice.payments.order_by("created_at"),
        "notes": invoice.credit_notes.order_by("sequence"),
        "is_over": invoice.period_end is None or invoice.period_end <= timezone.now(),
        "line_form": LineForm(currency=invoice.currency),
        "may_change": request.member.may(Role.BILLING),
        "today": timezone.localdate(),
    }
    return render(request, "console/billing/invoices/detail.html", context)


@operator_page(Role.VIEWER)
def invoice_preview(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """The invoice of the current period, as it would be now."""
    customer = get_object_or_404(request.organization.customers.select_related("organization"), pk=customer_id)
    context = HERE | {"customer": customer, "may_change": request.member.may(Role.BILLING)}
    try:
        shown = preview(customer, at=timezone.now())
    except NotPossible as refusal:
        context["refusal"] = str(refusal)
    else:
        context["shown"] = shown
    return render(request, "console/billing/invoices/preview.html", context)
