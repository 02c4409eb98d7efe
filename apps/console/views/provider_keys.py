"""The operator's provider keys: put in, replaced, switched off; never shown."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.console.forms import DeploymentsForm, ProviderKeyForm, SecretForm
from apps.keys.circuit_states import circuit_states
from apps.keys.providers import label_of
from apps.keys.services.provider_keys import (
    add_provider_key,
    delete_provider_key,
    disable_provider_key,
    enable_provider_key,
    replace_provider_key,
    set_deployments,
)
from apps.kit.errors import Refused


@operator_page(Role.ADMIN)
def provider_keys(request: OperatorRequest) -> HttpResponse:
    """All keys, by their last four characters."""
    keys = request.organization.provider_keys.annotate(customers=Count("customer_links")).order_by("provider", "name")
    states = circuit_states([key.pk for key in keys], at=timezone.now())
    rows = [(key, label_of(key.provider), (states or {}).get(key.pk)) for key in keys]
    context = {"section": "provider-keys", "rows": rows, "is_redis_away": states is None}
    context["is_unused"] = not any(key.customers for key in keys)
    return render(request, "console/provider_keys/list.html", context)


@sensitive_post_parameters("secret")
@operator_page(Role.ADMIN)
def provider_key_add(request: OperatorRequest) -> HttpResponse:
    """Put a secret in the vault."""
    form = ProviderKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            key = add_provider_key(request.organization, by=request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)  # type: ignore[arg-type]
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%(key)s is in the vault.") % {"key": key})
            return redirect("console:provider-keys")
    return render(request, "console/provider_keys/add.html", {"section": "provider-keys", "form": form})


@sensitive_post_parameters("secret")
@operator_page(Role.ADMIN)
def provider_key_replace(request: OperatorRequest, key_id: UUID) -> HttpResponse:
    """Put another secret in the place of one; its customers go on with the new one at once."""
    key = get_object_or_404(request.organization.provider_keys, pk=key_id)
    form = SecretForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            replace_provider_key(key, secret=form.cleaned_data["secret"], by=request.user)
        except (Refused, ValidationError) as error:
            form.add_error("secret", getattr(error, "messages", [str(error)]))  # type: ignore[arg-type]
        else:
            messages.success(request, _("The secret was replaced."))
            return redirect("console:provider-keys")
    return render(request, "console/provider_keys/replace.html", {"section": "provider-keys", "form": form, "key": key})


@operator_page(Role.ADMIN)
def provider_key_deployments(request: OperatorRequest, key_id: UUID) -> HttpResponse:
    """Which model each deployment of an Azure resource runs."""
    key = get_object_or_404(request.organization.provider_keys, pk=key_id)
    form = DeploymentsForm(request.POST or None, initial={"deployments": key.deployments})
    if request.method == "POST" and form.is_valid():
        try:
            set_deployments(key, form.cleaned_data["deployments"], by=request.user)
        except Refused as refusal:
            form.add_error("deployments", str(refusal))
        else:
            messages.success(request, _("The deployments are changed."))
            return redirect("console:provider-keys")
    context = {"section": "provider-keys", "form": form, "key": key}
    return render(request, "console/provider_keys/deployments.html", context)


@require_POST
@operator_page(Role.ADMIN)
def provider_key_disable(request: OperatorRequest, key_id: UUID) -> HttpResponse:
    """Send no more calls with the key."""
    key = get_object_or_404(request.organization.provider_keys, pk=key_id)
    disable_provider_key(key, by=request.user, at=timezone.now())
    messages.warning(request, _("No more calls are sent with %(key)s.") % {"key": key})
    return redirect("console:provider-keys")


@require_POST
@operator_page(Role.ADMIN)
def provider_key_enable(request: OperatorRequest, key_id: UUID) -> HttpResponse:
    """Send calls with the key again."""
    key = get_object_or_404(request.organization.provider_keys, pk=key_id)
    enable_provider_key(key, by=request.user)
    messages.success(request, _("Calls are sent with %(key)s again.") % {"key": key})
    return redirect("console:provider-keys")


@require_POST
@operator_page(Role.ADMIN)
def provider_key_delete(request: OperatorRequest, key_id: UUID) -> HttpResponse:
    """Take the key out of the vault, unless a customer's calls need it."""
    key = get_object_or_404(request.organization.provider_keys, pk=key_id)
    try:
        delete_provider_key(key, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The key is gone."))
    return redirect("console:provider-keys")
