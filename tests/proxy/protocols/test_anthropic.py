"""Anthropic's requests: what is read of them."""

import msgspec
import pytest

from apps.proxy.protocols import routes
from apps.proxy.protocols.base import Ask
from apps.proxy.protocols.errors import BadBody

from . import answers

ANTHROPIC = routes.ANTHROPIC
MESSAGES = answers.MESSAGES.operation

READ = [
    pytest.param({"model": "claude", "max_tokens": 5}, Ask("claude", max_output_tokens=5), id="plain"),
    pytest.param({"model": "m", "stream": True}, Ask("m", is_streamed=True), id="streamed"),
    pytest.param({"model": "m", "metadata": {"user_id": "ada"}}, Ask("m", end_user="ada"), id="user"),
    pytest.param({"model": "m", "metadata": {"user_id": None}}, Ask("m"), id="no-user"),
    pytest.param({"model": "m", "metadata": None, "user": "u"}, Ask("m"), id="user-is-openai-s"),
]


@pytest.mark.parametrize(("said", "ask"), READ)
def test_what_is_read(said, ask):
    body = msgspec.json.encode(said)
    assert ANTHROPIC.read(MESSAGES, body) == msgspec.structs.replace(ask, input_bytes=len(body))


BAD = [
    (b"not json", None),
    (b'{"model":"m","max_tokens":-1}', "max_tokens"),
    (b'{"model":"m","max_tokens":1e400}', "max_tokens"),
    (b'{"model":"m","max_tokens":"5"}', "max_tokens"),
    (b'{"model":"m","max_tokens":1,"max_tokens":9}', "max_tokens"),
    (b'{"model":"m","stream":"yes"}', "stream"),
    (b'{"model":"m","metadata":{"user_id":5}}', "metadata.user_id"),
]


@pytest.mark.parametrize(("body", "param"), BAD)
def test_what_cannot_be_meant_is_refused(body, param):
    with pytest.raises(BadBody) as refused:
        ANTHROPIC.read(MESSAGES, body)
    assert refused.value.param == param


def test_bodies_are_sent_as_they_are():
    body = b'{"model":"m","stream":true}'
    ask = ANTHROPIC.read(MESSAGES, body)
    assert ANTHROPIC.prepare(MESSAGES, body, ask, "anthropic") is body
    assert ask.provider == "anthropic"


def test_the_version_is_added_where_the_client_tells_none():
    told = (b"anthropic-version", b"2099-01-01")
    assert ANTHROPIC.sign([told], b"sk-ant") == [told, (b"x-api-key", b"sk-ant")]
    assert ANTHROPIC.sign([], b"sk-ant") == [(b"x-api-key", b"sk-ant"), (b"anthropic-version", b"2023-06-01")]


def test_text_is_bound_by_its_bytes_and_references_are_not():
    text = b'{"messages":[{"content":"an image, a document"}]}'
    assert ANTHROPIC.input_bound(MESSAGES, text) == len(text) + 2048
    for reference in (
        b'{"type":"image"}',
        b'{"type":"document"}',
        b'{"type":"web_search_20250305"}',
        b'{"type":"code_execution_20250825"}',  # what the code says is read by the model
    ):
        assert ANTHROPIC.input_bound(MESSAGES, reference) is None
