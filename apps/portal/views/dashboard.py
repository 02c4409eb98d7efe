"""A customer's own usage: what it pays, never what it costs the operator."""

from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import Customer, CustomerRole
from apps.limits.state import limits_state
from apps.limits.terms import Limits
from apps.usage.faces import bars, chosen_period, limit_rows, named_groups
from apps.usage.queries import Scope, grouped_by, over_time, totals

TOP = 8


@portal_page(CustomerRole.VIEWER)
def dashboard(request: PortalRequest) -> HttpResponse:
    """Requests, tokens, spend and errors over time, and what is left of the limits."""
    customer = request.customer
    zone = ZoneInfo(customer.organization.time_zone)
    now = timezone.now()
    period = chosen_period(request.GET.get("period"), now, zone)
    scope = Scope(customer.organization_id, *period.period, customer_id=customer.pk)
    points = over_time(scope, period.interval, zone)
    limits = Limits(**{name: getattr(customer, name) for name in Customer.LIMITS})
    context = {
        "section": "dashboard",
        "period": period,
        "zone": zone,
        "totals": totals(scope),
        "requests_chart": bars(points, period.interval, lambda figures: figures.requests, False),
        "price_chart": bars(points, period.interval, lambda figures: figures.price, True),
        "models": named_groups(grouped_by(scope, "model", limit=TOP)),
        "users": named_groups(grouped_by(scope, "user", limit=TOP)),
        "keys": named_groups(grouped_by(scope, "key", limit=TOP), dict(customer.proxy_keys.values_list("pk", "name"))),
        "limits": limit_rows(limits_state(customer.pk, limits, zone, now)),
        "has_keys": customer.proxy_keys.exists(),
    }
    return render(request, "portal/dashboard.html", context)
