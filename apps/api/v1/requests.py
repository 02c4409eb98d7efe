"""Single requests: those that fit, newest first, and the whole of one."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.fields import MOST_INTEGER, Amount, Id, Instant, Text, Whole
from apps.api.v1.paging import no_cursor, page
from apps.api.v1.params import ForCustomer, Paged
from apps.api.v1.problems import InvalidParameters
from apps.api.v1.request_fields import EXAMPLE, RequestSerializer, told_request
from apps.api.v1.schema import operation, page_of
from apps.api.v1.usage import UsageView
from apps.usage.models import Result
from apps.usage.queries.cursors import position_of
from apps.usage.queries.explorer import Search, found_page
from apps.usage.queries.requests import one_request

TAG = "Requests"
RESULTS = {result.name.lower(): result for result in Result}
MOST_STATUS = 999


class RequestParams(Paged, ForCustomer):
    OPERATORS = ("cost_above", "cost_below")

    since = Instant(required=False, help_text="It began then, or later.")
    until = Instant(required=False, help_text="It began before.")
    result = serializers.ChoiceField(choices=list(RESULTS), required=False)
    status = Whole(required=False, min_value=0, max_value=MOST_STATUS, help_text="As the client got it, such as 429.")
    model = Text(required=False, max_length=200, help_text="`*` at its end: any that begin so.")
    endpoint = Text(required=False, max_length=200, help_text="The operation, such as `embeddings`.")
    user = Text(required=False, allow_blank=True, help_text="Of this end user; empty: those that name none.")
    key = Id(required=False, help_text="With this proxy key.")
    property = Text(required=False, max_length=1000, help_text="`name=value`, or `name` for any value.")
    session = Text(required=False, help_text="Of this session.")
    error = Text(required=False, max_length=200, help_text="Part of the error's code or message.")
    price_above = Amount(required=False, min_value=0)
    price_below = Amount(required=False, min_value=0)
    cost_above = Amount(required=False, min_value=0, help_text="Operators.")
    cost_below = Amount(required=False, min_value=0, help_text="Operators.")
    latency_above_ms = Whole(required=False, min_value=0, max_value=MOST_INTEGER)


class RequestList(UsageView):
    @operation(
        "requests:read",
        "List requests",
        name="list_requests",
        tag=TAG,
        params=RequestParams,
        answer=page_of(RequestSerializer),
        example={"data": [EXAMPLE], "next": None},
        errors=(404,),
    )
    def get(self, request: Request) -> Response:
        """The newest first: as fast on the last page as on the first.

        A search that would take long gives what it found until then; `next` goes on from there.
        """
        params = RequestParams.of(request)
        cursor = params.get("cursor")
        if cursor and position_of(cursor) is None:
            raise no_cursor()
        found = found_page(self._search(params), at=timezone.now(), before=cursor, limit=params["limit"])
        return page([told_request(each, is_operators=self.is_operators) for each in found.requests], found.older)

    def _search(self, params: dict[str, Any]) -> Search:
        same = ("since", "until", "price_above", "price_below", "cost_above", "cost_below", "latency_above_ms")
        user, status = params.get("user"), params.get("status")
        return Search(
            self.organization.pk,
            self.customer_in(params),
            **{name: params[name] for name in same if name in params},
            result=RESULTS.get(params.get("result", "")),
            statuses=None if status is None else (status, status),
            model=params.get("model", ""),
            is_sold_as=not self.is_operators,
            endpoint=params.get("endpoint", ""),
            end_user=user or None,
            has_no_user=user == "",
            proxy_key_id=params.get("key"),
            properties=_property(params.get("property", "")),
            session_id=params.get("session", ""),
            error=params.get("error", ""),
        )


class RequestDetail(UsageView):
    @operation(
        "requests:read",
        "Get a request",
        name="get_request",
        tag=TAG,
        answer=RequestSerializer,
        example=EXAMPLE,
        errors=(404,),
    )
    def get(self, request: Request, request_id: UUID) -> Response:
        """One request."""
        found = one_request(self.organization.pk, self.token.customer_id, request_id)
        if found is None:
            raise Http404
        return Response(told_request(found, is_operators=self.is_operators))


def _property(told: str) -> dict[str, str | None]:
    name, separator, value = told.partition("=")
    if separator and not name:
        raise InvalidParameters({"property": "It looks like name=value."})
    return {name.lower(): value if separator else None} if name else {}
