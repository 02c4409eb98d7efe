"""Answers that tell no usage, with a vocabulary that counts what the model wrote."""

import pytest

from apps.pricing.rating import Tokens
from apps.proxy.meter import Counted, Meter
from apps.proxy.protocols.base import Ask
from apps.proxy.written import MOST_WORDS
from apps.usage.record import COUNTED, ESTIMATED, REPORTED

from .protocols import answers
from .protocols.answers import EVENTS, HELLO, JSON, byte_by_byte, encode, events, head, words


def meter_of(match, chunks: list[bytes], content_type: bytes = EVENTS) -> Meter:
    meter = Meter(match.wire, match.operation, Ask(input_bytes=400), head(content_type))
    meter.keep_words()
    for chunk in [*chunks, b""]:
        meter.feed(chunk)
    return meter


PLAIN = encode({"choices": [{"message": {"content": HELLO}}]})
STREAM = events(words(HELLO[:5]), words(HELLO[5:]), b"[DONE]")


@pytest.mark.parametrize(("content_type", "answer"), [(EVENTS, STREAM), (JSON, PLAIN)])
def test_what_was_written_is_known_and_what_was_counted_holds(content_type, answer):
    for chunks in ([answer], byte_by_byte(answer)):
        meter = meter_of(answers.CHAT, chunks, content_type)
        assert meter.untold() == HELLO
        meter.take_count(Counted(7, 3))
        usage = meter.finish()
        assert (usage.tokens, usage.source) == (Tokens(input=7, output=3), COUNTED)


def test_what_cannot_be_counted_is_estimated_by_bytes():
    meter = meter_of(answers.CHAT, [STREAM])
    meter.take_count(Counted())
    usage = meter.finish()
    assert (usage.tokens, usage.source) == (Tokens(input=100, output=5), ESTIMATED)
    meter = meter_of(answers.CHAT, [STREAM])
    meter.take_count(Counted(None, 3))
    usage = meter.finish()
    assert (usage.tokens, usage.source) == (Tokens(input=100, output=3), COUNTED)


def test_where_usage_is_told_nothing_has_to_be_counted():
    stream = events(words(HELLO), {"choices": [], "usage": answers.USAGE}, b"[DONE]")
    meter = meter_of(answers.CHAT, [stream])
    assert meter.untold() is None
    assert (meter.finish().tokens, meter.finish().source) == (answers.TOKENS, REPORTED)


def test_what_was_told_stands():
    stream = events(
        {"type": "message_start", "message": {"usage": {"input_tokens": 70, "output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": HELLO}},
    )
    meter = meter_of(answers.MESSAGES, [stream])
    assert meter.untold() == HELLO
    meter.take_count(Counted(9, 3))
    usage = meter.finish()
    assert (usage.tokens, usage.source) == (Tokens(input=70, output=3), COUNTED)


def test_a_long_stream_is_known_to_the_last_word():
    stream = events(*(words(HELLO) for _ in range(1000)))
    for size in (7, 1000, len(stream)):
        chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert meter_of(answers.CHAT, chunks).untold() == HELLO * 1000


def test_what_is_too_long_is_not_kept():
    piece = "x" * 1000
    chunks = [events(words(piece))] * (MOST_WORDS // len(piece) + 100)
    meter = meter_of(answers.CHAT, chunks)
    assert meter.untold() is None
    assert meter.finish().tokens.output == len(chunks) * 250


def test_where_nobody_asked_for_words_none_are_kept():
    meter = Meter(answers.CHAT.wire, answers.CHAT.operation, Ask(input_bytes=400), head(EVENTS))
    meter.feed(STREAM)
    assert meter.untold() is None
