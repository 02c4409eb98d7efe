"""The Developer tab: keys that are shown once, and how to use them."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.keys.models import ProxyKey
from apps.keys.services.proxy_keys import limit_proxy_key, mint_proxy_key, revoke_proxy_key, rotate_proxy_key
from apps.kit.errors import Refused
from apps.portal.forms import KeyLimitsForm, NewKeyForm, RotateForm
from apps.portal.snippets import snippets_for
from apps.usage.faces import limit_row
from apps.usage.limit_faces import set_limits
from apps.usage.standing import standing_of_key


@portal_page(CustomerRole.DEVELOPER)
def developer(request: PortalRequest) -> HttpResponse:
    """All keys, a form for a new one, and code to paste. A new key is in the answer to its form, and nowhere else."""
    form = NewKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        lifetime = form.lifetime()
        expires_at = None if lifetime is None else now + lifetime
        try:
            key, plain = mint_proxy_key(
                request.customer, name=form.cleaned_data["name"], by=request.user, expires_at=expires_at, at=now
            )
        except (Refused, ValidationError) as error:
            form.add_error("name", getattr(error, "messages", [str(error)]))  # type: ignore[arg-type]
        else:
            return _page(request, NewKeyForm(), key, plain)
    return _page(request, form)


@portal_page(CustomerRole.VIEWER)
def proxy_key_detail(request: PortalRequest, key_id: UUID) -> HttpResponse:
    """What a key may use, and where it stands."""
    key = get_object_or_404(request.customer.proxy_keys.select_related("customer__organization"), pk=key_id)
    now = timezone.now()
    standing = standing_of_key(key, at=now)
    context = {
        "section": "developer",
        "key": key,
        "is_live": key.is_live(now),
        "limits": None if standing is None else [limit_row(state) for state in standing.states],
        "set_limits": set_limits(key),
        "may_change": request.customer_member.may(CustomerRole.DEVELOPER),
    }
    return render(request, "portal/keys/detail.html", context)


@portal_page(CustomerRole.DEVELOPER)
def proxy_key_limit(request: PortalRequest, key_id: UUID) -> HttpResponse:
    """What a key may use, within the customer's limits; a change holds at once, on every process."""
    key = get_object_or_404(request.customer.proxy_keys, pk=key_id)
    form = KeyLimitsForm(request.POST or None, instance=key, within=request.customer)
    if request.method == "POST" and form.is_valid():
        limit_proxy_key(request.customer.proxy_keys.get(pk=key_id), by=request.user, **form.limits())
        messages.success(request, _("Saved. It holds from now on."))
        return redirect("portal:proxy-key-detail", key_id)
    return render(request, "portal/keys/limits.html", {"section": "developer", "key": key, "form": form})


@require_POST
@portal_page(CustomerRole.DEVELOPER)
def proxy_key_rotate(request: PortalRequest, key_id: UUID) -> HttpResponse:
    """A new key in the place of one, which goes on working for a while."""
    key = get_object_or_404(request.customer.proxy_keys, pk=key_id)
    form = RotateForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose when the old key ends."))
        return redirect("portal:developer")
    overlap = timedelta(minutes=form.cleaned_data["overlap"])
    try:
        new, plain = rotate_proxy_key(key, overlap=overlap, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("portal:developer")
    return _page(request, NewKeyForm(), new, plain)


@require_POST
@portal_page(CustomerRole.DEVELOPER)
def proxy_key_revoke(request: PortalRequest, key_id: UUID) -> HttpResponse:
    """Refuse a key from now on."""
    key = get_object_or_404(request.customer.proxy_keys, pk=key_id)
    revoke_proxy_key(key, by=request.user)
    messages.warning(request, _("The key “%(name)s” is refused from now on.") % {"name": key.name})
    return redirect("portal:developer")


def _page(request: PortalRequest, form: NewKeyForm, new: ProxyKey | None = None, plain: str = "") -> HttpResponse:
    now = timezone.now()
    keys = [(key, key.is_live(now)) for key in request.customer.proxy_keys.order_by("-created_at")]
    context = {
        "section": "developer",
        "form": form,
        "rotate_form": RotateForm(),
        "keys": keys,
        "new": new,
        "plain": plain,
        "snippets": snippets_for(settings.PUBLIC_URL, plain),
        "providers": request.customer.provider_key_links.values_list("provider", flat=True).distinct(),
        "now": now,
    }
    return render(request, "portal/developer.html", context)
