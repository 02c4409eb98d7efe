"""`POST /v1/traces` and `/otlp/v1/traces`: OTLP over HTTP, for whatever is instrumented with OpenTelemetry.

Answers and errors are in OTLP's own forms, packed as the request was: exporters read nothing else.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django.db import OperationalError
from django.http import HttpResponse
from django.utils import timezone
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.accounts.models import Organization
from apps.api.authentication import ProxyKeyAuthentication, TokenAuthentication
from apps.api.throttling import PerToken
from apps.customers.models import Customer
from apps.ingest.body import whole_body
from apps.ingest.errors import Invalid, TooLarge, Unreadable
from apps.ingest.event import Told
from apps.ingest.genai import told_of
from apps.ingest.otlp import Spans, read_json, read_protobuf
from apps.ingest.senders import Senders
from apps.ingest.services import Status, record_events
from apps.ingest.wsgi import stream_of
from apps.keys.api_scopes import ApiScope
from apps.keys.models import ApiToken, ProxyKey

logger = logging.getLogger(__name__)

PROTOBUF, JSON = "application/x-protobuf", "application/json"
AT_ONCE = 1_000  # events in one transaction
MOST_REASONS = 5  # are told
RETRY_S = 5
CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 413: 3, 415: 3, 429: 8, 503: 14}  # of gRPC, by HTTP status

Event = Told | Invalid


class UnsupportedMedia(APIException):
    status_code = 415
    default_detail = f"Send {PROTOBUF} or {JSON}."


class BodyUnreadable(APIException):
    status_code = 400


class BodyTooLarge(APIException):
    status_code = 413


class SenderAuthentication(BaseAuthentication):
    """An API token or a proxy key: `request.auth` is the one or the other."""

    def authenticate(self, request: Request) -> tuple[None, ApiToken | ProxyKey] | None:
        return ProxyKeyAuthentication().authenticate(request) or TokenAuthentication().authenticate(request)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Tollgate"'


class MaySend(BasePermission):
    """For proxy keys, which call models anyway, and for API tokens with the scope."""

    message = f"This token may not do that: it needs the scope {ApiScope.INGEST_WRITE.value}."

    def has_permission(self, request: Request, view: APIView) -> bool:
        auth = request.auth
        return isinstance(auth, ProxyKey) or (isinstance(auth, ApiToken) and ApiScope.INGEST_WRITE in auth.scopes)


class AsItCame(BaseContentNegotiation):
    """What is answered is of the type that was sent, whatever is said to be accepted."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], JSON


class Traces(APIView):
    """Takes what spans tell of calls of models, and passes over all others."""

    authentication_classes = (SenderAuthentication,)
    permission_classes = (MaySend,)
    throttle_classes = (PerToken,)
    content_negotiation_class = AsItCame
    http_method_names = ("post", "options")
    schema = None  # it is OTLP, not of our API

    def post(self, request: Request) -> HttpResponse:
        kind = _type_of(request)
        spans = _read(request, kind)
        told = [told for span in spans.spans if (told := told_of(span)) is not None]
        counted, reasons = _record(request.auth, told)
        rejected = counted[Status.INVALID] + counted[Status.CONFLICT] + spans.too_long
        if spans.too_long:
            reasons["A span is longer than 1 MB."] += spans.too_long
        message = "; ".join(f"{count}: {reason}" for reason, count in reasons.most_common(MOST_REASONS))
        return _success(kind, rejected, message)

    def get_exception_handler(self) -> Callable[..., HttpResponse | None]:
        return in_otlps_shape


def in_otlps_shape(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """A `Status`; None for a bug, which Django then tells of."""
    kind = JSON if context["request"].content_type.startswith(JSON) else PROTOBUF
    if isinstance(error, OperationalError):
        logger.error("the database does not answer: %s", type(error.__cause__ or error).__name__)
        answer = _failure(kind, 503, "The database does not answer. Try again in a moment.")
        answer.headers["Retry-After"] = str(RETRY_S)
        return answer
    if not isinstance(error, APIException):
        return None
    answer = _failure(kind, error.status_code, str(error.detail))
    if header := getattr(error, "auth_header", None):
        answer.headers["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        answer.headers["Retry-After"] = f"{wait:.0f}"
    return answer


def _type_of(request: Request) -> str:
    kind = request.content_type.partition(";")[0].strip().lower()
    if kind not in (PROTOBUF, JSON):
        raise UnsupportedMedia
    return kind


def _read(request: Request, kind: str) -> Spans:
    try:
        body = whole_body(stream_of(request._request), request.headers.get("content-encoding", ""))  # noqa: SLF001
        return read_protobuf(body) if kind == PROTOBUF else read_json(body)
    except TooLarge as error:
        raise BodyTooLarge(str(error)) from None
    except Unreadable as error:
        raise BodyUnreadable(str(error)) from None


def _record(auth: ApiToken | ProxyKey, told: list[Event]) -> tuple[Counter[Status], Counter[str]]:
    """What became of them, and why some were not taken."""
    organization, customer = _who(auth)
    counted, reasons = Counter[Status](), Counter[str]()
    at = timezone.now()
    for events in _parts(told):
        senders = Senders(organization, customer, events, proxy_key=auth if isinstance(auth, ProxyKey) else None)
        for result in record_events(organization, [senders.sent(event) for event in events], at=at):
            counted[result.status] += 1
            if result.reason:
                reasons[result.reason] += 1
    return counted, reasons


def _who(auth: ApiToken | ProxyKey) -> tuple[Organization, Customer | None]:
    organization = auth.customer.organization if isinstance(auth, ProxyKey) else auth.organization
    return organization, auth.customer


def _parts(told: list[Event]) -> Iterator[list[Event]]:
    for start in range(0, len(told), AT_ONCE):
        yield told[start : start + AT_ONCE]


def _success(kind: str, rejected: int, message: str) -> HttpResponse:
    if kind == JSON:
        partial = {"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": message}} if rejected else {}
        return HttpResponse(json.dumps(partial), content_type=JSON)
    answer = ExportTraceServiceResponse()
    if rejected:
        answer.partial_success.rejected_spans = rejected
        answer.partial_success.error_message = message
    return HttpResponse(answer.SerializeToString(), content_type=PROTOBUF)


def _failure(kind: str, status: int, message: str) -> HttpResponse:
    code = CODES.get(status, 2)
    if kind == JSON:
        return HttpResponse(json.dumps({"code": code, "message": message}), content_type=JSON, status=status)
    raw = message.encode()[:16_000].decode(errors="ignore").encode()
    packed = bytes([0x08, code, 0x12]) + _varint(len(raw)) + raw  # google.rpc.Status: code, message
    return HttpResponse(packed, content_type=PROTOBUF, status=status)


def _varint(number: int) -> bytes:
    packed = bytearray()
    while number > 0x7F:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    packed.append(number)
    return bytes(packed)
