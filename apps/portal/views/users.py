"""A customer's own end users."""

from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.portal.views.sessions import session_url
from apps.usage import user_forms
from apps.usage.queries.users import UserKey
from apps.usage.spread_faces import user_spreads
from apps.usage.user_faces import user_table, users_csv
from apps.usage.user_page import UserDetail, named, of_name
from apps.usage.user_page import user_detail as of_user


@portal_page(CustomerRole.VIEWER)
def users(request: PortalRequest) -> HttpResponse:
    """A table of them, with what each uses and what that is charged."""
    customer = request.customer
    table = user_table(request.GET, customer.organization, customer, at=timezone.now(), url=user_url)
    return render(request, "portal/users/list.html", {"section": "users", "table": table})


@portal_page(CustomerRole.VIEWER)
def users_export(request: PortalRequest) -> HttpResponseBase:
    """The chosen users as CSV."""
    return users_csv(request.GET, request.customer.organization, request.customer, at=timezone.now())


@portal_page(CustomerRole.VIEWER)
def users_spread(request: PortalRequest) -> HttpResponse:
    """How many users make so many requests, and are charged so much."""
    spreads = user_spreads(request.GET, request.customer.organization, request.customer, at=timezone.now())
    return render(request, "portal/users/spreads.html", {"section": "users", "spreads": spreads})


@portal_page(CustomerRole.VIEWER)
def user_detail(request: PortalRequest) -> HttpResponse:
    """One user: the one that `id` names, or, without it, the requests that name nobody."""
    name = named(request.GET)
    user = of_user(request.GET, request.customer, name, is_operator=False, at=timezone.now(), session_url=session_url)
    context = {
        "section": "users",
        "user_detail": user,
        "zone": request.zone,
        "may_change": request.customer_member.may(CustomerRole.DEVELOPER),
        "urls": _urls(user),
    }
    return render(request, "portal/users/detail.html", context)


@require_POST
@portal_page(CustomerRole.DEVELOPER)
def user_block(request: PortalRequest) -> HttpResponse:
    """Refuse a user's calls, within a second."""
    user_forms.block(request, request.customer, by=request.user, is_operator=False, at=timezone.now())
    return redirect(user_url(UserKey(request.customer.pk, named(request.POST))))


@require_POST
@portal_page(CustomerRole.DEVELOPER)
def user_unblock(request: PortalRequest) -> HttpResponse:
    """Let a user's calls in again, unless the operator has blocked it."""
    user_forms.unblock(request, request.customer, by=request.user, is_operator=False)
    return redirect(user_url(UserKey(request.customer.pk, named(request.POST))))


@require_POST
@portal_page(CustomerRole.DEVELOPER)
def user_note(request: PortalRequest) -> HttpResponse:
    """Write something down about a user."""
    user_forms.note(request, request.customer, by=request.user, is_operator=False)
    return redirect(user_url(UserKey(request.customer.pk, named(request.POST))))


def _urls(user: UserDetail) -> dict[str, str]:
    """Where what its page has is done."""
    row = user.limits.row if user.limits else None
    urls = {name: reverse(f"portal:user-{name}") for name in ("block", "unblock", "note")}
    its = urlencode({"period": "all"} | of_name(user.key))
    urls |= {name: f"{reverse(f'portal:{name}')}?{its}" for name in ("sessions", "requests")}
    if row is None or row.end_user is None:
        add = reverse("portal:end-user-limit-add")
        return urls | {"limit": f"{add}?{urlencode({'user': user.key.end_user or ''})}"}
    return urls | {"limit": reverse("portal:end-user-limit-edit", args=[row.pk])}


def user_url(key: UserKey) -> str:
    """A user's page. Any text may be a name, so it goes into the query string; without one it is nobody's."""
    page = reverse("portal:user-detail")
    return page if key.end_user is None else f"{page}?{urlencode({'id': key.end_user})}"
