"""OpenAI's requests: what is read of them, and the bytes that are put into them."""

import msgspec
import pytest

from apps.proxy.protocols import routes
from apps.proxy.protocols.base import Ask
from apps.proxy.protocols.compatible import named_provider
from apps.proxy.protocols.errors import BadBody

from . import answers

OPENAI = routes.OPENAI
CHAT, COMPLETIONS, RESPONSES = answers.CHAT.operation, answers.COMPLETIONS.operation, answers.RESPONSES.operation
EMBEDDINGS, SOMETHING = answers.EMBEDDINGS.operation, answers.SOMETHING.operation


def read(operation, said: dict[str, object] | bytes) -> Ask:
    body = said if isinstance(said, bytes) else msgspec.json.encode(said)
    ask = OPENAI.read(operation, body)
    assert ask.input_bytes == len(body)
    return msgspec.structs.replace(ask, input_bytes=0)


READ = [
    pytest.param(CHAT, {"model": "gpt-4o"}, Ask("gpt-4o"), id="chat"),
    pytest.param(CHAT, {"model": "m", "stream": True}, Ask("m", is_streamed=True), id="streamed"),
    pytest.param(CHAT, {"model": "m", "stream": False, "n": None, "user": None}, Ask("m"), id="nulls"),
    pytest.param(CHAT, {"messages": []}, Ask(""), id="no-model"),
    pytest.param(CHAT, {"model": "m", "user": "ada"}, Ask("m", end_user="ada"), id="user"),
    pytest.param(RESPONSES, {"model": "m", "safety_identifier": "h"}, Ask("m", end_user="h"), id="safety-identifier"),
    pytest.param(
        RESPONSES, {"model": "m", "safety_identifier": "h", "user": "u"}, Ask("m", end_user="u"), id="user-first"
    ),
    pytest.param(
        RESPONSES, {"model": "m", "safety_identifier": "h", "user": ""}, Ask("m", end_user="h"), id="unless-empty"
    ),
    pytest.param(CHAT, {"model": "m", "max_tokens": 5}, Ask("m", max_output_tokens=5), id="max-tokens"),
    pytest.param(CHAT, {"model": "m", "max_completion_tokens": 7}, Ask("m", max_output_tokens=7), id="new-name"),
    pytest.param(
        CHAT,
        {"model": "m", "max_tokens": 5, "max_completion_tokens": 7},
        Ask("m", max_output_tokens=7),
        id="the-larger-of-both",
    ),
    pytest.param(CHAT, {"model": "m", "n": 3}, Ask("m", n=3), id="n"),
    pytest.param(CHAT, {"model": "m", "n": 0}, Ask("m", n=1), id="n-of-none-is-one"),
    pytest.param(RESPONSES, {"model": "m", "max_output_tokens": 9}, Ask("m", max_output_tokens=9), id="responses"),
    pytest.param(EMBEDDINGS, {"model": "m", "input": "x"}, Ask("m", max_output_tokens=0), id="embeddings"),
    pytest.param(COMPLETIONS, {"model": "m", "prompt": "x"}, Ask("m", max_output_tokens=16), id="completions-default"),
    pytest.param(
        COMPLETIONS,
        {"model": "m", "prompt": "x", "n": 2, "best_of": 5, "max_tokens": 3},
        Ask("m", max_output_tokens=3, n=5),
        id="the-best-of-several",
    ),
    pytest.param(
        COMPLETIONS,
        {"model": "m", "prompt": ["a", "b", "c"], "n": 2},
        Ask("m", max_output_tokens=16, n=6),
        id="a-completion-for-each-prompt",
    ),
    pytest.param(
        COMPLETIONS,
        {"model": "m", "prompt": [[1, 2], [3]]},
        Ask("m", max_output_tokens=16, n=2),
        id="prompts-in-tokens",
    ),
    pytest.param(
        COMPLETIONS, {"model": "m", "prompt": [1, 2, 3]}, Ask("m", max_output_tokens=16), id="one-prompt-in-tokens"
    ),
    pytest.param(SOMETHING, {"model": "new-1", "n": 2, "user": "u"}, Ask("new-1", end_user="u", n=2), id="unknown"),
    pytest.param(
        CHAT,
        {"model": "m", "stream": True, "stream_options": {"include_usage": True}},
        Ask("m", is_streamed=True, has_stream_options=True, has_usage=True),
        id="usage-asked-for",
    ),
    pytest.param(
        CHAT,
        {"model": "m", "stream": True, "stream_options": {"include_usage": False}},
        Ask("m", is_streamed=True, has_stream_options=True),
        id="usage-not-wanted",
    ),
    pytest.param(
        CHAT, b'{"mod\\u0065l":"m","\\u0073tream":true}', Ask("m", is_streamed=True), id="keys-in-escapes-are-read-too"
    ),
]


