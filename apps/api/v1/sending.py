"""Usage that is sent instead of proxied: `POST /api/v1/requests` (docs/sending-usage.md)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.fields import Amount
from apps.api.v1.requests import RequestList
from apps.api.v1.schema import operation
from apps.ingest.body import whole_body
from apps.ingest.errors import Invalid, TooLarge, Unreadable
from apps.ingest.event import RESULTS, Told, read_told
from apps.ingest.senders import Senders
from apps.ingest.services import Result, Status, record_events
from apps.ingest.wsgi import stream_of
from apps.pricing.rating import KINDS
from apps.proxy.protocols.body import why

TAG = "Requests"
MOST_EVENTS = 1_000
JSON = "application/json"

EVENT = {
    "id": "order-4711-summary",
    "started_at": "2026-03-10T11:59:30.250Z",
    "provider": "openai",
    "model": "gpt-4o-mini",
    "tokens": {"input": 812, "cache_read": 128, "output": 96},
    "end_user": "ada@example.com",
    "properties": {"Plan": "premium"},
    "latency_ms": 940,
}
ANSWER = {
    "accepted": 1,
    "duplicates": 0,
    "conflicts": 0,
    "invalid": 1,
    "results": [
        {"index": 0, "status": "accepted", "request_id": "a1f7c1de-40b3-8d64-9f0e-2f4f7f1f9a11"},
        {"index": 1, "status": "invalid", "reason": "It begins in the future.", "field": "started_at"},
    ],
}


class TooLong(APIException):
    status_code = 413


class SentTokensSerializer(serializers.Serializer[Any]):
    """Tokens by kind. The kinds are disjoint: a cached token is not among `input`, one of reasoning not in `output`."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {kind: serializers.IntegerField(required=False, min_value=0, max_value=10**9) for kind in KINDS}


class SentSessionSerializer(serializers.Serializer[Any]):
    """Of several calls that belong together."""

    id = serializers.CharField(required=False)
    path = serializers.CharField(required=False)
    name = serializers.CharField(required=False)


class EventSerializer(serializers.Serializer[Any]):
    """A call of a model that was made past the proxy."""

    id = serializers.CharField(max_length=200, help_text="Yours, for this event. Sent again, it counts once.")
    started_at = serializers.CharField(help_text="RFC 3339 with an offset.")
    provider = serializers.CharField(help_text="Such as `openai`, `anthropic`, `google`.")
    model = serializers.CharField(required=False, help_text="As asked for.")
    model_served = serializers.CharField(required=False, help_text="As the answer named it.")
    endpoint = serializers.CharField(required=False, help_text="Such as `chat.completions`, `messages`, `embeddings`.")
    customer = serializers.CharField(
        required=False, help_text="Its id or slug. Needed with an organization's token, unless the body has one."
    )
    proxy_key = serializers.UUIDField(required=False, help_text="The id of the customer's proxy key it belongs to.")
    tokens = SentTokensSerializer(required=False)
    usage = serializers.DictField(
        required=False, help_text="In the place of `tokens`: the `usage` object of the provider's answer as it was."
    )
    units = serializers.DictField(
        child=serializers.IntegerField(min_value=1, max_value=10**9),
        required=False,
        help_text="What is charged by the piece, such as `web_search`.",
    )
    estimated = serializers.BooleanField(required=False, help_text="The tokens were not told by the provider.")
    service_tier = serializers.CharField(required=False, help_text="As the answer named it, such as `flex`.")
    provider_cost = Amount(required=False, help_text="What the provider said that it charges, kept beside our figure.")
    end_user = serializers.CharField(required=False)
    properties = serializers.DictField(child=serializers.CharField(), required=False)
    session = SentSessionSerializer(required=False)
    latency_ms = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    first_token_ms = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    is_streamed = serializers.BooleanField(required=False)
    result = serializers.ChoiceField(choices=list(RESULTS), required=False, help_text="Else by status and error.")
    status = serializers.IntegerField(required=False, min_value=0, max_value=599, help_text="The provider's.")
    error_code = serializers.CharField(required=False)
    error_message = serializers.CharField(required=False)
    client_request_id = serializers.CharField(required=False)
    provider_request_id = serializers.CharField(required=False)
    alias = serializers.CharField(required=False, help_text="Operators. What the model is sold as.")


