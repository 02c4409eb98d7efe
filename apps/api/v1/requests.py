"""Single requests: those that fit, newest first, and the whole of one."""

from typing import Any
from uuid import UUID

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.fields import Instant, Text
from apps.api.v1.paging import no_cursor, page
from apps.api.v1.params import ForCustomer, Paged, bounds_of
from apps.api.v1.request_fields import EXAMPLE, RequestSerializer, told_request
from apps.api.v1.schema import operation, page_of
from apps.api.v1.usage import UsageView
from apps.usage.models import Result
from apps.usage.queries import Period, recent_requests
from apps.usage.queries.requests import _position, one_request

TAG = "Requests"
RESULTS = {result.name.lower(): result for result in Result}


class RequestParams(Paged, ForCustomer):
    since = Instant(required=False, help_text="It began then, or later.")
    until = Instant(required=False, help_text="It began before.")
    result = serializers.ChoiceField(choices=list(RESULTS), required=False)
    error_code = Text(required=False, max_length=100)


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
        """The newest first: as fast on the last page as on the first."""
        params = RequestParams.of(request)
        cursor = params.get("cursor")
        if cursor and _position(cursor) is None:
            raise no_cursor()
        bounds = bounds_of(params)
        found = recent_requests(
            self.organization.pk,
            self.customer_in(params),
            before=cursor,
            limit=params["limit"],
            result=RESULTS.get(params.get("result", "")),
            error_code=params.get("error_code", ""),
            period=_period(bounds),
        )
        return page([told_request(each, is_operators=self.is_operators) for each in found.requests], found.next)


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


def _period(bounds: dict[str, Any]) -> Period | None:
    from apps.api.v1.fields import EARLIEST, LATEST

    return Period(bounds.get("since", EARLIEST), bounds.get("until", LATEST)) if bounds else None
