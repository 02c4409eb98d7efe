"""End users of all customers, or of one."""

from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.console.views.sessions import session_url
from apps.usage import user_forms
from apps.usage.queries.cardinality import too_many
from apps.usage.queries.users import UserKey
from apps.usage.spread_faces import user_spreads
from apps.usage.user_faces import user_table, users_csv
from apps.usage.user_page import UserDetail, named, of_name
from apps.usage.user_page import user_detail as of_user


@operator_page(Role.VIEWER)
def users(request: OperatorRequest) -> HttpResponse:
    """A table of them, with what each uses, costs and brings."""
    at = timezone.now()
    table = user_table(request.GET, request.organization, None, at=at, url=user_url)
    context = {"section": "users", "table": table, "zone": request.zone}
    if table.has_others:
        context["too_many"] = too_many(request.organization.pk, at=at)
    return render(request, "console/users/list.html", context)


@operator_page(Role.VIEWER)
def users_export(request: OperatorRequest) -> HttpResponseBase:
    """The chosen users as CSV."""
    return users_csv(request.GET, request.organization, None, at=timezone.now())


@operator_page(Role.VIEWER)
def users_spread(request: OperatorRequest) -> HttpResponse:
    """How many users make so many requests, and cost so much."""
    spreads = user_spreads(request.GET, request.organization, None, at=timezone.now())
    return render(request, "console/users/spreads.html", {"section": "users", "spreads": spreads})


@operator_page(Role.VIEWER)
def user_detail(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """One user of a customer: the one that `id` names, or, without it, the requests that name nobody."""
    customer = get_object_or_404(request.organization.customers.select_related("organization"), pk=customer_id)
    name = named(request.GET)
    user = of_user(request.GET, customer, name, is_operator=True, at=timezone.now(), session_url=session_url)
    context = {
        "section": "users",
        "customer": customer,
        "user_detail": user,
        "zone": request.zone,
        "may_change": request.member.may(Role.ADMIN),
        "urls": _urls(user),
    }
    return render(request, "console/users/detail.html", context)


@require_POST
@operator_page(Role.ADMIN)
def user_block(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Refuse a user's calls, within a second; the customer can't lift it."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    user_forms.block(request, customer, by=request.user, is_operator=True, at=timezone.now())
    return redirect(user_url(UserKey(customer.pk, named(request.POST))))


@require_POST
@operator_page(Role.ADMIN)
def user_unblock(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Let a user's calls in again, whoever blocked it."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    user_forms.unblock(request, customer, by=request.user, is_operator=True)
    return redirect(user_url(UserKey(customer.pk, named(request.POST))))


@require_POST
@operator_page(Role.ADMIN)
def user_note(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Write something down about a user, which the customer doesn't see."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    user_forms.note(request, customer, by=request.user, is_operator=True)
    return redirect(user_url(UserKey(customer.pk, named(request.POST))))


def _urls(user: UserDetail) -> dict[str, str]:
    """Where what its page has is done."""
    customer_id, row = user.key.customer_id, user.limits.row if user.limits else None
    urls = {name: reverse(f"console:user-{name}", args=[customer_id]) for name in ("block", "unblock", "note")}
    its = urlencode({"customer": customer_id, "period": "all"} | of_name(user.key))
    urls |= {name: f"{reverse(f'console:{name}')}?{its}" for name in ("sessions", "requests")}
    if row is None or row.end_user is None:
        add = reverse("console:end-user-limit-add", args=[customer_id])
        return urls | {"limit": f"{add}?{urlencode({'user': user.key.end_user or ''})}"}
    return urls | {"limit": reverse("console:end-user-limit-edit", args=[customer_id, row.pk])}


def user_url(key: UserKey) -> str:
    """A user's page. Any text may be a name, so it goes into the query string; without one it is nobody's."""
    page = reverse("console:user-detail", args=[key.customer_id])
    return page if key.end_user is None else f"{page}?{urlencode({'id': key.end_user})}"
