"""The organization's own settings."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Organization, Role
from apps.accounts.services import update_organization
from apps.console.forms import OrganizationForm


@operator_page(Role.ADMIN)
def organization_settings(request: OperatorRequest) -> HttpResponse:
    """Name, time zone, default markup, and what happens while limits cannot be checked."""
    form = OrganizationForm(request.POST or None, instance=request.organization)
    if request.method == "POST" and form.is_valid():
        organization = Organization.objects.get(pk=request.organization.pk)
        update_organization(organization, by=request.user, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("console:settings")
    return render(request, "console/settings.html", {"section": "settings", "form": form})
