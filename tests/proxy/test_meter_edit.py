"""Taking the usage that we asked for out of a stream, and nothing else."""

import gzip
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.proxy.meter import MOST_HELD, Meter
from apps.proxy.protocols.base import Ask
from apps.usage.record import REPORTED

from .protocols import answers
from .protocols.answers import (
    EVENTS,
    TOKENS,
    USAGE,
    asked_for_usage,
    byte_by_byte,
    events,
    head,
    in_two,
    metered,
    with_line_ends,
    words,
)

STREAM = answers.chat_stream(USAGE)
USAGE_EVENT = STREAM[STREAM.index(b'data: {"id":"chatcmpl-1"', STREAM.index(b'"finish_reason":"stop"')) :]
USAGE_EVENT = USAGE_EVENT[: USAGE_EVENT.index(b"data: [DONE]")]
WITHOUT = STREAM.replace(USAGE_EVENT, b"")


def test_the_usage_event_is_what_is_taken_out():
    assert USAGE_EVENT.startswith(b"data: {")
    assert b'"choices":[],"usage":{"prompt_tokens":11' in USAGE_EVENT
    assert USAGE_EVENT.endswith(b"}\n\n")
    assert len(WITHOUT) == len(STREAM) - len(USAGE_EVENT)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_only_the_usage_event_is_taken_out_wherever_the_stream_is_cut(end):
    stream, without = with_line_ends(STREAM, end), with_line_ends(WITHOUT, end)
    for chunks in ([stream], byte_by_byte(stream), *in_two(stream)):
        passed, usage, _ = metered(answers.CHAT, chunks, EVENTS, ask=asked_for_usage())
        assert passed == without
        assert (usage.tokens, usage.source) == (TOKENS, REPORTED)


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_what_is_taken_out_does_not_depend_on_the_cuts(cuts):
    borders = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[start:end] for start, end in pairwise(borders) if start < end]
    assert metered(answers.CHAT, chunks, EVENTS, ask=asked_for_usage()).passed == WITHOUT


def test_a_whole_event_goes_out_at_once_and_as_it_is():
    meter = Meter(answers.CHAT.wire, answers.CHAT.operation, asked_for_usage(), head(EVENTS))
    first, second = events(words("a")), events(words("b"))
    assert meter.feed(first) == first
    assert meter.feed(second) is second


def test_an_event_is_held_back_until_it_is_whole():
    meter = Meter(answers.CHAT.wire, answers.CHAT.operation, asked_for_usage(), head(EVENTS))
    event = events(words("a"))
    assert meter.feed(event[:20]) == b""
    assert meter.feed(event[20:] + event[:5]) == event
    assert meter.feed(b"") == event[:5]  # the stream ended there


KEPT = [
    pytest.param(events(words("a", usage=USAGE), b"[DONE]"), id="usage-with-words"),
    pytest.param(events({"choices": [], "prompt_filter_results": [{}], "usage": None}), id="no-choices-and-no-usage"),
    pytest.param(events({"choices": [], "prompt_filter_results": [{}]}, words("a")), id="azure's-first"),
    pytest.param(events({"error": {"message": "boom", "usage": {}}}), id="error"),
    pytest.param(b": usage\n\n" + events(words("a")), id="comment"),
    pytest.param(events(b'{"choices":[],"usage":{"prompt_tokens"'), id="broken-json"),
    pytest.param(events(words('{"choices":[],"usage":{"prompt_tokens":1}}')), id="words-that-look-like-it"),
]


@pytest.mark.parametrize("stream", KEPT)
def test_what_tells_more_than_usage_is_kept(stream):
    for chunks in ([stream], byte_by_byte(stream)):
        assert metered(answers.CHAT, chunks, EVENTS, ask=asked_for_usage()).passed == stream


def test_usage_that_the_client_asked_for_is_left_in():
    ask = Ask(is_streamed=True, has_usage=True)
    assert metered(answers.CHAT, [STREAM], EVENTS, ask=ask).passed == STREAM


def test_a_compressed_stream_is_never_edited():
    packed = gzip.compress(STREAM)
    passed, usage, _ = metered(answers.CHAT, [packed], EVENTS, b"gzip", ask=asked_for_usage())
    assert (passed, usage.tokens) == (packed, TOKENS)


def test_an_event_too_long_to_be_held_goes_out_unchanged():
    stream = events(words("x" * 3 * MOST_HELD), words("short")) + USAGE_EVENT + events(b"[DONE]")
    without = stream.replace(USAGE_EVENT, b"")
    size = 1000
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    meter = Meter(answers.CHAT.wire, answers.CHAT.operation, asked_for_usage(), head(EVENTS))
    passed, most_waiting, fed = b"", 0, 0
    for chunk in chunks:
        passed += meter.feed(chunk)
        fed += len(chunk)
        most_waiting = max(most_waiting, fed - len(passed))
    passed += meter.feed(b"")
    assert passed == without
    assert most_waiting <= MOST_HELD + len(USAGE_EVENT)
    assert meter.finish().tokens == TOKENS
