"""Usage in odd places, answers that cannot be read, and the memory that metering takes."""

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.pricing.rating import KINDS, Tokens
from apps.proxy.meter import Meter, Usage
from apps.proxy.plain import MOST_PLAIN
from apps.usage.record import ESTIMATED, REPORTED, Outcome
from apps.usage.record import decode as decode_record
from apps.usage.record import encode as encode_record

from .protocols import answers
from .protocols.answers import (
    EVENTS,
    JSON,
    TOKENS,
    USAGE,
    asked_for_usage,
    byte_by_byte,
    encode,
    events,
    head,
    metered,
    words,
)

CHUNK = words("Hi")
STREAM = answers.chat_stream(USAGE)

# Usage in odd places

ODD = [
    pytest.param(
        answers.CHAT,
        events(words("a"), {**CHUNK, "choices": [{"delta": {}, "finish_reason": "stop"}], "usage": USAGE}, b"[DONE]"),
        id="with-the-last-words",
    ),
    pytest.param(
        answers.CHAT,
        events(words("a"), {**CHUNK, "choices": [], "x_groq": {"id": "req_1", "usage": USAGE}}, b"[DONE]"),
        id="groq",
    ),
    pytest.param(
        answers.CHAT,
        events(words("a"), {**CHUNK, "choices": [{"delta": {}, "finish_reason": "stop", "usage": USAGE}]}, b"[DONE]"),
        id="moonshot",
    ),
    pytest.param(
        answers.CHAT,
        events(
            words("a", usage={"prompt_tokens": 11, "completion_tokens": 1}),
            words("b", usage={"prompt_tokens": 11, "completion_tokens": 2}),
            {**CHUNK, "choices": [], "usage": USAGE},
            b"[DONE]",
        ),
        id="at-every-chunk-so-far",
    ),
    pytest.param(
        answers.CHAT,
        events(
            {**CHUNK, "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
            {**CHUNK, "choices": [], "usage": USAGE},
            b"[DONE]",
        ),
        id="twice",
    ),
    pytest.param(answers.CHAT, events(words("a"), {**CHUNK, "choices": [], "usage": USAGE}), id="no-done"),
    pytest.param(
        answers.MESSAGES,
        events(
            {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 11, "output_tokens": 3}}},
            {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 9}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 22}},
            {"type": "message_stop"},
        ),
        id="anthropic-counts-so-far",
    ),
    pytest.param(
        answers.MESSAGES,
        events(
            {"type": "message_start", "message": {"usage": {"input_tokens": 1, "output_tokens": 0}}},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"input_tokens": 11, "output_tokens": 22},
            },
        ),
        id="anthropic-input-corrected-at-the-end",
    ),
    pytest.param(
        answers.RESPONSES,
        events(
            {"type": "response.in_progress", "response": {"usage": None}},
            {
                "type": "response.completed",
                "response": {"usage": {"input_tokens": 11, "output_tokens": 22}, "error": None},
            },
        ),
        id="response",
    ),
]


@pytest.mark.parametrize(("match", "stream"), ODD)
def test_the_last_usage_told_holds(match, stream):
    for chunks in ([stream], byte_by_byte(stream)):
        _, usage, _ = metered(match, chunks, EVENTS)
        assert (usage.tokens, usage.source) == (TOKENS, REPORTED)


def test_usage_of_a_long_response_is_found_at_its_end():
    answer = {"id": "resp_1", "model": "gpt-5", "output": "w" * 3_000_000}
    answer |= {"usage": {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 1}, "output_tokens": 22}}
    stream = events({"type": "response.completed", "response": answer}, named=True)
    chunks = [stream[start : start + 65536] for start in range(0, len(stream), 65536)]
    passed, usage, final_after = metered(answers.RESPONSES, chunks, EVENTS)
    assert passed == stream
    assert (usage.tokens, usage.source) == (Tokens(input=10, cache_read=1, output=22), REPORTED)
    assert final_after == len(chunks) - 1


LONG = [
    pytest.param(answers.EMBEDDINGS, {"usage": {"prompt_tokens": 8, "total_tokens": 8}}, Tokens(input=8), id="openai"),
    pytest.param(
        answers.MESSAGES, {"usage": {"input_tokens": 8, "output_tokens": 3}}, Tokens(input=8, output=3), id="anthropic"
    ),
    pytest.param(
        answers.GENERATE,
        {"usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 3}, "x": [{"finishReason": "STOP"}]},
        Tokens(input=8, output=3),
        id="gemini",
    ),
]


@pytest.mark.parametrize(("match", "told", "tokens"), LONG)
def test_usage_of_a_long_plain_answer_is_found_at_its_end(match, told, tokens):
    body = encode({"data": ["é" * 1000] * 3000, **told})
    assert len(body) > 4 * MOST_PLAIN
    chunks = [body[start : start + 50_000] for start in range(0, len(body), 50_000)]
    passed, usage, _ = metered(match, chunks)
    assert (passed == body, usage.tokens, usage.source) == (True, tokens, REPORTED)


def test_images_are_counted_as_images():
    usage = {"input_tokens": 50, "output_tokens": 1056, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}}
    body = encode({"created": 1, "data": [{"b64_json": "aGk="}], "usage": usage})
    assert metered(answers.IMAGES, [body]).usage.tokens == Tokens(input=10, input_image=40, output_image=1056)


