"""Who may open which page. A page's view begins with one of these, and with nothing else.

A view behind `operator_page` starts its queries at `request.organization`. What is not there does not exist
for this person: somebody else's id and one that never was are the same 404.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar, cast
from zoneinfo import ZoneInfo

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

from apps.accounts.models import Member, Organization, Role, User

P = ParamSpec("P")
RequestT = TypeVar("RequestT", bound="ZonedRequest")
Page = Callable[..., HttpResponseBase]  # HttpRequest, then what its URL has

CHOSEN = "organization"  # in the session: the id of the organization to work at, for members of several


class ZonedRequest(HttpRequest):
    """A request whose page has its times in `zone`, that of the organization it is about."""

    zone: ZoneInfo


class OperatorRequest(ZonedRequest):
    """A request of a member of `organization`."""

    user: User
    organization: Organization
    member: Member


def operator_page(
    role: Role,
) -> Callable[[Callable[Concatenate[OperatorRequest, P], HttpResponseBase]], Page]:
    """For members whose role includes `role`: others of the organization get 403, everybody else 404."""

    def enter(request: HttpRequest) -> OperatorRequest:
        entered = cast("OperatorRequest", request)
        member = member_of(entered)
        if member is None:
            raise Http404
        if not member.may(role):
            raise PermissionDenied
        entered.organization, entered.member = member.organization, member
        entered.zone = ZoneInfo(member.organization.time_zone)
        return entered

    return signed_in_page(enter, open_to=role)


def signed_in_page(
    enter: Callable[[HttpRequest], RequestT], *, open_to: str
) -> Callable[[Callable[Concatenate[RequestT, P], HttpResponseBase]], Page]:
    """For people who are signed in and whom `enter` lets through; it gives the request as the view gets it.

    The page is made in the zone that `enter` sets: all its times are of there. Nobody else's cache keeps the
    answer. `open_to` is noted on the view, for tests that go through all URLs.
    """

    def decorator(view: Callable[Concatenate[RequestT, P], HttpResponseBase]) -> Page:
        @wraps(view)
        def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            entered = enter(request)
            with timezone.override(entered.zone):
                response = view(entered, *args, **kwargs)
            add_never_cache_headers(response)
            return response

        page.open_to = open_to  # type: ignore[attr-defined]
        return page

    return decorator


def member_of(request: HttpRequest) -> Member | None:
    """The membership that the request's user works with: the chosen one, else the oldest; asked afresh."""
    members = cast("User", request.user).memberships.select_related("organization")
    members = members.order_by("created_at", "pk")
    chosen = request.session.get(CHOSEN)
    return (members.filter(organization_id=chosen).first() if chosen else None) or members.first()