class EventsSerializer(serializers.Serializer[Any]):
    """A batch."""

    customer = serializers.CharField(required=False, help_text="The id or slug, of events that name none.")
    events = serializers.ListField(child=EventSerializer(), min_length=1, max_length=MOST_EVENTS)


class ResultSerializer(serializers.Serializer[Any]):
    """What became of one event."""

    index = serializers.IntegerField(help_text="Of the event in the batch, from 0.")
    status = serializers.ChoiceField(choices=[status.value for status in Status])
    request_id = serializers.UUIDField(required=False, help_text="Of the request that it is.")
    reason = serializers.CharField(required=False)
    field = serializers.CharField(required=False, help_text="What of the event the reason is about.")
    warnings = serializers.CharField(required=False)


class ResultsSerializer(serializers.Serializer[Any]):
    """What became of a batch."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField(help_text="Were here before. They count once.")
    conflicts = serializers.IntegerField(help_text="Had an id under which another event was sent: that one counts.")
    invalid = serializers.IntegerField()
    results = ResultSerializer(many=True)


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    events: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=MOST_EVENTS)]
    customer: str | None = None


_decode = msgspec.json.Decoder(_Body).decode


class Requests(RequestList):
    """The requests: those that there are (`GET`), and more of them."""

    @operation(
        "ingest:write",
        "Send requests",
        name="send_requests",
        tag=TAG,
        body=EventsSerializer,
        answers={200: ResultsSerializer, 207: ResultsSerializer},
        sent={"customer": "globex", "events": [EVENT]},
        example=ANSWER,
        errors=(413, 415),
    )
    def post(self, request: Request) -> Response:
        """Calls that were made past the proxy, at most 1,000 in 5 MB. Priced as of when they were made.

        200: all are stored. 207: some are not, for the reasons told; 400: none is. What is told to be accepted is
        durable and counts once, however often it is sent again: when in doubt, send the whole batch again.
        """
        body = _read(request)
        events = [_told(raw) for raw in body.events]
        senders = Senders(self.organization, self.token.customer, events, default=body.customer)
        results = record_events(self.organization, [senders.sent(event) for event in events], at=timezone.now())
        counted = Counter(result.status for result in results)
        if counted[Status.INVALID] == len(results):
            raise ValidationError({"events": _reasons(results)})
        told = {
            "accepted": counted[Status.ACCEPTED],
            "duplicates": counted[Status.DUPLICATE],
            "conflicts": counted[Status.CONFLICT],
            "invalid": counted[Status.INVALID],
            "results": [_result(index, result) for index, result in enumerate(results)],
        }
        return Response(told, status=207 if counted[Status.INVALID] or counted[Status.CONFLICT] else 200)


def _read(request: Request) -> _Body:
    if request.content_type.partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaType(request.content_type)
    try:
        raw = whole_body(stream_of(request._request), request.headers.get("content-encoding", ""))  # noqa: SLF001
        return _decode(raw)
    except TooLarge as error:
        raise TooLong(str(error)) from None
    except Unreadable as error:
        raise ParseError(str(error)) from None
    except msgspec.DecodeError as error:
        told = why(error)
        raise (ValidationError({told.param: told.message}) if told.param else ParseError(told.message)) from None
    except RecursionError:
        raise ParseError("The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise ParseError("The body is not UTF-8.") from None


def _told(raw: msgspec.Raw) -> Told | Invalid:
    try:
        return read_told(bytes(raw))
    except Invalid as error:
        return error


def _result(index: int, result: Result) -> Mapping[str, object]:
    told = {
        "index": index,
        "status": result.status.value,
        "request_id": str(result.request_id) if result.request_id else None,
        "reason": result.reason,
        "field": result.field,
        "warnings": result.warnings,
    }
    return {name: value for name, value in told.items() if value not in (None, "")}


def _reasons(results: Sequence[Result]) -> dict[str, Any]:
    return {str(at): {each.field: each.reason} if each.field else [each.reason] for at, each in enumerate(results)}
