"""What a meter says of answers that tell nothing, or not all: an estimate, flagged, or nothing."""

import pytest

from apps.pricing.rating import Tokens
from apps.proxy.meter import MOST_UNCOUNTED, Usage
from apps.usage.record import ESTIMATED, NONE

from .protocols import answers
from .protocols.answers import (
    EVENTS,
    HELLO,
    JSON,
    byte_by_byte,
    encode,
    events,
    metered,
    words,
)

UNTOLD = [
    pytest.param(answers.CHAT, EVENTS, events(words(HELLO), b"[DONE]"), id="chat-stream"),
    pytest.param(answers.CHAT, EVENTS, events(words(HELLO[:5]), words(HELLO[5:])), id="in-two-words"),
    pytest.param(answers.CHAT, EVENTS, events(words(HELLO, usage=None)), id="null"),
    pytest.param(answers.CHAT, EVENTS, events(words(HELLO)).replace(b'\\"', b'"'), id="no-done"),
    pytest.param(answers.CHAT, JSON, encode({"choices": [{"message": {"content": HELLO}}]}), id="chat"),
    pytest.param(answers.CHAT, JSON, encode({"choices": [{"message": {"content": HELLO}}]})[:-4], id="chat-cut"),
    pytest.param(
        answers.CHAT,
        EVENTS,
        events({"choices": [{"delta": {"tool_calls": [{"function": {"arguments": HELLO}}]}}]}),
        id="tool-call",
    ),
    pytest.param(
        answers.RESPONSES,
        EVENTS,
        events(
            {"type": "response.output_text.delta", "delta": HELLO},
            {"type": "response.output_text.done", "text": HELLO},
            {"type": "response.content_part.done", "part": {"text": HELLO}},
        ),
        id="response-stream-repeats-itself",
    ),
    pytest.param(
        answers.MESSAGES,
        EVENTS,
        events({"type": "content_block_delta", "delta": {"type": "text_delta", "text": HELLO}}, named=True),
        id="message-stream",
    ),
    pytest.param(
        answers.GENERATE,
        JSON,
        encode({"candidates": [{"content": {"parts": [{"text": HELLO}]}}]}),
        id="generated",
    ),
]


@pytest.mark.parametrize(("match", "content_type", "answer"), UNTOLD)
def test_tokens_are_estimated_by_bytes_where_none_are_told(match, content_type, answer):
    for chunks in ([answer], byte_by_byte(answer)):
        _, usage, _ = metered(match, chunks, content_type)
        assert (usage.tokens, usage.source) == (Tokens(input=100, output=5), ESTIMATED)


def test_text_escaped_in_json_counts_as_what_it_says():
    stream = b'data: {"choices":[{"delta":{"content":"\\u00e9\\n\\"\\ud83d\\ude80"}}]}\n\n'
    assert metered(answers.CHAT, [stream], EVENTS).usage.tokens == Tokens(input=100, output=2)  # 2 + 1 + 1 + 4 bytes


def test_text_that_is_no_utf_8_counts_as_its_bytes():
    stream = b'data: {"model":"\xff","choices":[{"delta":{"content":"\\n\xff\xfe four"}}]}\n\n'
    assert metered(answers.CHAT, [stream], EVENTS).usage.tokens == Tokens(input=100, output=3)  # 9 bytes


def test_a_long_stream_is_counted_to_the_last_word():
    stream = events(*(words(HELLO) for _ in range(1000)))
    assert len(stream) > 5 * MOST_UNCOUNTED
    for size in (1, 7, 1000, len(stream)):
        chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert metered(answers.CHAT, chunks, EVENTS).usage.tokens.output == 4500


CUT = [
    pytest.param(
        answers.MESSAGES,
        events(
            {"type": "message_start", "message": {"usage": {"input_tokens": 70, "output_tokens": 1}}},
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": HELLO}},
        ),
        Tokens(input=70, output=5),
        id="anthropic-told-the-input",
    ),
    pytest.param(
        answers.MESSAGES,
        events(
            {"type": "message_start", "message": {"usage": {"input_tokens": 70, "output_tokens": 9}}},
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": HELLO}},
        ),
        Tokens(input=70, output=9),
        id="more-was-told-than-came",
    ),
    pytest.param(
        answers.CHAT,
        events(words(HELLO, usage={"prompt_tokens": 70, "completion_tokens": 2})),
        Tokens(input=70, output=5),
        id="vllm-so-far",
    ),
    pytest.param(
        answers.STREAM_GENERATE,
        events(
            {
                "candidates": [{"content": {"parts": [{"text": HELLO}]}}],
                "usageMetadata": {"promptTokenCount": 70, "thoughtsTokenCount": 3},
            }
        ),
        Tokens(input=70, output=2, reasoning=3),
        id="gemini-so-far",
    ),
]


