"""The customer's tokens for our API: they show what the portal shows."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.keys.forms import ApiTokenForm
from apps.keys.models import ApiToken
from apps.keys.services.api_tokens import add_api_token, revoke_api_token
from apps.kit.errors import Refused

PAGE = 50


@portal_page(CustomerRole.ADMIN)
def api_tokens(request: PortalRequest) -> HttpResponse:
    """All tokens, a form for a new one. A new token is in the answer to its form, and nowhere else."""
    form = ApiTokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        now, lifetime = timezone.now(), form.lifetime()
        try:
            token, plain = add_api_token(
                request.customer.organization,
                customer=request.customer,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                by=request.user,
                expires_at=None if lifetime is None else now + lifetime,
                at=now,
            )
        except (Refused, ValidationError) as error:
            form.add_error("scopes", getattr(error, "messages", [str(error)]))  # type: ignore[arg-type]
        else:
            return _page(request, ApiTokenForm(), token, plain)
    return _page(request, form)


@require_POST
@portal_page(CustomerRole.ADMIN)
def api_token_revoke(request: PortalRequest, token_id: UUID) -> HttpResponse:
    """Refuse a token from now on."""
    token = get_object_or_404(request.customer.api_tokens, pk=token_id)
    revoke_api_token(token, by=request.user)
    messages.warning(request, _("The token “%(name)s” is refused from now on.") % {"name": token.name})
    return redirect("portal:api-tokens")


def _page(request: PortalRequest, form: ApiTokenForm, new: ApiToken | None = None, plain: str = "") -> HttpResponse:
    tokens = request.customer.api_tokens.select_related("created_by").order_by("-created_at", "-pk")
    page, now = Paginator(tokens, PAGE).get_page(request.GET.get("page")), timezone.now()
    context = {
        "section": "api-tokens",
        "form": form,
        "new": new,
        "plain": plain,
        "page": page,
        "tokens": [(token, token.is_live(now)) for token in page],
    }
    return render(request, "portal/api_tokens.html", context)
