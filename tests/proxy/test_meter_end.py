"""Knowing the end of a stream with the very chunk that shows it to the client."""

import pytest

from apps.pricing.rating import Tokens
from apps.proxy.meter import Meter
from apps.proxy.protocols.base import Ask
from apps.usage.record import NONE, REPORTED

from .protocols import answers
from .protocols.answers import (
    EVENTS,
    TOKENS,
    USAGE,
    byte_by_byte,
    events,
    head,
    metered,
    words,
)

ENDINGS = [
    pytest.param(answers.CHAT, answers.chat_stream(USAGE), b"data: [DONE]", id="chat"),
    pytest.param(answers.COMPLETIONS, answers.chat_stream(USAGE), b"data: [DONE]", id="completions"),
    pytest.param(
        answers.RESPONSES,
        answers.response_stream({"input_tokens": 11, "output_tokens": 22}),
        b"event: response.completed",
        id="responses",
    ),
    pytest.param(
        answers.MESSAGES,
        answers.message_stream({"input_tokens": 11, "output_tokens": 22}),
        b"event: message_stop",
        id="messages",
    ),
]


@pytest.mark.parametrize(("match", "stream", "last"), ENDINGS)
def test_the_end_is_known_with_the_chunk_that_shows_it_to_the_client(match, stream, last):
    """Neither after it, nor before the usage was read: at every cut, and for clients that read by lines."""
    start = stream.rindex(last)
    data_end = stream.index(b"\n", stream.index(b"data: ", start)) + 1
    for position in range(1, len(stream)):
        meter = Meter(match.wire, match.operation, Ask(is_streamed=True), head(EVENTS))
        meter.feed(stream[:position])
        if meter.is_final:
            assert position > start
            usage = meter.finish()
            assert (usage.tokens, usage.source) == (TOKENS, REPORTED)
        if position >= data_end:
            assert meter.is_final
        meter.feed(stream[position:])
        assert meter.is_final


@pytest.mark.parametrize(("match", "stream", "last"), ENDINGS)
def test_the_end_is_known_in_every_small_chunk(match, stream, last):
    _, usage, final_after = metered(match, byte_by_byte(stream), EVENTS)
    assert stream.rindex(last) < final_after < len(stream)
    assert usage.tokens == TOKENS


@pytest.mark.parametrize("ending", ["response.completed", "response.incomplete", "response.failed"])
def test_every_ending_of_a_response_is_one_and_its_usage_counts(ending):
    stream = answers.response_stream({"input_tokens": 11, "output_tokens": 22}, ending)
    _, usage, final_after = metered(answers.RESPONSES, [stream], EVENTS)
    assert (usage.tokens, usage.source, final_after) == (TOKENS, REPORTED, 0)


def test_a_response_that_failed_without_usage_has_ended_too():
    failed = {"type": "response.failed", "response": {"id": "r", "usage": None, "error": {"code": "server_error"}}}
    _, usage, final_after = metered(answers.RESPONSES, [events(failed, named=True)], EVENTS)
    assert final_after == 0
    assert (usage.tokens, usage.source, usage.error_code) == (Tokens(), NONE, "server_error")


def test_words_like_an_end_are_none():
    stream = events(words("[DONE]"), words('data: [DONE]\n\nevent: message_stop "type":"response.completed"'))
    assert metered(answers.CHAT, [stream], EVENTS).final_after is None


def test_gemini_s_streams_end_when_they_end():
    stream = answers.generated_stream({"promptTokenCount": 1, "candidatesTokenCount": 1})
    assert metered(answers.STREAM_GENERATE, [stream], EVENTS).final_after is None
