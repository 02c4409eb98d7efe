"""Who is at a limit now, and what was refused."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.limits.terms import Scope
from apps.usage.limit_faces import reached_rows
from apps.usage.refusal_faces import refusal_history, refusals_csv
from apps.usage.standing import Standing, at_a_limit


@operator_page(Role.VIEWER)
def limits(request: OperatorRequest) -> HttpResponse:
    """Of all customers, their keys and their end users."""
    organization, now = request.organization, timezone.now()
    context = {
        "section": "limits",
        "zone": request.zone,
        "reached": reached_rows(at_a_limit(organization, at=now), _url_of),
        "history": refusal_history(request.GET, organization, None, at=now),
        "first_url": reverse("console:limits"),
        "export_url": reverse("console:refusals-export"),
    }
    return render(request, "console/limits.html", context)


@operator_page(Role.VIEWER)
def refusals_export(request: OperatorRequest) -> HttpResponse:
    """The chosen refusals as CSV."""
    return refusals_csv(request.GET, request.organization, None, at=timezone.now())


def _url_of(standing: Standing) -> str:
    """Where the limit is seen and changed."""
    if standing.scope is not Scope.END_USER:
        return reverse("console:customer-detail", args=[standing.customer.pk])
    found = reverse("console:end-user-limits", args=[standing.customer.pk])
    return f"{found}?{urlencode({'q': standing.name})}"
