"""Who changed what."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role

PAGE = 50


@operator_page(Role.ADMIN)
def audit_log(request: OperatorRequest) -> HttpResponse:
    """The audit log, newest first."""
    events = request.organization.audit_events.order_by("-at", "-pk")
    context = {
        "section": "audit",
        "page": Paginator(events, PAGE).get_page(request.GET.get("page")),
        "zone": request.zone,
    }
    return render(request, "console/audit.html", context)
