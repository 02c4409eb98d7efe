"""What a meter passes on, when it knows the end, and what it says of answers that tell too little."""

import gzip
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.pricing.rating import Tokens
from apps.proxy.meter import MOST_HELD, MOST_PLAIN, MOST_UNCOUNTED, Meter, Usage
from apps.proxy.protocols.base import Ask
from apps.usage.record import ESTIMATED, NONE, REPORTED

from .protocols import answers
from .protocols.answers import EVENTS, JSON, byte_by_byte, encode, events, head, in_two, metered, with_line_ends

USAGE = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33}
TOKENS = Tokens(input=11, output=22)
CHUNK = {"id": "chatcmpl-1", "model": "gpt-4o", "choices": [{"index": 0, "delta": {"content": "Hi"}}]}


def asked_for_usage(**more: object) -> Ask:
    """Of a stream for which we asked for usage, and the client didn't."""
    return Ask(is_streamed=True, hides_usage=True, input_bytes=400, **more)


def text(words: str, **more: object) -> dict[str, object]:
    return {"id": "chatcmpl-1", "model": "gpt-4o", "choices": [{"index": 0, "delta": {"content": words}}], **more}


# Taking out the usage that we asked for

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
    first, second = events(text("a")), events(text("b"))
    assert meter.feed(first) == first
    assert meter.feed(second) is second


def test_an_event_is_held_back_until_it_is_whole():
    meter = Meter(answers.CHAT.wire, answers.CHAT.operation, asked_for_usage(), head(EVENTS))
    event = events(text("a"))
    assert meter.feed(event[:20]) == b""
    assert meter.feed(event[20:] + event[:5]) == event
    assert meter.feed(b"") == event[:5]  # the stream ended there


