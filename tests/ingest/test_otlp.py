"""OTLP as it comes over the wire: the same spans from both forms, and no bombs."""

import gzip
import json
import random

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from apps.ingest.body import MOST_BYTES, unzipped
from apps.ingest.errors import TooLarge, Unreadable
from apps.ingest.otlp import MOST_SPAN_BYTES, MOST_SPANS, Span, read_json, read_protobuf

START = 1_773_143_940_250_000_000  # 2026-03-10 11:59:00.25


def a_request(*, spans: int = 1, **attributes) -> ExportTraceServiceRequest:
    """An export of so many spans, with these attributes."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    put(of_resource.resource.attributes, {"service.name": "shop"})
    scope = of_resource.scope_spans.add()
    for number in range(1, spans + 1):
        span = scope.spans.add()
        span.trace_id = number.to_bytes(16, "big")
        span.span_id = number.to_bytes(8, "big")
        span.start_time_unix_nano, span.end_time_unix_nano = START, START + 812_000_000
        span.status.code, span.status.message = 2, "went wrong"
        put(span.attributes, attributes)
    return request


def put(target, values: dict[str, object]) -> None:
    for name, value in values.items():
        pair = target.add()
        pair.key = name
        match value:
            case bool():
                pair.value.bool_value = value
            case int():
                pair.value.int_value = value
            case float():
                pair.value.double_value = value
            case list():
                pair.value.array_value.values.add().string_value = str(value)
            case _:
                pair.value.string_value = str(value)


def as_json(request: ExportTraceServiceRequest) -> bytes:
    """As OTLP has JSON: protobuf's own, but for ids in hexadecimal."""
    told = MessageToDict(request, use_integers_for_enums=True)
    for of_resource in told["resourceSpans"]:
        for scope in of_resource["scopeSpans"]:
            for number, span in enumerate(scope["spans"], 1):
                span["traceId"], span["spanId"] = f"{number:032x}", f"{number:016x}"
    return json.dumps(told).encode()


SAID = {"text": "日本語", "count": 2**40, "part": 0.5, "yes": True, "no": False, "many": ["left out"]}


def test_both_forms_are_the_same_spans():
    request = a_request(spans=3, **SAID)
    read = read_protobuf(request.SerializeToString())
    assert read == read_json(as_json(request))
    assert len(read.spans) == 3
    known = {name: value for name, value in SAID.items() if name != "many"}
    assert read.spans[0] == Span(
        f"{1:032x}", f"{1:016x}", START, START + 812_000_000, True, "went wrong", known, {"service.name": "shop"}
    )


def test_ids_may_be_base64_as_protobufs_own_json_has_them():
    raw = json.dumps(MessageToDict(a_request())).encode()
    assert read_json(raw).spans[0].span_id == f"{1:016x}"


def test_nothing_is_no_span():
    assert read_protobuf(b"").spans == read_json(b"{}").spans == []


def test_bytes_that_are_none_of_it_are_unreadable():
    whole = a_request(spans=2, text="x").SerializeToString()
    for cut in range(1, len(whole) - 1, 7):
        with pytest.raises(Unreadable):
            read_protobuf(whole[:cut])
    chance = random.Random(4)
    for _ in range(500):
        spoiled = bytearray(whole)
        spoiled[chance.randrange(len(whole))] = chance.randrange(256)
        try:
            read_protobuf(bytes(spoiled))
        except Unreadable:
            continue
    for raw in (
        b"[]",
        b'{"resourceSpans": 1}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz"}]}]}]}',
        b"{" * 100_000,
        b"\xff\xff",
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"x"}]}]}]}',
    ):
        with pytest.raises(Unreadable):
            read_json(raw)


def packed_field(field: int, raw: bytes) -> bytes:
    length, out = len(raw), bytearray([field << 3 | 2])
    while length > 127:
        out.append(length & 127 | 128)
        length >>= 7
    return bytes(out) + bytes([length]) + raw


def test_millions_of_empty_spans_are_too_many_before_they_are_made():
    """Two bytes each, and some hundred once made."""
    with pytest.raises(TooLarge):
        read_protobuf(packed_field(1, packed_field(2, b"\x12\x00" * (MOST_SPANS + 1))))
    with pytest.raises(TooLarge):
        read_json(b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * 400_000 + b"{}]}]}]}")


def test_a_span_that_is_too_long_is_passed_over():
    request = a_request(spans=2)
    put(request.resource_spans[0].scope_spans[0].spans[0].attributes, {"prompt": "x" * MOST_SPAN_BYTES})
    read = read_protobuf(request.SerializeToString())
    assert (len(read.spans), read.too_long) == (1, 1)


def test_what_gzip_packs_is_unpacked_up_to_a_bound():
    assert unzipped(gzip.compress(b"one") + gzip.compress(b"two")) == b"onetwo"
    assert len(unzipped(gzip.compress(b"x" * MOST_BYTES))) == MOST_BYTES
    for bomb in (b"x" * (MOST_BYTES + 1), b"\0" * 300_000_000):
        with pytest.raises(TooLarge):
            unzipped(gzip.compress(bomb, 9))
    with pytest.raises(TooLarge):
        unzipped(gzip.compress(b"x" * MOST_BYTES) + gzip.compress(b"x"))
    for broken in (b"no gzip", gzip.compress(b"cut off")[:-1]):
        with pytest.raises(Unreadable):
            unzipped(broken)
