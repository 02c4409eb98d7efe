"""Who is profitable, what a plan costs, what is slow or dear: of all customers together."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.console.views.users import user_url
from apps.customers.plan_fees import set_plan_fee
from apps.usage.insights import PlanFeeForm
from apps.usage.insights import insights as insights_of


@operator_page(Role.VIEWER)
def insights(request: OperatorRequest) -> HttpResponse:
    """Costs, prices and subscriptions against each other."""
    found = insights_of(
        request.GET, request.organization, None, at=timezone.now(), user_url=user_url, customer_url=_customer_url
    )
    context = {"section": "insights", "insights": found, "may_change": request.member.may(Role.ADMIN)}
    return render(request, "console/insights.html", context)


@require_POST
@operator_page(Role.ADMIN)
def plan_fee_set(request: OperatorRequest) -> HttpResponse:
    """What each end user on a plan pays a month."""
    form = PlanFeeForm(request.POST)
    if form.is_valid():
        set_plan_fee(request.organization, None, by=request.user, **form.cleaned_data)
        messages.success(request, _("Saved."))
    else:
        messages.error(request, _("Not saved: a fee is an amount of USD, 0 or more."))
    return redirect(f"{reverse('console:insights')}?{urlencode({'name': request.POST.get('name', '')})}#plans")


def _customer_url(customer_id: Any) -> str:
    return reverse("console:customer-detail", args=[customer_id])
