"""Tokens for our API: the organization's own, and its customers'."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.keys.forms import OperatorTokenForm
from apps.keys.models import ApiToken
from apps.keys.services.api_tokens import add_api_token, revoke_api_token
from apps.kit.errors import Refused

PAGE = 50


@operator_page(Role.ADMIN)
def api_tokens(request: OperatorRequest) -> HttpResponse:
    """All tokens, a form for a new one. A new token is in the answer to its form, and nowhere else."""
    organization = request.organization
    form = OperatorTokenForm(request.POST or None, organization=organization)
    if request.method == "POST" and form.is_valid():
        now, lifetime = timezone.now(), form.lifetime()
        try:
            token, plain = add_api_token(
                organization,
                customer=form.cleaned_data["customer"],
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                by=request.user,
                expires_at=None if lifetime is None else now + lifetime,
                at=now,
            )
        except (Refused, ValidationError) as error:
            form.add_error("scopes", getattr(error, "messages", [str(error)]))  # type: ignore[arg-type]
        else:
            return _page(request, OperatorTokenForm(organization=organization), token, plain)
    return _page(request, form)


@require_POST
@operator_page(Role.ADMIN)
def api_token_revoke(request: OperatorRequest, token_id: UUID) -> HttpResponse:
    """Refuse a token from now on."""
    token = get_object_or_404(request.organization.api_tokens, pk=token_id)
    revoke_api_token(token, by=request.user)
    messages.warning(request, _("The token “%(name)s” is refused from now on.") % {"name": token.name})
    return redirect("console:api-tokens")


def _page(
    request: OperatorRequest, form: OperatorTokenForm, new: ApiToken | None = None, plain: str = ""
) -> HttpResponse:
    tokens = request.organization.api_tokens.select_related("customer", "created_by").order_by("-created_at", "-pk")
    page, now = Paginator(tokens, PAGE).get_page(request.GET.get("page")), timezone.now()
    context = {
        "section": "api-tokens",
        "form": form,
        "new": new,
        "plain": plain,
        "page": page,
        "tokens": [(token, token.is_live(now)) for token in page],
    }
    return render(request, "console/api_tokens.html", context)
