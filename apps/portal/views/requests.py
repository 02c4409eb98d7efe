"""The explorer of a customer's requests, and the page of each: the twin of the console's, without costs."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from apps.bodies.queries import bodies_of, policy_of
from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.usage.queries.requests import one_request
from apps.usage.request_faces import explorer, only_one
from apps.usage.story import asked_instant, story_of


@portal_page(CustomerRole.VIEWER)
def requests(request: PortalRequest) -> HttpResponse:
    """Newest first, as searched for; a live page asks for its rows again and again."""
    customer = request.customer
    found = explorer(request.GET, customer.organization, customer, at=timezone.now(), url=_url)
    context = {
        "section": "requests",
        "found": found,
        "zone": request.zone,
        "export_url": reverse("portal:export-add"),
    }
    if request.htmx:
        is_as_seen = request.GET.get("seen") == found.seen
        return HttpResponse(status=204) if is_as_seen else render(request, "components/_explorer_rows.html", context)
    if url := only_one(found):
        return redirect(url)
    return render(request, "portal/requests/list.html", context)


@portal_page(CustomerRole.VIEWER)
def request_detail(request: PortalRequest, request_id: UUID) -> HttpResponse:
    """One request's whole story, as its customer may know it."""
    customer = request.customer
    at = asked_instant(request.GET.get("at"))
    found = one_request(customer.organization_id, customer.pk, request_id, started_at=at)
    if found is None:
        raise Http404
    story = story_of(found, request.zone, is_for_customer=True)
    may_read_bodies = (
        request.customer_member.may(CustomerRole.ADMIN) and policy_of(customer.organization).is_open_to_customers
    )
    has_bodies = may_read_bodies and bodies_of(customer.organization, request_id, at=timezone.now()) is not None
    context = {
        "section": "requests",
        "story": story,
        "row": story.row,
        "zone": request.zone,
        "bodies_url": reverse("portal:request-bodies", args=[request_id]) if has_bodies else "",
        "explorer_url": reverse("portal:requests"),
        "session_url": reverse("portal:session-detail"),
    }
    return render(request, "portal/requests/detail.html", context)


def _url(request_id: UUID) -> str:
    return reverse("portal:request-detail", args=[request_id])
