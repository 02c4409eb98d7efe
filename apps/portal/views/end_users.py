"""The limits of a customer's end users: a default for all, and their own for some."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.limits.forms import EndUserLimitsForm, NewEndUserLimitsForm
from apps.limits.services import remove_end_user_limits
from apps.usage.limit_faces import end_users


@portal_page(CustomerRole.VIEWER)
def end_user_limits(request: PortalRequest) -> HttpResponse:
    """The default, and those with limits of their own, with where each stands."""
    wanted, page = request.GET.get("q", ""), request.GET.get("page")
    context = {
        "section": "end-users",
        "end_users": end_users(request.customer, wanted=wanted, page=page, at=timezone.now(), url=_url),
        "may_change": request.customer_member.may(CustomerRole.DEVELOPER),
    }
    return render(request, "portal/end_users/limits.html", context)


@portal_page(CustomerRole.DEVELOPER)
def end_user_limit_default(request: PortalRequest) -> HttpResponse:
    """What holds for each end user without limits of its own."""
    row = request.customer.end_user_limits.filter(end_user=None).first()
    form = EndUserLimitsForm(request.POST or None, instance=row, customer=request.customer)
    return _set(request, form)


@portal_page(CustomerRole.DEVELOPER)
def end_user_limit_add(request: PortalRequest) -> HttpResponse:
    """Limits of its own for one."""
    initial = {"end_user": request.GET.get("user", "")}
    return _set(request, NewEndUserLimitsForm(request.POST or None, initial=initial, customer=request.customer))


@portal_page(CustomerRole.DEVELOPER)
def end_user_limit_edit(request: PortalRequest, limit_id: UUID) -> HttpResponse:
    """Other limits for one, or for all without their own."""
    row = get_object_or_404(request.customer.end_user_limits, pk=limit_id)
    return _set(request, EndUserLimitsForm(request.POST or None, instance=row, customer=request.customer))


@require_POST
@portal_page(CustomerRole.DEVELOPER)
def end_user_limit_remove(request: PortalRequest, limit_id: UUID) -> HttpResponse:
    """The default holds again; or, of the default, nothing does."""
    row = get_object_or_404(request.customer.end_user_limits, pk=limit_id)
    remove_end_user_limits(row, by=request.user)
    messages.success(request, _("Removed. It holds from now on."))
    return redirect("portal:end-user-limits")


def _url(name: str, *ids: UUID) -> str:
    return reverse(f"portal:{name}", args=ids)


def _set(request: PortalRequest, form: EndUserLimitsForm) -> HttpResponse:
    if request.method == "POST" and form.save_by(request.user):
        messages.success(request, _("Saved. It holds from now on."))
        return redirect("portal:end-user-limits")
    return render(request, "portal/end_users/edit.html", {"section": "end-users", "form": form})
