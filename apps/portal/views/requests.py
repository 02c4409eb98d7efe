"""A customer's requests."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.usage.faces import RequestRow
from apps.usage.queries import recent_requests


@portal_page(CustomerRole.VIEWER)
def requests(request: PortalRequest) -> HttpResponse:
    """Newest first."""
    customer = request.customer
    zone = request.zone
    page = recent_requests(customer.organization_id, customer.pk, before=request.GET.get("before"))
    context = {
        "section": "requests",
        "zone": zone,
        "requests": [RequestRow(row, zone) for row in page.requests],
        "next": page.next,
        "first_url": reverse("portal:requests"),
    }
    return render(request, "portal/requests.html", context)
