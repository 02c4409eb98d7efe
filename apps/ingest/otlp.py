"""OTLP's traces, as protobuf and as JSON, made into spans. Pure.

A few bytes of either can stand for an object of a hundred, so that five megabytes, made for it, would take hundreds.
Protobuf is therefore walked down to its spans, which only takes looking at lengths, and these are read one by one.
Of JSON the objects are counted before it is read.
"""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from apps.ingest.errors import TooLarge, Unreadable

MOST_SPANS = 20_000  # in one request
MOST_SPAN_BYTES = 1024 * 1024  # of one; what is longer is passed over, and told
MOST_OBJECTS = 300_000  # in JSON
ERROR = 2  # a span's status

Value = str | int | float | bool
Attributes = Mapping[str, Value]


class Span(NamedTuple):
    """What matters of a span. Times are nanoseconds of Unix time; ids are hexadecimal."""

    trace_id: str
    span_id: str
    start_ns: int
    end_ns: int
    is_error: bool
    message: str  # of its status
    attributes: Attributes
    resource: Attributes


class Spans(NamedTuple):
    """Those that could be read, and how many could not."""

    spans: list[Span]
    too_long: int = 0


# As protobuf


def read_protobuf(body: bytes) -> Spans:
    """The spans of an ExportTraceServiceRequest. Raises Unreadable, TooLarge."""
    spans: list[Span] = []
    too_long = count = 0
    try:
        for of_resource in _fields(body, 1):
            resource: Attributes = {}
            for raw in _fields(of_resource, 1):
                resource = _attributes(Resource.FromString(bytes(raw)).attributes)
            for of_scope in _fields(of_resource, 2):
                for raw in _fields(of_scope, 2):
                    count += 1
                    if count > MOST_SPANS:
                        raise TooLarge(f"It has more than {MOST_SPANS:,} spans. Send them in parts.")
                    if len(raw) > MOST_SPAN_BYTES:
                        too_long += 1
                    else:
                        spans.append(_span(SpanMessage.FromString(bytes(raw)), resource))
    except (DecodeError, IndexError, ValueError, OverflowError):
        raise Unreadable("It is no ExportTraceServiceRequest.") from None
    return Spans(spans, too_long)


def _fields(data: bytes | memoryview, wanted: int) -> Iterator[memoryview]:
    """The messages of one field of a message, without a copy. Raises IndexError, ValueError for what is none."""
    view, position, end = memoryview(data), 0, len(data)
    while position < end:
        tag, position = _varint(view, position)
        kind = tag & 7
        if kind == 2:
            length, position = _varint(view, position)
            if position + length > end:
                raise ValueError("cut off")
            if tag >> 3 == wanted:
                yield view[position : position + length]
            position += length
        elif kind == 0:
            _, position = _varint(view, position)
        elif kind in (1, 5):
            position += 8 if kind == 1 else 4
        else:
            raise ValueError("no such wire type")
    if position != end:
        raise ValueError("cut off")


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = view[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
        if shift > 63:
            raise ValueError("no number")


def _span(span: SpanMessage, resource: Attributes) -> Span:
    return Span(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == ERROR,
        span.status.message,
        _attributes(span.attributes),
        resource,
    )


def _attributes(pairs: object) -> Attributes:
    """Those with one plain value; of several for a name the last."""
    found: dict[str, Value] = {}
    for pair in pairs:  # type: ignore[attr-defined]
        value: AnyValue = pair.value
        match value.WhichOneof("value"):
            case "string_value":
                found[pair.key] = value.string_value
            case "int_value":
                found[pair.key] = value.int_value
            case "double_value":
                found[pair.key] = value.double_value
            case "bool_value":
                found[pair.key] = value.bool_value
    return found


# As JSON: ids are hexadecimal there, 64-bit numbers are strings, and names are in camel case


class _Any(msgspec.Struct, rename="camel", gc=False):
    string_value: str | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    bool_value: bool | None = None


class _Pair(msgspec.Struct, gc=False):
    key: str = ""
    value: _Any | None = None


class _Status(msgspec.Struct, gc=False):
    code: int | str | None = None
    message: str | None = None


class _Span(msgspec.Struct, rename="camel", gc=False):
    trace_id: str = ""
    span_id: str = ""
    start_time_unix_nano: int | str = 0
    end_time_unix_nano: int | str = 0
    attributes: list[_Pair] | None = None
    status: _Status | None = None


class _Scope(msgspec.Struct, gc=False):
    spans: list[_Span] | None = None


class _Resource(msgspec.Struct, gc=False):
    attributes: list[_Pair] | None = None


class _OfResource(msgspec.Struct, rename="camel", gc=False):
    resource: _Resource | None = None
    scope_spans: list[_Scope] | None = None


class _Request(msgspec.Struct, rename="camel", gc=False):
    resource_spans: list[_OfResource] | None = None


_decode = msgspec.json.Decoder(_Request).decode


def read_json(body: bytes) -> Spans:
    """The same of its JSON form. Raises Unreadable, TooLarge."""
    if body.count(b"{") > MOST_OBJECTS:
        raise TooLarge(f"It has more than {MOST_OBJECTS:,} objects. Send them in parts.")
    try:
        request = _decode(body)
        spans = [
            _span_of_json(span, _pairs(each.resource.attributes if each.resource else None))
            for each in request.resource_spans or ()
            for scope in each.scope_spans or ()
            for span in scope.spans or ()
        ]
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(f"It is no ExportTraceServiceRequest: {error}.") from None
    except ValueError:
        raise Unreadable("It is no ExportTraceServiceRequest: a number or an id is none.") from None
    if len(spans) > MOST_SPANS:
        raise TooLarge(f"It has more than {MOST_SPANS:,} spans. Send them in parts.")
    return Spans(spans)


def _span_of_json(span: _Span, resource: Attributes) -> Span:
    status = span.status or _Status()
    return Span(
        _id(span.trace_id, 16),
        _id(span.span_id, 8),
        _nanoseconds(span.start_time_unix_nano),
        _nanoseconds(span.end_time_unix_nano),
        status.code in (ERROR, "STATUS_CODE_ERROR"),
        status.message or "",
        _pairs(span.attributes),
        resource,
    )


def _id(text: str, size: int) -> str:
    """Hexadecimal, as OTLP wants it; or base64, as protobuf's own JSON has bytes, which some send."""
    try:
        return bytes.fromhex(text).hex()
    except ValueError:
        try:
            raw = b64decode(text, validate=True)
        except NotBase64:
            raise ValueError("no id") from None
        if len(raw) != size:
            raise ValueError("no id") from None
        return raw.hex()


def _nanoseconds(told: int | str) -> int:
    number = int(told)
    if not 0 <= number < 2**64:
        raise ValueError("no time")
    return number


def _pairs(pairs: list[_Pair] | None) -> Attributes:
    found: dict[str, Value] = {}
    for pair in pairs or ():
        value = pair.value or _Any()
        if value.string_value is not None:
            found[pair.key] = value.string_value
        elif value.int_value is not None:
            found[pair.key] = int(value.int_value)
        elif value.double_value is not None:
            found[pair.key] = float(value.double_value)
        elif value.bool_value is not None:
            found[pair.key] = value.bool_value
    return found