@pytest.mark.parametrize(("match", "stream", "tokens"), CUT)
def test_of_a_stream_cut_off_what_was_told_stands_and_the_rest_is_estimated(match, stream, tokens):
    _, usage, _ = metered(match, [stream], EVENTS, is_cut=True)
    assert (usage.tokens, usage.source) == (tokens, ESTIMATED)


NOTHING = [
    pytest.param(answers.CHAT, EVENTS, b"", id="empty-stream"),
    pytest.param(answers.CHAT, JSON, b"", id="empty-body"),
    pytest.param(answers.CHAT, EVENTS, b": keep-alive\n\n: keep-alive\n\n", id="comments"),
    pytest.param(answers.CHAT, EVENTS, events(words("")), id="no-words"),
    pytest.param(answers.CHAT, EVENTS, b"\x00\xff garbage \n\n\n", id="garbage"),
    pytest.param(answers.CHAT, JSON, b"<html>Bad Gateway</html>", id="not-json"),
    pytest.param(answers.CHAT, b"text/html", b"<html>hello</html>", id="html"),
    pytest.param(answers.EMBEDDINGS, JSON, b"", id="no-embedding"),
    pytest.param(answers.SOMETHING, JSON, encode({"data": [{"text": HELLO}]}), id="not-text"),
    pytest.param(answers.CHAT, EVENTS, b'data: {"usage": {"prompt_tokens": "many"}}\n\n', id="usage-that-is-none"),
]


@pytest.mark.parametrize(("match", "content_type", "answer"), NOTHING)
def test_nothing_is_charged_for_nothing(match, content_type, answer):
    passed, usage, _ = metered(match, [answer], content_type)
    assert (passed, usage.tokens, usage.source) == (answer, Tokens(), NONE)


def test_embeddings_without_usage_are_estimated_by_what_was_sent():
    body = encode({"embedding": {"values": [0.1, 0.2]}})
    assert metered(answers.EMBEDDINGS, [body]).usage == Usage(Tokens(input=100), ESTIMATED)


ERRORS = [
    pytest.param(
        answers.CHAT,
        {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}},
        ("rate_limit_exceeded", "slow down"),
        id="openai",
    ),
    pytest.param(answers.CHAT, {"error": {"message": "no", "type": "t", "code": None}}, ("t", "no"), id="no-code"),
    pytest.param(answers.CHAT, {"error": {"message": "no", "code": 400}}, ("400", "no"), id="a-number"),
    pytest.param(answers.CHAT, {"error": "just words"}, ("error", "just words"), id="words"),
    pytest.param(
        answers.MESSAGES,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        ("overloaded_error", "Overloaded"),
        id="anthropic",
    ),
    pytest.param(
        answers.GENERATE,
        {"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}},
        ("RESOURCE_EXHAUSTED", "Quota"),
        id="gemini",
    ),
]


@pytest.mark.parametrize(("match", "body", "error"), ERRORS)
def test_a_provider_s_error_is_told_and_costs_nothing(match, body, error):
    _, usage, _ = metered(match, [encode(body)], status=429)
    assert (usage.error_code, usage.error_message) == error
    assert (usage.tokens, usage.source) == (Tokens(), NONE)


def test_words_in_an_error_are_not_the_model_s():
    body = encode({"error": {"message": "no", "content": HELLO, "text": HELLO}})
    assert metered(answers.CHAT, [body], status=500).usage.source == NONE


BROKEN = [  # words, then an error
    pytest.param(answers.CHAT, events(words(HELLO), {"error": {"message": "boom", "code": "oops"}}), id="chat"),
    pytest.param(
        answers.RESPONSES,
        events({"delta": HELLO}, {"type": "error", "message": "boom", "code": "oops"}),
        id="responses",
    ),
    pytest.param(
        answers.MESSAGES,
        events({"delta": {"text": HELLO}}, {"type": "error", "error": {"type": "oops", "message": "boom"}}),
        id="messages",
    ),
    pytest.param(
        answers.STREAM_GENERATE,
        events(
            {"candidates": [{"content": {"parts": [{"text": HELLO}]}}]},
            {"error": {"status": "oops", "message": "boom"}},
        ),
        id="gemini",
    ),
]


@pytest.mark.parametrize(("match", "stream"), BROKEN)
def test_an_error_within_a_stream_is_told_and_its_words_are_charged(match, stream):
    _, usage, _ = metered(match, [stream], EVENTS)
    assert (usage.error_code, usage.error_message) == ("oops", "boom")
    assert (usage.tokens.output, usage.source) == (5, ESTIMATED)
