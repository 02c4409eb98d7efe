"""How much of the organization's usage is counted apart, and how long it is kept."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.usage.keeping_forms import KeepingForm
from apps.usage.keepings import levels, set_keeping
from apps.usage.queries.cardinality import too_many


@operator_page(Role.ADMIN)
def keeping(request: OperatorRequest) -> HttpResponse:
    """What would be deleted is told before; it goes within some hours."""
    organization, at = request.organization, timezone.now()
    form = KeepingForm(request.POST or None, organization, at=at)
    if request.method == "POST" and form.is_valid():
        set_keeping(organization, by=request.user, **form.chosen())
        messages.success(request, _("Saved."))
        return redirect("console:keeping")
    context = {
        "section": "settings",
        "form": form,
        "levels": levels(organization, form.own),
        "too_many": too_many(organization.pk, at=at),
        "zone": request.zone,
    }
    return render(request, "console/keeping.html", context)