@pytest.mark.parametrize(("operation", "said", "ask"), READ)
def test_what_is_read(operation, said, ask):
    assert read(operation, said) == ask


BAD = [
    pytest.param(b"", None, id="empty"),
    pytest.param(b"not json", None, id="not-json"),
    pytest.param(b'{"model":"\xff"}', None, id="no-utf-8"),
    pytest.param(b'{"model":"m","\xff":1}', None, id="a-key-in-no-utf-8"),
    pytest.param(b'{"model":"m","metadata":{"\xff":1},"file_ids":["f"]}', None, id="deep-in-it"),
    pytest.param(b"[]", None, id="a-list"),
    pytest.param(b'{"model":"m"', None, id="cut"),
    pytest.param(b'{"model":"m"}{"model":"n"}', None, id="two"),
    pytest.param(b'\xef\xbb\xbf{"model":"m"}', None, id="byte-order-mark"),
    pytest.param(b'{"model":5}', "model", id="a-model-that-is-a-number"),
    pytest.param(b'{"model":"%s"}' % (b"m" * 300), "model", id="a-model-without-end"),
    pytest.param(b'{"model":"m","stream":"true"}', "stream", id="stream-in-words"),
    pytest.param(b'{"model":"m","stream":1}', "stream", id="stream-in-numbers"),
    pytest.param(b'{"model":"m","user":7}', "user", id="a-user-that-is-a-number"),
    pytest.param(b'{"model":"m","model":"n"}', "model", id="twice"),
    pytest.param(
        b'{"model":"m","stream":true,"stream_options":{"include_usage":true,"include_usage":false}}',
        "include_usage",
        id="twice-within",
    ),
]


@pytest.mark.parametrize(("body", "param"), BAD)
def test_what_cannot_be_meant_is_refused(body, param):
    with pytest.raises(BadBody) as refused:
        OPENAI.read(RESPONSES, body)
    assert (refused.value.param, refused.value.status) == (param, 400)


def test_only_a_response_is_made_in_the_background():
    body = b'{"model":"m","background":true}'
    assert OPENAI.read(RESPONSES, body).is_background
    with pytest.raises(BadBody) as refused:
        OPENAI.read(CHAT, body)
    assert refused.value.param == "background"


NUMBERS = ["-1", str(2**31), str(2**53), str(2**63), str(2**64), "1e400", "1.5", "NaN", '"5"', "true", "[1]", "{}"]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", ["n", "best_of", "max_tokens", "max_completion_tokens", "max_output_tokens"])
def test_no_number_makes_a_hold_that_is_none(name, number):
    with pytest.raises(BadBody):
        OPENAI.read(CHAT, f'{{"model":"m","{name}":{number}}}'.encode())
    with pytest.raises(BadBody):
        OPENAI.read(CHAT, f'{{"model":"m","{name}":1,"{name}":{number}}}'.encode())


@pytest.mark.parametrize("body", [b"not json", b'{"model":5}', b'{"model":"m","n":-1}'])
def test_operations_that_we_know_little_of_are_the_provider_s_to_judge(body):
    assert OPENAI.read(SOMETHING, body) == Ask(input_bytes=len(body))


# Asking for usage

ASKED = [
    (b'{"model":"m","stream":true}', b'{"stream_options":{"include_usage":true},"model":"m","stream":true}'),
    (
        b'\n{ "model" : "m", "stream": true }\n',
        b'\n{"stream_options":{"include_usage":true}, "model" : "m", "stream": true }\n',
    ),
    (
        b'{"model":"m","stream":true,"stream_options":{}}',
        b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
    ),
    (
        b'{"model":"m","stream":true,"stream_options":null}',
        b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
    ),
    (
        b'{"model":"m","stream":true,"stream_options": { "include_obfuscation" : false } }',
        b'{"model":"m","stream":true,"stream_options": {"include_usage":true, "include_obfuscation" : false } }',
    ),
    (
        b'{"stream_options":{"include_usage": false ,"x":1},"model":"m","stream":true}',
        b'{"stream_options":{"include_usage": true ,"x":1},"model":"m","stream":true}',
    ),
    (
        b'{"stream_options":{"include_usage":null},"model":"m","stream":true}',
        b'{"stream_options":{"include_usage":true},"model":"m","stream":true}',
    ),
    (
        b'{"model":"m","stream":true,"stream\\u005foptions":{"a":1}}',
        b'{"model":"m","stream":true,"stream\\u005foptions":{"include_usage":true,"a":1}}',
    ),
    (
        b'{"x":{"stream_options":{}},"stream":true,"y":"\\"stream_options\\""}',
        b'{"stream_options":{"include_usage":true},"x":{"stream_options":{}},"stream":true,"y":"\\"stream_options\\""}',
    ),
]


