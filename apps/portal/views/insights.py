"""What a customer's users cost it and bring it, by what they pay for their plans."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.customers.plan_fees import set_plan_fee
from apps.portal.views.users import user_url
from apps.usage.insights import PlanFeeForm
from apps.usage.insights import insights as insights_of


@portal_page(CustomerRole.VIEWER)
def insights(request: PortalRequest) -> HttpResponse:
    """Users' fees against what is paid for their calls."""
    customer = request.customer
    found = insights_of(request.GET, customer.organization, customer, at=timezone.now(), user_url=user_url)
    context = {
        "section": "insights",
        "insights": found,
        "may_change": request.customer_member.may(CustomerRole.ADMIN),
    }
    return render(request, "portal/insights.html", context)


@require_POST
@portal_page(CustomerRole.ADMIN)
def plan_fee_set(request: PortalRequest) -> HttpResponse:
    """What each end user on a plan pays the customer a month. The operator doesn't see it."""
    form, customer = PlanFeeForm(request.POST), request.customer
    if form.is_valid():
        set_plan_fee(customer.organization, customer, by=request.user, **form.cleaned_data)
        messages.success(request, _("Saved."))
    else:
        messages.error(request, _("Not saved: a fee is an amount of USD, 0 or more."))
    return redirect(f"{reverse('portal:insights')}?{urlencode({'name': request.POST.get('name', '')})}#plans")
