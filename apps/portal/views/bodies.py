"""A look at what is stored of a request, for the customer's admins, where the operator shows it to them."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from apps.bodies.errors import BodyUnreadable
from apps.bodies.faces import sides_of
from apps.bodies.queries import bodies_of, policy_of
from apps.bodies.services import view_bodies
from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.usage.queries.requests import one_request


@portal_page(CustomerRole.ADMIN)
def request_bodies(request: PortalRequest, request_id: UUID) -> HttpResponse:
    """A GET tells what there is; a POST opens it, and is in the operator's audit log."""
    customer = request.customer
    found = one_request(customer.organization_id, customer.pk, request_id)
    if found is None:
        raise Http404
    is_shown = policy_of(customer.organization).is_open_to_customers
    bodies = bodies_of(customer.organization, request_id, at=timezone.now()) if is_shown else None
    if bodies is not None and bodies.customer_id != customer.pk:
        raise Http404
    texts = None
    if request.method == "POST" and bodies is not None:
        try:
            texts = view_bodies(bodies, customer, by=request.user)
        except BodyUnreadable as error:
            messages.error(request, str(error))
    context = {
        "section": "requests",
        "is_shown": is_shown,
        "bodies": bodies,
        "sides": sides_of(bodies, texts) if bodies else [],
        "is_open": texts is not None,
        "began_at": found.started_at,
        "request_url": reverse("portal:request-detail", args=[request_id]),
        "requests_url": reverse("portal:requests"),
        "zone": request.zone,
    }
    return render(request, "portal/bodies/request.html", context)
