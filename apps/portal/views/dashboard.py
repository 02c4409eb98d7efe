"""A customer's own usage: what it pays, never what it costs the operator."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.usage.faces import bars, chosen_period, named_groups, named_standings
from apps.usage.limit_faces import set_limits
from apps.usage.queries import Scope, over_time
from apps.usage.queries.figures import added_up
from apps.usage.queries.groups import tops
from apps.usage.standing import standings_of

TOP = 8


@portal_page(CustomerRole.VIEWER)
def dashboard(request: PortalRequest) -> HttpResponse:
    """Requests, tokens, spend and errors over time, and what is left of the limits."""
    customer = request.customer
    zone = request.zone
    now = timezone.now()
    period = chosen_period(request.GET.get("period"), now, zone)
    scope = Scope(customer.organization_id, *period.period, customer_id=customer.pk)
    points = over_time(scope, period.interval, zone)
    dearest = tops(scope, "sold_as", "user", "key", limit=TOP)
    context = {
        "section": "dashboard",
        "period": period,
        "zone": zone,
        "totals": added_up(point.figures for point in points),
        "requests_chart": bars(points, period.interval, lambda figures: figures.requests, False),
        "price_chart": bars(points, period.interval, lambda figures: figures.price, True),
        "models": named_groups(dearest["sold_as"]),
        "users": named_groups(dearest["user"]),
        "keys": named_groups(dearest["key"], dict(customer.proxy_keys.values_list("pk", "name"))),
        "standings": named_standings(standings_of(customer, at=now)),
        "set_limits": set_limits(customer),
        "has_keys": customer.proxy_keys.exists(),
    }
    return render(request, "portal/dashboard.html", context)
