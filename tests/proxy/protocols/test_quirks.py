"""Whole streams as others than OpenAI send them, in the shapes that they document: passed on, and read to the token."""

import pytest

from apps.pricing.rating import Tokens
from apps.proxy.headers import read_request
from apps.proxy.protocols import routes
from apps.proxy.protocols.base import Ask
from apps.usage.record import ESTIMATED, REPORTED

from . import answers
from .answers import EVENTS, JSON, byte_by_byte, encode, events, metered

OPENAI = routes.OPENAI
CHAT = answers.CHAT
BODY = b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}'
DONE = b"data: [DONE]\n\n"
COMMENT = b": OPENROUTER PROCESSING\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


def chunk(text: str | None = None, *, end: str | None = None, **more: object) -> dict[str, object]:
    delta = {} if text is None else {"content": text}
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}]
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more}


def asked(provider: str) -> tuple[Ask, bytes]:
    """A stream whose client didn't ask for usage, and the body that the provider gets."""
    ask = OPENAI.read(CHAT.operation, BODY)
    return ask, OPENAI.prepare(CHAT.operation, BODY, ask, provider)


GROQ = {"queue_time": 0.06, "prompt_tokens": 20, "prompt_time": 0.001, "completion_tokens": 3, "completion_time": 0.01,
    "total_tokens": 23, "total_time": 0.01}  # fmt: skip
DEEPSEEK = {"prompt_tokens": 100, "completion_tokens": 30, "total_tokens": 130, "prompt_cache_hit_tokens": 64,
    "prompt_cache_miss_tokens": 36, "completion_tokens_details": {"reasoning_tokens": 10}}  # fmt: skip
OPENROUTER = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14, "cost": 0.0001025, "is_byok": False,
    "prompt_tokens_details": {"cached_tokens": 2}, "completion_tokens_details": {"reasoning_tokens": 1}}  # fmt: skip
