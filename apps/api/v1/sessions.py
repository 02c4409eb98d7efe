"""Sessions: requests that belong together, as the client says."""

from typing import Any

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.fields import Amount, Instant, Text, Told
from apps.api.v1.paging import no_cursor, page
from apps.api.v1.params import ForCustomer, Paged, Params, Spanned, span_of
from apps.api.v1.problems import InvalidParameters
from apps.api.v1.request_fields import EXAMPLE as REQUEST
from apps.api.v1.request_fields import RequestSerializer, told_request
from apps.api.v1.schema import operation, page_of
from apps.api.v1.usage import UsageView
from apps.usage.queries.cursors import position_of
from apps.usage.queries.sessions import Session, one_session, recent_sessions, requests_of_session

TAG = "Sessions"
MOST_REQUESTS = 500
EXAMPLE = {
    "customer": "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11",
    "session": "checkout-77",
    "name": "Checkout",
    "first_at": "2026-03-10T11:58:40Z",
    "last_at": "2026-03-10T11:59:03Z",
    "ended_at": "2026-03-10T11:59:04Z",
    "requests": 4,
    "failed": 0,
    "refused": 0,
    "unpriced": 0,
    "cost": "0.0021",
    "price": "0.00252",
    "users": 1,
    "user": "ada",
}


class SessionSerializer(Told):
    """All requests of a session that are kept."""

    OPERATORS = ("cost",)

    customer = serializers.UUIDField(source="customer_id")
    session = serializers.CharField(source="id")
    name = serializers.CharField(allow_null=True, help_text="As last told.")
    first_at = Instant()
    last_at = Instant(help_text="When its last request began.")
    ended_at = Instant(help_text="When the last answer was complete.")
    requests = serializers.IntegerField()
    failed = serializers.IntegerField()
    refused = serializers.IntegerField()
    unpriced = serializers.IntegerField(help_text="The price is not known, and not in the amounts.")
    cost = Amount(required=False, help_text="Operators, in USD.")
    price = Amount(help_text="What the customer pays, in USD.")
    users = serializers.IntegerField()
    user = serializers.CharField(source="a_user", allow_null=True, help_text="One of them.")


class SessionDetailSerializer(SessionSerializer):
    """A session with its requests."""

    steps = RequestSerializer(many=True, help_text="The first 500, in order: `session_path` makes them a tree.")


class SessionParams(Paged, Spanned, ForCustomer):
    search = Text(required=False, max_length=200, help_text="Part of the id or the name.")
    user = Text(required=False, min_length=1, max_length=1000, help_text="With a request of this end user.")


class SessionDetailParams(ForCustomer, Params):
    session = Text(help_text="Its id.")


class SessionList(UsageView):
    @operation(
        "usage:read",
        "List sessions",
        name="list_sessions",
        tag=TAG,
        params=SessionParams,
        answer=page_of(SessionSerializer),
        example={"data": [EXAMPLE], "next": None},
        errors=(404,),
    )
    def get(self, request: Request) -> Response:
        """Those with a request in the time asked for, the one with the latest first."""
        params = SessionParams.of(request)
        cursor = params.get("cursor")
        if cursor and position_of(cursor) is None:
            raise no_cursor()
        found = recent_sessions(
            self.organization.pk,
            self.customer_in(params),
            period=span_of(params, self.zone),
            wanted=params.get("search", ""),
            end_user=params.get("user"),
            before=cursor,
            limit=params["limit"],
        )
        return page([_told(each, is_operators=self.is_operators) for each in found.sessions], found.older)


class SessionDetail(UsageView):
    @operation(
        "requests:read",
        "Get a session",
        name="get_session",
        tag=TAG,
        params=SessionDetailParams,
        answer=SessionDetailSerializer,
        example={**EXAMPLE, "steps": [REQUEST]},
        errors=(404,),
    )
    def get(self, request: Request) -> Response:
        """The session and its requests. An operator's token says of which `customer`.

        An id is asked for in the query string: it may be anything, slashes too.
        """
        params = SessionDetailParams.of(request)
        customer_id = self.customer_in(params)
        if customer_id is None:
            raise InvalidParameters({"customer": "Say whose session it is."})
        found = one_session(self.organization.pk, customer_id, params["session"])
        if found is None:
            raise Http404
        steps = requests_of_session(self.organization.pk, customer_id, params["session"], limit=MOST_REQUESTS)
        told = [told_request(each, is_operators=self.is_operators) for each in steps]
        return Response(_told(found, is_operators=self.is_operators) | {"steps": told})


def _told(session: Session, *, is_operators: bool) -> dict[str, Any]:
    data: dict[str, Any] = SessionSerializer(session, context={"is_operators": is_operators}).data
    return data
