"""The explorer of all customers' requests, and the page of each."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.bodies.faces import may_read
from apps.bodies.queries import bodies_of
from apps.usage.queries.requests import one_request
from apps.usage.request_faces import explorer, only_one
from apps.usage.story import asked_instant, story_of


@operator_page(Role.VIEWER)
def requests(request: OperatorRequest) -> HttpResponse:
    """Newest first, as searched for; a live page asks for its rows again and again."""
    found = explorer(request.GET, request.organization, None, at=timezone.now(), url=_url)
    context = {
        "section": "requests",
        "found": found,
        "zone": request.zone,
        "export_url": reverse("console:export-add"),
        "shows_cost": True,
    }
    if request.htmx:
        is_as_seen = request.GET.get("seen") == found.seen
        return HttpResponse(status=204) if is_as_seen else render(request, "components/_explorer_rows.html", context)
    if url := only_one(found):
        return redirect(url)
    return render(request, "console/requests/list.html", context)


@operator_page(Role.VIEWER)
def request_detail(request: OperatorRequest, request_id: UUID) -> HttpResponse:
    """One request's whole story."""
    at = asked_instant(request.GET.get("at"))
    found = one_request(request.organization.pk, None, request_id, started_at=at)
    if found is None:
        raise Http404
    customer = request.organization.customers.filter(pk=found.customer_id).first()
    story = story_of(found, request.zone, is_for_customer=False)
    may_read_bodies = may_read(Role(request.member.role), request.organization)
    has_bodies = may_read_bodies and bodies_of(request.organization, request_id, at=timezone.now()) is not None
    context = {
        "section": "requests",
        "story": story,
        "row": story.row,
        "customer": customer,
        "zone": request.zone,
        "shows_cost": True,
        "bodies_url": reverse("console:request-bodies", args=[request_id]) if has_bodies else "",
        "explorer_url": reverse("console:requests"),
        "session_url": reverse("console:session-detail", args=[found.customer_id]),
    }
    return render(request, "console/requests/detail.html", context)


def _url(request_id: UUID) -> str:
    return reverse("console:request-detail", args=[request_id])