XAI = {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 44, "num_sources_used": 0,
    "prompt_tokens_details": {"text_tokens": 12, "cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 30}}  # fmt: skip
PLAIN = {"prompt_tokens": 15, "completion_tokens": 3, "total_tokens": 18}

# provider, the stream, what of it is the answer to our own question and taken out, tokens
STREAMS = [
    pytest.param("groq", events(chunk("", x_groq={"id": "req_1"}), chunk("Hi"),
        chunk(end="stop", x_groq={"id": "req_1", "usage": GROQ})),
        events({**chunk(), "choices": [], "usage": GROQ}), Tokens(input=20, output=3), id="groq"),
    pytest.param("deepseek", KEEP_ALIVE + events(chunk(""), {**chunk(), "choices": [{"index": 0, "delta":
        {"content": None, "reasoning_content": "Hm"}, "finish_reason": None}]}) + KEEP_ALIVE + events(chunk("Hi"),
        chunk(end="stop", usage=DEEPSEEK)), b"", Tokens(input=36, cache_read=64, output=20, reasoning=10),
        id="deepseek-at-the-last-words"),
    pytest.param("openrouter", COMMENT * 2 + events(chunk("Hi", provider="Anthropic")) + COMMENT +
        events(chunk(end="stop", native_finish_reason="end_turn")),
        events({**chunk(), "choices": [], "usage": OPENROUTER}), Tokens(input=8, cache_read=2, output=3, reasoning=1),
        id="openrouter"),
    pytest.param("openrouter", events(chunk("Hi"), {**chunk("", end="stop"), "usage": OPENROUTER}), b"",
        Tokens(input=8, cache_read=2, output=3, reasoning=1), id="openrouter-with-an-empty-choice"),
    pytest.param("mistral", events(chunk(""), chunk("Hi"), chunk("", end="stop", usage=PLAIN)), b"",
        Tokens(input=15, output=3), id="mistral"),
    pytest.param("x-ai", events(chunk("Hi"), chunk("", end="stop")), events({**chunk(), "choices": [], "usage": XAI}),
        Tokens(input=9, cache_read=3, output=2, reasoning=30), id="xai"),
    pytest.param("together", events(chunk("Hi", usage=None), chunk("", end="eos", usage=PLAIN)), b"",
        Tokens(input=15, output=3), id="together"),
    pytest.param("my-vllm", events(chunk("Hi", usage={"prompt_tokens": 15, "completion_tokens": 1, "total_tokens": 16}),
        chunk("", end="stop", stop_reason=None, usage=PLAIN)), events({**chunk(), "choices": [], "usage": PLAIN}),
        Tokens(input=15, output=3), id="vllm-continuous"),
    pytest.param("fireworks", events(chunk("Hi"), chunk(end="stop", usage=PLAIN)), b"", Tokens(input=15, output=3),
        id="fireworks"),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "shown", "hidden", "tokens"), STREAMS)
def test_a_stream_is_read_and_only_what_we_asked_for_is_taken_out(provider, shown, hidden, tokens):
    ask, _ = asked(provider)
    stream = shown + hidden + DONE
    for chunks in ([stream], byte_by_byte(stream)):
        told = metered(CHAT, chunks, EVENTS, ask=ask)
        assert (told.usage.tokens, told.usage.source) == (tokens, REPORTED)
        assert told.passed == (shown + DONE if ask.hides_usage else stream)


ASKED = [("groq", True), ("deepseek", True), ("openrouter", True), ("x-ai", True), ("together", True),
    ("my-vllm", True), ("mistral", False)]  # fmt: skip


@pytest.mark.parametrize(("provider", "is_asked"), ASKED)
def test_usage_is_asked_for_where_that_is_understood(provider, is_asked):
    _, sent = asked(provider)
    assert (b'"stream_options":{"include_usage":true}' in sent) is is_asked


SILENT = [  # as vLLM and Ollama answer where usage is not asked for, or not known
    pytest.param(events(chunk("Hello"), chunk(" there"), chunk(end="stop")) + DONE, EVENTS, 3, id="vllm"),
    pytest.param(events(*({**chunk(text), "system_fingerprint": "fp_ollama"} for text in ("你", "好")),
        {**chunk("", end="stop"), "system_fingerprint": "fp_ollama"}) + DONE, EVENTS, 2, id="ollama"),
    pytest.param(encode({"id": "c1", "model": "m", "choices": [{"message": {"role": "assistant", "content": "x"},
        "finish_reason": "stop"}], "usage": None}), JSON, 1, id="plain"),
    pytest.param(encode({"id": "c1", "model": "m", "choices": [{"message": {"content": "x"}}],
        "usage": {}}), JSON, 1, id="nothing-in-it"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "content_type", "output"), SILENT)
def test_without_any_usage_it_is_estimated_and_never_zero(answer, content_type, output):
    ask, _ = asked("my-vllm")
    for chunks in ([answer], byte_by_byte(answer)):
        usage = metered(CHAT, chunks, content_type, ask=ask).usage
        assert (usage.tokens, usage.source) == (Tokens(input=-(-len(BODY) // 4), output=output), ESTIMATED)


# Anthropic


def test_beta_headers_go_on_and_the_answer_is_read():
    head = read_request([(b"anthropic-beta", b"extended-cache-ttl-2025-04-11"), (b"x-api-key", b"tg_live_x")])
    assert head.forward == [(b"anthropic-beta", b"extended-cache-ttl-2025-04-11")]


WRITES = [
    ({"ephemeral_5m_input_tokens": 456, "ephemeral_1h_input_tokens": 100}, (456, 100, 0)),
    ({"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 556}, (0, 556, 0)),
    ({"ephemeral_5m_input_tokens": 500}, (500, 0, 56)),
    (None, (0, 0, 556)),
]


@pytest.mark.parametrize(("split", "written"), WRITES)
def test_writes_to_the_cache_are_told_apart_by_how_long_they_live(split, written):
    usage = {"input_tokens": 50, "cache_read_input_tokens": 1800, "cache_creation_input_tokens": 556,
        "output_tokens": 7} | ({"cache_creation": split} if split else {})  # fmt: skip
    expected = Tokens(50, 1800, *written, output=7)
    for body, content_type in ((answers.message(usage), JSON), (answers.message_stream(usage), EVENTS)):
        assert metered(answers.MESSAGES, [body], content_type).usage.tokens == expected


# Gemini

CACHED = {"promptTokenCount": 1000, "cachedContentTokenCount": 800, "candidatesTokenCount": 5, "totalTokenCount": 1045,
    "thoughtsTokenCount": 40, "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 800}],
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1000}]}  # fmt: skip


def test_cached_content_and_thoughts_are_read_in_every_form():
    expected = Tokens(input=200, cache_read=800, output=5, reasoning=40)
    for match, body, content_type in (
        (answers.GENERATE, answers.generated(CACHED), JSON),
        (answers.STREAM_GENERATE, answers.generated_stream(CACHED), EVENTS),
        (answers.STREAM_GENERATE, answers.generated_array(CACHED), JSON),
    ):
        for chunks in ([body], byte_by_byte(body)):
            told = metered(match, chunks, content_type)
            assert (told.passed, told.usage.tokens, told.usage.source) == (body, expected, REPORTED)


def test_what_is_cached_costs_input_that_the_body_does_not_tell():
    operation = answers.GENERATE.operation
    assert routes.GEMINI.input_bound(operation, b'{"cachedContent":"cachedContents/x","contents":[]}') is None
    assert routes.find("POST", b"/v1beta/cachedContents", []) is None  # storage is charged by the hour, unseen
