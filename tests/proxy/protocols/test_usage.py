"""The same usage gives the same tokens in every form of an answer, and however its bytes are cut."""

import gzip
import re
import zlib
from collections.abc import Callable

import brotli
import msgspec
import pytest
import zstandard
from genai_prices.data_snapshot import get_snapshot

from apps.pricing.rating import Tokens
from apps.proxy.meter import Usage
from apps.proxy.protocols.base import Ask
from apps.usage.record import REPORTED

from . import answers, usages
from .answers import EVENTS, JSON, Case, Metered, byte_by_byte, in_two, metered, with_line_ends

PLAIN = {
    "chat": (answers.CHAT, answers.chat),
    "response": (answers.RESPONSES, answers.response),
    "message": (answers.MESSAGES, answers.message),
    "generated": (answers.GENERATE, answers.generated),
}
STREAMED = {
    "chat": (answers.CHAT, answers.chat_stream),
    "response": (answers.RESPONSES, answers.response_stream),
    "message": (answers.MESSAGES, answers.message_stream),
    "generated": (answers.STREAM_GENERATE, answers.generated_stream),
}
NAMED = {
    "chat": ("gpt-4o-2024-08-06", "chatcmpl-1"),
    "response": ("gpt-5", "resp_1"),
    "message": ("claude-sonnet-4-5", "msg_1"),
    "generated": ("gemini-2.5-pro", "g1"),
}


def on_several_lines(stream: bytes) -> bytes:
    """JSON with line breaks, each line of it a line of data."""

    def spread(data: re.Match[bytes]) -> bytes:
        return b"data: " + msgspec.json.format(data[1], indent=2).replace(b"\n", b"\ndata: ")

    return re.sub(rb"(?m)^data: (\{.*)$", spread, stream)


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "lf": bytes,
    "crlf": lambda stream: with_line_ends(stream, b"\r\n"),
    "cr": lambda stream: with_line_ends(stream, b"\r"),
    "byte-order-mark": lambda stream: b"\xef\xbb\xbf" + stream,
    "comments": lambda stream: b": hello\n\n" + stream.replace(b"\n\n", b"\n: ping\n\n: keep-alive\n\n"),
    "ids": lambda stream: re.sub(rb"(?m)^data: ", b"id: 7\ndata: ", stream),
    "no-space": lambda stream: re.sub(rb"(?m)^data: ", b"data:", stream),
    "data-on-several-lines": on_several_lines,
    "spaces-in-the-json": lambda stream: stream.replace(b'":', b'" : ').replace(b'{"', b'{ "'),
    "last-blank-line-missing": lambda stream: stream[:-1],
    "last-line-end-missing": lambda stream: stream[:-2],
}
ENCODINGS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"br": brotli.compress,
    b"zstd": zstandard.compress,
}


def meter_case(case: Case, chunks: list[bytes], content_type: bytes, encoding: bytes = b"") -> Metered:
    match, _ = (STREAMED if content_type == EVENTS else PLAIN)[case.wire]
    return metered(match, chunks, content_type, encoding, ask=Ask(provider=case.provider, is_streamed=True))


def expected(case: Case) -> Usage:
    return Usage(case.tokens, REPORTED, *NAMED[case.wire], **case.charged)


def plain(case: Case) -> bytes:
    return PLAIN[case.wire][1](case.usage)


def streamed(case: Case) -> bytes:
    return STREAMED[case.wire][1](case.usage)


@pytest.mark.parametrize("case", usages.ALL)
def test_plain(case):
    body = plain(case)
    assert meter_case(case, [body], JSON) == (body, expected(case), None)


@pytest.mark.parametrize("case", usages.ALL)
def test_streamed(case):
    stream = streamed(case)
    passed, usage, _ = meter_case(case, [stream], EVENTS)
    assert (passed, usage) == (stream, expected(case))


@pytest.mark.parametrize("case", usages.ALL)
def test_plain_byte_by_byte(case):
    body = plain(case)
    assert meter_case(case, byte_by_byte(body), JSON) == (body, expected(case), None)


@pytest.mark.parametrize("case", usages.ALL)
def test_streamed_cut_at_every_byte(case):
    stream = streamed(case)
    for chunks in [byte_by_byte(stream), *in_two(stream)]:
        passed, usage, _ = meter_case(case, chunks, EVENTS)
        assert (passed, usage) == (stream, expected(case)), chunks[0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", usages.ALL)
def test_streamed_in_every_form(case, form):
    stream = FORMS[form](streamed(case))
    for chunks in ([stream], byte_by_byte(stream)):
        passed, usage, _ = meter_case(case, chunks, EVENTS)
        assert (passed, usage) == (stream, expected(case))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("case", usages.ALL)
def test_compressed(case, encoding):
    for body, content_type in ((plain(case), JSON), (streamed(case), EVENTS)):
        packed = ENCODINGS[encoding](body)
        for chunks in ([packed], byte_by_byte(packed)):
            passed, usage, _ = meter_case(case, chunks, content_type, encoding)
            assert (passed, usage) == (packed, expected(case))


@pytest.mark.parametrize("case", usages.GENERATED)
def test_gemini_streams_without_alt_sse_are_an_array(case):
    body = answers.generated_array(case.usage)
    for chunks in ([body], byte_by_byte(body)):
        assert meter_case(case, chunks, JSON) == (body, expected(case), None)


# What others make of the same bodies

FLAVORS = {"chat": "chat", "response": "responses", "message": "default", "generated": "default"}
DIFFERS = {
    "chat-more-cached-than-there-is",  # they believe it
    "chat-negative-counts-are-none",  # they refuse it
    "chat-deepseek-cache-hits",  # they read the details only
    "chat-moonshot-cached",  # likewise
    "chat-nulls",  # no provider of theirs
}
AGREED = [param for param in usages.ALL if param.id not in DIFFERS]


@pytest.mark.parametrize("case", AGREED)
def test_genai_prices_extracts_the_same(case):
    provider = next(each for each in get_snapshot().providers if each.id == case.provider)
    flavors = {extractor.api_flavor for extractor in provider.extractors}
    flavor = FLAVORS[case.wire] if FLAVORS[case.wire] in flavors else "default"
    extractor = next(each for each in provider.extractors if each.api_flavor == flavor)
    model, theirs = extractor.extract(msgspec.json.decode(plain(case)))

    ours: Tokens = meter_case(case, [plain(case)], JSON).usage.tokens
    assert model == NAMED[case.wire][0]
    assert (theirs.input_tokens or 0, theirs.output_tokens or 0) == (ours.all_input, ours.all_output)
    assert (theirs.cache_read_tokens or 0, theirs.output_reasoning_tokens or 0) == (ours.cache_read, ours.reasoning)
    written = ours.cache_write + ours.cache_write_5m + ours.cache_write_1h
    assert (theirs.cache_write_tokens or 0) == written
