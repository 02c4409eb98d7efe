"""A customer's sessions, and the tree of each: the twin of the console's, without costs."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.usage.queries.sessions import Session
from apps.usage.session_faces import session_list, session_story


@portal_page(CustomerRole.VIEWER)
def sessions(request: PortalRequest) -> HttpResponse:
    """That with the latest request first."""
    customer = request.customer
    found = session_list(request.GET, customer.organization, customer, at=timezone.now(), url=session_url)
    context = {"section": "sessions", "found": found, "zone": request.zone}
    return render(request, "portal/sessions/list.html", context)


@portal_page(CustomerRole.VIEWER)
def session_detail(request: PortalRequest) -> HttpResponse:
    """The session that `id` names: any text may be one."""
    if not (session_id := request.GET.get("id")):
        return redirect("portal:sessions")
    story = session_story(request.customer.organization, request.customer.pk, session_id, url=_request_url)
    if story is None:
        raise Http404
    context = {
        "section": "sessions",
        "story": story,
        "zone": request.zone,
        "explorer_url": reverse("portal:requests"),
        "list_url": reverse("portal:sessions"),
    }
    return render(request, "portal/sessions/detail.html", context)


def session_url(session: Session) -> str:
    """A session's page, to which its id is added."""
    return reverse("portal:session-detail")


def _request_url(request_id: UUID) -> str:
    return reverse("portal:request-detail", args=[request_id])
