"""A customer's exports of its requests: the twin of the console's."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.exports.faces import ask_for_export, download, export_rows, exports_of
from apps.exports.services import remove_export


@portal_page(CustomerRole.VIEWER)
def exports(request: PortalRequest) -> HttpResponse:
    """The latest first; while one is written the page asks how far it is."""
    rows = export_rows(request.customer.organization, request.customer, at=timezone.now(), url=_url)
    context = {
        "section": "requests",
        "exports": rows,
        "zone": request.zone,
        "explorer_url": reverse("portal:requests"),
        "is_moving": any(row.export.is_under_way for row in rows),
    }
    template = "components/_exports.html" if request.htmx else "portal/exports.html"
    return render(request, template, context)


@require_POST
@portal_page(CustomerRole.VIEWER)
def export_add(request: PortalRequest) -> HttpResponse:
    """Have what the explorer shows written into a file."""
    if ask_for_export(request, request.customer.organization, request.customer, by=request.user, at=timezone.now()):
        return redirect("portal:exports")
    return redirect("portal:requests")


@portal_page(CustomerRole.VIEWER)
def export_download(request: PortalRequest, export_id: UUID) -> HttpResponseBase:
    """The file; with `gz`, as it is kept."""
    export = get_object_or_404(exports_of(request.customer.organization, request.customer), pk=export_id)
    return download(export, by=request.user, at=timezone.now(), is_compressed="gz" in request.GET)


@require_POST
@portal_page(CustomerRole.VIEWER)
def export_remove(request: PortalRequest, export_id: UUID) -> HttpResponse:
    """Stop it, or delete its file."""
    export = get_object_or_404(exports_of(request.customer.organization, request.customer), pk=export_id)
    remove_export(export, by=request.user)
    messages.success(request, _("The export was removed."))
    return redirect("portal:exports")


def _url(name: str, export_id: UUID) -> str:
    return reverse(f"portal:{name}", args=[export_id])
