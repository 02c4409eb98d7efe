"""End users of all customers, or of one."""

from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.usage.queries.users import UserKey
from apps.usage.user_faces import user_table, users_csv
from apps.usage.user_page import named
from apps.usage.user_page import user_detail as of_user


@operator_page(Role.VIEWER)
def users(request: OperatorRequest) -> HttpResponse:
    """A table of them, with what each uses, costs and brings."""
    table = user_table(request.GET, request.organization, None, at=timezone.now(), url=user_url)
    return render(request, "console/users/list.html", {"section": "users", "table": table})


@operator_page(Role.VIEWER)
def users_export(request: OperatorRequest) -> HttpResponseBase:
    """The chosen users as CSV."""
    return users_csv(request.GET, request.organization, None, at=timezone.now())


@operator_page(Role.VIEWER)
def user_detail(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """One user of a customer: the one that `id` names, or, without it, the requests that name nobody."""
    customer = get_object_or_404(request.organization.customers.select_related("organization"), pk=customer_id)
    user = of_user(request.GET, customer, named(request.GET), is_operator=True, at=timezone.now())
    context = {
        "section": "users",
        "customer": customer,
        "user_detail": user,
        "zone": request.zone,
        "may_change": request.member.may(Role.ADMIN),
    }
    return render(request, "console/users/detail.html", context)


def user_url(key: UserKey) -> str:
    """A user's page. Any text may be a name, so it goes into the query string; without one it is nobody's."""
    page = reverse("console:user-detail", args=[key.customer_id])
    return page if key.end_user is None else f"{page}?{urlencode({'id': key.end_user})}"
