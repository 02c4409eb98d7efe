"""The names under which the organization sells models."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.console.forms import ModelAliasForm
from apps.keys.models import ModelAlias
from apps.keys.providers import label_of
from apps.keys.services.aliases import add_model_alias, delete_model_alias, update_model_alias


@operator_page(Role.ADMIN)
def model_aliases(request: OperatorRequest) -> HttpResponse:
    """All names, and what they stand for."""
    rows = [(alias, label_of(alias.provider)) for alias in request.organization.model_aliases.order_by("name")]
    return render(request, "console/aliases/list.html", {"section": "models", "rows": rows})


@operator_page(Role.ADMIN)
def model_alias_add(request: OperatorRequest) -> HttpResponse:
    """Sell a provider's model under a name of one's own."""
    alias = ModelAlias(organization=request.organization)
    form = ModelAliasForm(request.POST or None, instance=alias, organization=request.organization)
    if request.method == "POST" and form.is_valid():
        try:
            alias = add_model_alias(request.organization, by=request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)  # type: ignore[arg-type]
        else:
            messages.success(request, _("%(name)s can be called from now on.") % {"name": alias.name})
            return redirect("console:model-aliases")
    return render(request, "console/aliases/edit.html", {"section": "models", "form": form})


@operator_page(Role.ADMIN)
def model_alias_edit(request: OperatorRequest, alias_id: UUID) -> HttpResponse:
    """Let a name stand for something else; a change holds at once, on every process."""
    alias = get_object_or_404(request.organization.model_aliases, pk=alias_id)
    form = ModelAliasForm(request.POST or None, instance=alias, organization=request.organization)
    if request.method == "POST" and form.is_valid():
        try:
            update_model_alias(alias, by=request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)  # type: ignore[arg-type]
        else:
            messages.success(request, _("Saved. It holds from now on."))
            return redirect("console:model-aliases")
    return render(request, "console/aliases/edit.html", {"section": "models", "form": form, "alias": alias})


@require_POST
@operator_page(Role.ADMIN)
def model_alias_delete(request: OperatorRequest, alias_id: UUID) -> HttpResponse:
    """Sell nothing under the name any more."""
    alias = get_object_or_404(request.organization.model_aliases, pk=alias_id)
    delete_model_alias(alias, by=request.user)
    messages.warning(request, _("%(name)s stands for nothing any more.") % {"name": alias.name})
    return redirect("console:model-aliases")
