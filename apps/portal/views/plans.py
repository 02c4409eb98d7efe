"""The plan that the customer is on."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from apps.billing.errors import NotConfigured
from apps.billing.models import Subscription
from apps.billing.queries.standing import Standing, standing_of
from apps.billing.queries.subscriptions import next_subscription, subscription_at
from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole


@portal_page(CustomerRole.VIEWER)
def plan(request: PortalRequest) -> HttpResponse:
    """Its terms, what is left of what it includes, and what usage comes to so far."""
    at = timezone.now()
    current = subscription_at(request.customer, at)
    context = {
        "section": "billing",
        "tab": "plan",
        "current": current,
        "following": next_subscription(request.customer, at),
        "standing": _standing(current) if current else None,
        "now": at,
        "zone": request.zone,
    }
    return render(request, "portal/billing/plan.html", context)


def _standing(subscription: Subscription) -> Standing | None:
    """None: the operator has to set an exchange rate first."""
    try:
        return standing_of(subscription, timezone.now())
    except NotConfigured:
        return None
