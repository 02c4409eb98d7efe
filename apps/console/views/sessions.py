"""Sessions of all customers, and the tree of each."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.usage.queries.sessions import Session
from apps.usage.session_faces import session_list, session_story


@operator_page(Role.VIEWER)
def sessions(request: OperatorRequest) -> HttpResponse:
    """That with the latest request first."""
    found = session_list(request.GET, request.organization, None, at=timezone.now(), url=session_url)
    context = {"section": "sessions", "found": found, "zone": request.zone, "shows_cost": True}
    return render(request, "console/sessions/list.html", context)


@operator_page(Role.VIEWER)
def session_detail(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """The session that `id` names, of this customer: any text may be one."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    if not (session_id := request.GET.get("id")):
        return redirect("console:sessions")
    story = session_story(request.organization, customer.pk, session_id, url=_request_url)
    if story is None:
        raise Http404
    context = {
        "section": "sessions",
        "story": story,
        "customer": customer,
        "zone": request.zone,
        "shows_cost": True,
        "explorer_url": reverse("console:requests"),
        "list_url": reverse("console:sessions"),
    }
    return render(request, "console/sessions/detail.html", context)


def session_url(session: Session) -> str:
    """A session's page, to which its id is added."""
    return reverse("console:session-detail", args=[session.customer_id])


def _request_url(request_id: UUID) -> str:
    return reverse("console:request-detail", args=[request_id])
