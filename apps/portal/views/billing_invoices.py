"""A customer's billing: what the current period comes to, what is owed, and its invoices. Never what anything costs."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from apps.billing.errors import NotPossible
from apps.billing.invoicing.preview import preview
from apps.billing.models import Wallet
from apps.billing.queries.invoices import invoices_of, line_rows, owed_by
from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole

PAGE, FEW = 25, 5


@portal_page(CustomerRole.VIEWER)
def billing(request: PortalRequest) -> HttpResponse:
    """The period so far and its end as it looks, what is left of what is included, credit, and what is owed."""
    customer, today = request.customer, timezone.localdate()
    context = {
        "section": "billing",
        "tab": "overview",
        "wallet": Wallet.objects.select_related("account").filter(customer=customer).first(),
        "owed": owed_by(customer, on=today),
        "invoices": invoices_of(customer, on=today)[:FEW],
        "today": today,
        "may_change": request.customer_member.may(CustomerRole.ADMIN),
    }
    try:
        context["shown"] = preview(customer, at=timezone.now())
    except NotPossible:
        context["shown"] = None  # something that its operator has to set first
    return render(request, "portal/billing/home.html", context)


@portal_page(CustomerRole.VIEWER)
def invoices(request: PortalRequest) -> HttpResponse:
    """The newest first."""
    today = timezone.localdate()
    page = Paginator(invoices_of(request.customer, on=today), PAGE).get_page(request.GET.get("page"))
    context = {"section": "billing", "tab": "invoices", "page": page, "today": today}
    return render(request, "portal/billing/invoices.html", context)


@portal_page(CustomerRole.VIEWER)
def invoice_detail(request: PortalRequest, invoice_id: UUID) -> HttpResponse:
    """Its lines down to the requests, and what was paid."""
    invoice = get_object_or_404(request.customer.invoices.final().select_related("customer"), pk=invoice_id)
    context = {
        "section": "billing",
        "tab": "invoices",
        "invoice": invoice,
        "rows": line_rows(invoice, with_customer=False),
        "taxes": invoice.taxes.all(),
        "payments": invoice.payments.filter(state="succeeded").order_by("paid_at"),
        "notes": invoice.credit_notes.order_by("sequence"),
        "today": timezone.localdate(),
        "may_change": request.customer_member.may(CustomerRole.ADMIN),
    }
    return render(request, "portal/billing/invoice.html", context)