def test_usage_in_seconds_is_no_usage_in_tokens():
    body = encode({"text": "hello", "usage": {"type": "duration", "seconds": 3}})
    assert metered(answers.SOMETHING, [body]).usage == Usage(units=(("second", 3),))


# What cannot be read

UNREADABLE = [
    pytest.param(b"snappy", b"x" * 400, id="unknown-encoding"),
    pytest.param(b"gzip", b"this is not gzip" * 25, id="not-what-it-says"),
    pytest.param(b"gzip", gzip.compress(b"\x00" * 50_000_000)[:4000], id="bomb"),
    pytest.param(b"br, gzip", b"y" * 400, id="two-encodings"),
]


@pytest.mark.parametrize(("encoding", "answer"), UNREADABLE)
@pytest.mark.parametrize("content_type", [EVENTS, JSON])
def test_what_cannot_be_decoded_passes_and_is_estimated_by_its_bytes(encoding, answer, content_type):
    passed, usage, _ = metered(answers.CHAT, [answer[:100], answer[100:]], content_type, encoding)
    assert passed == answer
    assert (usage.tokens, usage.source) == (Tokens(input=100, output=len(answer) // 4), ESTIMATED)


def test_binary_answers_pass_unread():
    speech = bytes(range(256)) * 100
    passed, usage, _ = metered(answers.SOMETHING, [speech], b"audio/mpeg")
    assert (passed, usage) == (speech, Usage())


def test_a_stream_that_calls_itself_plain_text_is_read_all_the_same():
    passed, usage, _ = metered(answers.CHAT, [STREAM], b"text/plain; charset=utf-8", ask=asked_for_usage())
    assert (passed, usage.tokens) == (metered(answers.CHAT, [STREAM], EVENTS, ask=asked_for_usage()).passed, TOKENS)
    assert len(passed) < len(STREAM)


def test_what_postgresql_cannot_hold_is_left_out():
    body = encode({"id": "a\x00b", "model": "gpt\x00-4o", "error": {"code": "c\x00", "message": "m\x00" * 400}})
    usage = metered(answers.CHAT, [body], status=400).usage
    assert (usage.model, usage.request_id, usage.error_code, usage.error_message) == ("gpt-4o", "ab", "c", "m" * 400)


def test_names_are_bounded():
    body = encode({"id": "i" * 5000, "model": "m" * 5000, "error": {"code": "c" * 5000, "message": "t" * 5000}})
    usage = metered(answers.CHAT, [body], status=400).usage
    assert [len(text) for text in usage[2:6]] == [256, 200, 80, 500]


def test_a_stream_of_a_hundred_megabytes_is_metered_in_little_memory():
    meter = Meter(answers.CHAT.wire, answers.CHAT.operation, asked_for_usage(), head(EVENTS))
    part = events(*(words("word " * 50) for _ in range(200)))
    meter.feed(part)
    tracemalloc.start()
    for _ in range(200):
        meter.feed(part[:30_000])
        meter.feed(part[30_000:])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1_000_000
    assert meter.finish().tokens.output == 201 * 200 * 250 // 4


def test_its_state_is_seen():
    meter = Meter(answers.CHAT.wire, answers.CHAT.operation, asked_for_usage(), head(EVENTS))
    meter.feed(STREAM)
    assert repr(meter) == (
        "<Meter of <Stream edited, <Splitter with 0 bytes of an event>>, "
        f"<OpenAIReader chat.completions final {TOKENS}>>"
    )


# Whatever a provider sends

NAMES = """
    id model type usage choices delta content finish_reason response error message code x_groq prompt_tokens
    completion_tokens input_tokens output_tokens total_tokens prompt_tokens_details cached_tokens
    reasoning_tokens usageMetadata promptTokenCount candidates finishReason promptFeedback cache_creation
    text stop_reason
"""
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["message_start", "message_delta", "message_stop", "response.completed", "error", "", "x\x00"]),
)
THINGS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=5),
    max_leaves=12,
)


@given(things=st.lists(THINGS, max_size=5), garbage=st.binary(max_size=20), size=st.integers(1, 60))
def test_nothing_a_provider_sends_breaks_the_meter_or_a_record(things, garbage, size):
    streamed, plain = events(*things) + garbage, encode(things[0] if things else None) + garbage
    for match in (answers.CHAT, answers.RESPONSES, answers.IMAGES, answers.MESSAGES, answers.STREAM_GENERATE):
        for body, content_type in ((streamed, EVENTS), (plain, JSON)):
            chunks = [body[start : start + size] for start in range(0, len(body), size)]
            passed, usage, _ = metered(match, chunks, content_type)
            assert passed == body
            assert all(0 <= getattr(usage.tokens, kind) < 2**60 for kind in KINDS)
            assert (
                decode_record(encode_record(Outcome(bytes(16), 0, 200, 1, tokens=usage.tokens))).tokens == usage.tokens
            )
