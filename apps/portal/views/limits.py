"""Which of a customer's limits are reached now, and what was refused."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.limits.terms import Scope
from apps.usage.faces import named_standings
from apps.usage.limit_faces import reached_rows, set_limits
from apps.usage.refusal_faces import refusal_history, refusals_csv
from apps.usage.standing import Standing, at_a_limit, standings_of


@portal_page(CustomerRole.VIEWER)
def limits(request: PortalRequest) -> HttpResponse:
    """Of the customer, its keys and its end users."""
    customer, now = request.customer, timezone.now()
    context = {
        "section": "limits",
        "zone": request.zone,
        "standings": named_standings(standings_of(customer, at=now)),
        "set_limits": set_limits(customer),
        "reached": reached_rows(at_a_limit(customer.organization, customer, at=now), _url_of),
        "history": refusal_history(request.GET, customer.organization, customer, at=now),
        "first_url": reverse("portal:limits"),
        "export_url": reverse("portal:refusals-export"),
    }
    return render(request, "portal/limits.html", context)


@portal_page(CustomerRole.VIEWER)
def refusals_export(request: PortalRequest) -> HttpResponse:
    """The chosen refusals as CSV."""
    return refusals_csv(request.GET, request.customer.organization, request.customer, at=timezone.now())


def _url_of(standing: Standing) -> str:
    """Where the limit is seen."""
    if standing.scope is Scope.KEY:
        return reverse("portal:proxy-key-detail", args=[standing.key_id])
    if standing.scope is Scope.END_USER:
        return f"{reverse('portal:end-user-limits')}?{urlencode({'q': standing.name})}"
    return reverse("portal:limits")
