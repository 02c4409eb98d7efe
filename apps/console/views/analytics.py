"""Any measure by anything, over any days."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.analyses.faces import analysis, analysis_csv, save_asked
from apps.analyses.services import analyses_of


@operator_page(Role.VIEWER)
def analytics(request: OperatorRequest) -> HttpResponse:
    """A chart and a table of what the query string asks for, and what was saved."""
    found = analysis(request.GET, request.organization, None, at=timezone.now())
    return render(request, "console/analytics.html", {"section": "analytics", "analysis": found, "zone": request.zone})


@operator_page(Role.VIEWER)
def analytics_export(request: OperatorRequest) -> HttpResponseBase:
    """The same as CSV, with every step of up to a thousand groups."""
    answer = analysis_csv(request.GET, request.organization, None, at=timezone.now())
    return answer or redirect(f"{reverse('console:analytics')}?{request.GET.urlencode()}")


@require_POST
@operator_page(Role.VIEWER)
def analysis_save(request: OperatorRequest) -> HttpResponse:
    """Keep what is shown under a name, for everybody who sees the page."""
    try:
        saved = save_asked(request.POST, request.organization, None, by=request.user, at=timezone.now())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("Saved as “%(name)s”.") % {"name": saved.name})
    return redirect(f"{reverse('console:analytics')}?{request.POST.get('asked', '')}")


@require_POST
@operator_page(Role.VIEWER)
def analysis_remove(request: OperatorRequest, analysis_id: UUID) -> HttpResponse:
    """Forget it. What it showed is a few clicks away."""
    get_object_or_404(analyses_of(request.organization, None), pk=analysis_id).delete()
    messages.success(request, _("Removed."))
    return redirect("console:analytics")