KEPT = [
    pytest.param(events(text("a", usage=USAGE), b"[DONE]"), id="usage-with-words"),
    pytest.param(events({"choices": [], "prompt_filter_results": [{}], "usage": None}), id="no-choices-and-no-usage"),
    pytest.param(events({"choices": [], "prompt_filter_results": [{}]}, text("a")), id="azure's-first"),
    pytest.param(events({"error": {"message": "boom", "usage": {}}}), id="error"),
    pytest.param(b": usage\n\n" + events(text("a")), id="comment"),
    pytest.param(events(b'{"choices":[],"usage":{"prompt_tokens"'), id="broken-json"),
    pytest.param(events(text('{"choices":[],"usage":{"prompt_tokens":1}}')), id="words-that-look-like-it"),
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
    stream = events(text("x" * 3 * MOST_HELD), text("short")) + USAGE_EVENT + events(b"[DONE]")
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


# Knowing the end

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
    stream = events(text("[DONE]"), text('data: [DONE]\n\nevent: message_stop "type":"response.completed"'))
    assert metered(answers.CHAT, [stream], EVENTS).final_after is None


def test_gemini_s_streams_end_when_they_end():
    stream = answers.generated_stream({"promptTokenCount": 1, "candidatesTokenCount": 1})
    assert metered(answers.STREAM_GENERATE, [stream], EVENTS).final_after is None


# Usage in odd places

ODD = [
    pytest.param(
        answers.CHAT,
        events(text("a"), {**CHUNK, "choices": [{"delta": {}, "finish_reason": "stop"}], "usage": USAGE}, b"[DONE]"),
        id="with-the-last-words",
    ),
    pytest.param(
        answers.CHAT,
        events(text("a"), {**CHUNK, "choices": [], "x_groq": {"id": "req_1", "usage": USAGE}}, b"[DONE]"),
        id="groq",
    ),
    pytest.param(
        answers.CHAT,
        events(text("a"), {**CHUNK, "choices": [{"delta": {}, "finish_reason": "stop", "usage": USAGE}]}, b"[DONE]"),
        id="moonshot",
    ),
    pytest.param(
        answers.CHAT,
        events(
            text("a", usage={"prompt_tokens": 11, "completion_tokens": 1}),
            text("b", usage={"prompt_tokens": 11, "completion_tokens": 2}),
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
    pytest.param(answers.CHAT, events(text("a"), {**CHUNK, "choices": [], "usage": USAGE}), id="no-done"),
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
    assert metered(answers.IMAGES, [body]).usage == Usage()


# Answers that tell nothing, or not all

HELLO = "Hëllo wörld 🚀"  # 18 bytes of UTF-8: 5 tokens by the bound
UNTOLD = [
    pytest.param(answers.CHAT, EVENTS, events(text(HELLO), b"[DONE]"), id="chat-stream"),
    pytest.param(answers.CHAT, EVENTS, events(text(HELLO[:5]), text(HELLO[5:])), id="in-two-words"),
    pytest.param(answers.CHAT, EVENTS, events(text(HELLO, usage=None)), id="null"),
    pytest.param(answers.CHAT, EVENTS, events(text(HELLO)).replace(b'\\"', b'"'), id="no-done"),
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


def test_a_long_stream_is_counted_to_the_last_word():
    stream = events(*(text(HELLO) for _ in range(1000)))
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
        events(text(HELLO, usage={"prompt_tokens": 70, "completion_tokens": 2})),
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
    pytest.param(answers.CHAT, EVENTS, events(text("")), id="no-words"),
    pytest.param(answers.CHAT, EVENTS, b"\x00\xff garbage \n\n\n", id="garbage"),
    pytest.param(answers.CHAT, JSON, b"<html>Bad Gateway</html>", id="not-json"),
    pytest.param(answers.CHAT, b"text/html", b"<html>hello</html>", id="html"),
    pytest.param(answers.EMBEDDINGS, JSON, b"", id="no-embedding"),
    pytest.param(answers.IMAGES, JSON, encode({"data": [{"text": HELLO}]}), id="not-text"),
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


@pytest.mark.parametrize(
    ("match", "event"),
    [
        (answers.CHAT, {"error": {"message": "boom", "code": "server_error"}}),
        (answers.RESPONSES, {"type": "error", "message": "boom", "code": "server_error"}),
        (answers.MESSAGES, {"type": "error", "error": {"type": "server_error", "message": "boom"}}),
        (answers.STREAM_GENERATE, {"error": {"status": "server_error", "message": "boom"}}),
    ],
    ids=["chat", "responses", "messages", "gemini"],
)
def test_an_error_within_a_stream_is_told_and_its_words_are_charged(match, event):
    words = {"delta": {"text": HELLO}} if match is answers.MESSAGES else text(HELLO)
    words = {"delta": HELLO} if match is answers.RESPONSES else words
    words = {"candidates": [{"content": {"parts": [{"text": HELLO}]}}]} if match is answers.STREAM_GENERATE else words
    _, usage, _ = metered(match, [events(words, event)], EVENTS)
    assert (usage.error_code, usage.error_message) == ("server_error", "boom")
    assert (usage.tokens.output, usage.source) == (5, ESTIMATED)


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
    match = answers.IMAGES
    passed, usage, _ = metered(match, [speech], b"audio/mpeg")
    assert (passed, usage) == (speech, Usage())


def test_a_stream_that_calls_itself_plain_text_is_read_all_the_same():
    passed, usage, _ = metered(answers.CHAT, [STREAM], b"text/plain; charset=utf-8", ask=asked_for_usage())
    assert (passed, usage.tokens) == (WITHOUT, TOKENS)


def test_what_postgresql_cannot_hold_is_left_out():
    body = encode({"id": "a\x00b", "model": "gpt\x00-4o", "error": {"code": "c\x00", "message": "m\x00" * 400}})
    usage = metered(answers.CHAT, [body], status=400).usage
    assert (usage.model, usage.request_id, usage.error_code, usage.error_message) == ("gpt-4o", "ab", "c", "m" * 400)


def test_names_are_bounded():
    body = encode({"id": "i" * 5000, "model": "m" * 5000, "error": {"code": "c" * 5000, "message": "t" * 5000}})
    usage = metered(answers.CHAT, [body], status=400).usage
    assert [len(text) for text in usage[2:]] == [256, 200, 80, 500]


def test_a_stream_of_a_hundred_megabytes_is_metered_in_little_memory():
    meter = Meter(answers.CHAT.wire, answers.CHAT.operation, asked_for_usage(), head(EVENTS))
    part = events(*(text("word " * 50) for _ in range(200)))
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
