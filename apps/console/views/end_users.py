"""The limits of a customer's end users, as the operator sees and changes them: the twin of the portal's pages."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.limits.forms import EndUserLimitsForm, NewEndUserLimitsForm
from apps.limits.services import remove_end_user_limits
from apps.usage.limit_faces import end_users


@operator_page(Role.VIEWER)
def end_user_limits(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """The default, and those with limits of their own, with where each stands."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    wanted, page = request.GET.get("q", ""), request.GET.get("page")

    def url(name: str, *ids: UUID) -> str:
        return reverse(f"console:{name}", args=[customer.pk, *ids])

    context = {
        "section": "customers",
        "customer": customer,
        "end_users": end_users(customer, wanted=wanted, page=page, at=timezone.now(), url=url),
        "may_change": request.member.may(Role.ADMIN),
    }
    return render(request, "console/end_users/limits.html", context)


@operator_page(Role.ADMIN)
def end_user_limit_default(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """What holds for each end user without limits of its own."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    row = customer.end_user_limits.filter(end_user=None).first()
    return _set(request, EndUserLimitsForm(request.POST or None, instance=row, customer=customer))


@operator_page(Role.ADMIN)
def end_user_limit_add(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Limits of its own for one."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    initial = {"end_user": request.GET.get("user", "")}
    return _set(request, NewEndUserLimitsForm(request.POST or None, initial=initial, customer=customer))


@operator_page(Role.ADMIN)
def end_user_limit_edit(request: OperatorRequest, customer_id: UUID, limit_id: UUID) -> HttpResponse:
    """Other limits for one, or for all without their own."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    row = get_object_or_404(customer.end_user_limits, pk=limit_id)
    return _set(request, EndUserLimitsForm(request.POST or None, instance=row, customer=customer))


@require_POST
@operator_page(Role.ADMIN)
def end_user_limit_remove(request: OperatorRequest, customer_id: UUID, limit_id: UUID) -> HttpResponse:
    """The default holds again; or, of the default, nothing does."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    remove_end_user_limits(get_object_or_404(customer.end_user_limits, pk=limit_id), by=request.user)
    messages.success(request, _("Removed. It holds from now on."))
    return redirect("console:end-user-limits", customer.pk)


def _set(request: OperatorRequest, form: EndUserLimitsForm) -> HttpResponse:
    if request.method == "POST" and form.save_by(request.user):
        messages.success(request, _("Saved. It holds from now on."))
        return redirect("console:end-user-limits", form.customer.pk)
    context = {"section": "customers", "customer": form.customer, "form": form}
    return render(request, "console/end_users/edit.html", context)
