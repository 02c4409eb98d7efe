"""Who may open which page of the portal: the twin of accounts' access.py."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, cast
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase

from apps.accounts.access import Page, ZonedRequest, signed_in_page
from apps.accounts.models import User
from apps.customers.models import Customer, CustomerMember, CustomerRole

P = ParamSpec("P")

CHOSEN = "customer"  # in the session: the id of the customer whose portal it is, for members of several


class PortalRequest(ZonedRequest):
    """A request of a member of `customer`."""

    user: User
    customer: Customer
    customer_member: CustomerMember


def portal_page(
    role: CustomerRole,
) -> Callable[[Callable[Concatenate[PortalRequest, P], HttpResponseBase]], Page]:
    """For members of a customer whose role includes `role`: its others get 403, everybody else 404."""

    def enter(request: HttpRequest) -> PortalRequest:
        entered = cast("PortalRequest", request)
        member = customer_member_of(entered)
        if member is None:
            raise Http404
        if not member.may(role):
            raise PermissionDenied
        entered.customer, entered.customer_member = member.customer, member
        entered.zone = ZoneInfo(member.customer.organization.time_zone)
        return entered

    return signed_in_page(enter, open_to=role)


def customer_member_of(request: HttpRequest) -> CustomerMember | None:
    """The membership that the request's user enters with: the chosen one, else the oldest; asked afresh."""
    members = cast("User", request.user).customer_memberships.select_related("customer__organization")
    members = members.order_by("created_at", "pk")
    chosen = request.session.get(CHOSEN)
    return (members.filter(customer_id=chosen).first() if chosen else None) or members.first()