@pytest.mark.parametrize(("body", "sent"), ASKED)
@pytest.mark.parametrize("operation", [CHAT, COMPLETIONS], ids=["chat", "completions"])
def test_usage_is_asked_for_in_the_client_s_place(operation, body, sent):
    ask = OPENAI.read(operation, body)
    assert OPENAI.prepare(operation, body, ask, "openai") == sent
    assert ask.hides_usage
    assert OPENAI.read(operation, sent).has_usage


LEFT_ALONE = [
    pytest.param(CHAT, b'{"model":"m"}', "openai", id="not-streamed"),
    pytest.param(CHAT, b'{"model":"m","stream":false,"stream_options":{}}', "openai", id="options-without-a-stream"),
    pytest.param(
        CHAT, b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}', "openai", id="asked-for-already"
    ),
    pytest.param(CHAT, b'{"model":"m","stream":true,"stream_options":7}', "openai", id="options-that-are-none"),
    pytest.param(RESPONSES, b'{"model":"m","stream":true}', "openai", id="responses-tell-it-unasked"),
    pytest.param(CHAT, b'{"model":"m","stream":true}', "mistral", id="mistral-refuses-the-question"),
]


@pytest.mark.parametrize(("operation", "body", "provider"), LEFT_ALONE)
def test_other_bodies_are_sent_as_they_are(operation, body, provider):
    ask = OPENAI.read(operation, body)
    assert OPENAI.prepare(operation, body, ask, provider) is body
    assert not ask.hides_usage
    assert ask.provider == provider


# Naming a provider


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("groq/llama-3.3-70b", ("groq", "llama-3.3-70b")),
        ("openrouter/anthropic/claude-sonnet-4.5", ("openrouter", "anthropic/claude-sonnet-4.5")),
        ("vllm/meta-llama/Llama", ("vllm", "meta-llama/Llama")),
        ("meta-llama/Llama-3", None),  # a model's own name
        ("mistral/large", None),  # no key for it
        ("anthropic/claude", None),  # another protocol
        ("gpt-4o", None),
        ("groq/", None),
        ("/groq", None),
        ("GROQ/x", None),
        ("", None),
    ],
)
def test_a_provider_is_named_before_the_model_if_there_is_a_key_for_it(model, named):
    assert named_provider(model, {"groq", "openrouter", "vllm", "openai", "anthropic"}) == named


def test_only_the_name_of_the_model_is_replaced():
    body = b'{"x":{"model":"groq/l"},"model" :  "groq\\/l" ,"messages":[{"content":"\\u00e9 groq/l"}]}'
    ask = OPENAI.read(CHAT, body)
    assert ask.model == "groq/l"
    sent = OPENAI.prepare(CHAT, body, ask, "groq", "l")
    assert sent == b'{"x":{"model":"groq/l"},"model" :  "l" ,"messages":[{"content":"\\u00e9 groq/l"}]}'
    assert (ask.model, ask.provider) == ("l", "groq")


def test_both_edits_at_once():
    body = b'{"model":"groq/l","stream":true}'
    ask = OPENAI.read(CHAT, body)
    sent = OPENAI.prepare(CHAT, body, ask, "groq", "l")
    assert sent == b'{"stream_options":{"include_usage":true},"model":"l","stream":true}'


# Holding and signing


@pytest.mark.parametrize(
    "reference",
    [
        {"messages": [{"content": [{"type": "video_url", "video_url": {"url": "https://x/y.mp4"}}]}]},
        {"messages": [{"content": [{"type": "file", "file": {"file_id": "file-1"}}]}]},
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "file_search"}]},
    ],
)
def test_what_is_only_referred_to_has_no_bound(reference):
    assert OPENAI.input_bound(RESPONSES, msgspec.json.encode({"model": "m", **reference})) is None


def test_text_has_no_more_tokens_than_bytes():
    body = msgspec.json.encode({"messages": [{"role": "user", "content": "漢" * 100}]})
    assert len(body) < OPENAI.input_bound(CHAT, body) == len(body) + 1024


def test_the_provider_s_key_goes_where_the_protocol_wants_it():
    headers = [(b"accept", b"*/*")]
    assert OPENAI.sign(headers, b"sk-1") == [(b"accept", b"*/*"), (b"authorization", b"Bearer sk-1")]
    assert headers == [(b"accept", b"*/*")]
