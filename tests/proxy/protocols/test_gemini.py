"""Gemini's requests: what the path and the body say."""

import msgspec
import pytest

from apps.proxy.protocols import routes
from apps.proxy.protocols.base import Ask
from apps.proxy.protocols.errors import BadBody

from . import answers

GEMINI = routes.GEMINI
GENERATE, STREAM = answers.GENERATE.operation, answers.STREAM_GENERATE.operation
EMBED = routes.find("POST", b"/v1beta/models/gemini-embedding-001:batchEmbedContents", []).operation
PRO = "gemini-2.5-pro"

READ = [
    pytest.param(GENERATE, {"contents": []}, Ask(PRO), id="plain"),
    pytest.param(STREAM, {"contents": []}, Ask(PRO, is_streamed=True), id="streamed"),
    pytest.param(
        GENERATE,
        {"generationConfig": {"maxOutputTokens": 9, "candidateCount": 2}},
        Ask(PRO, max_output_tokens=9, n=2),
        id="camel",
    ),
    pytest.param(
        GENERATE,
        {"generation_config": {"max_output_tokens": 9, "candidate_count": 2}},
        Ask(PRO, max_output_tokens=9, n=2),
        id="snake",
    ),
    pytest.param(
        GENERATE,
        {"generationConfig": {"max_output_tokens": 900, "maxOutputTokens": 9, "candidate_count": 3}},
        Ask(PRO, max_output_tokens=900, n=3),
        id="both-spellings-the-larger-holds",
    ),
    pytest.param(GENERATE, {"generationConfig": None}, Ask(PRO), id="null"),
    pytest.param(EMBED, {"requests": []}, Ask("gemini-embedding-001", max_output_tokens=0), id="embeddings"),
]


@pytest.mark.parametrize(("operation", "said", "ask"), READ)
def test_what_is_read(operation, said, ask):
    body = msgspec.json.encode(said)
    assert GEMINI.read(operation, body) == msgspec.structs.replace(ask, input_bytes=len(body))


BAD = [
    b"",
    b"[]",
    b'{"generationConfig":{"maxOutputTokens":-1}}',
    b'{"generationConfig":{"maxOutputTokens":1.5}}',
    b'{"generationConfig":{"candidateCount":99999999999}}',
    b'{"generationConfig":{"maxOutputTokens":1,"maxOutputTokens":9}}',
    b'{"generationConfig":{"maxOutputTokens":1},"generationConfig":{}}',
    b'{"generationConfig":{"maxOutputTokens":1},"generation_config":{"maxOutputTokens":9}}',
]


@pytest.mark.parametrize("body", BAD)
def test_what_cannot_be_meant_is_refused(body):
    with pytest.raises(BadBody):
        GEMINI.read(GENERATE, body)


QUERIES = [
    (b"", b""),
    (b"alt=sse", b"alt=sse"),
    (b"$alt=json&prettyPrint=false", b"$alt=json&prettyPrint=false"),
    (b"alt=sse&fields=candidates", b"alt=sse"),
    (b"$fields=candidates", b""),
    (b"%24fields=candidates&x=1", b"x=1"),
    (b"f%69elds=candidates", b""),
    (b"alt=proto", b""),
    (b"alt=media&alt=sse", b"alt=sse"),
    (b"callback=f", b""),
]


@pytest.mark.parametrize(("query", "sent"), QUERIES)
def test_nothing_in_the_query_takes_the_usage_out_of_the_answer(query, sent):
    assert GEMINI.query(STREAM, query) == sent


def test_other_queries_are_sent_as_they_are():
    models = routes.find("GET", b"/v1beta/models", []).operation
    assert GEMINI.query(models, b"pageSize=5&fields=models.name") == b"pageSize=5&fields=models.name"


def test_the_key_goes_into_a_header():
    assert GEMINI.sign([], b"AIza") == [(b"x-goog-api-key", b"AIza")]


def test_text_is_bound_by_its_bytes_and_references_are_not():
    text = b'{"contents":[{"parts":[{"text":"search google for inlineData"}]}]}'
    assert GEMINI.input_bound(GENERATE, text) == len(text) + 1024
    for reference in (b'{"inlineData":{}}', b'{"file_data":{}}', b'{"tools":[{"googleSearch":{}}]}'):
        assert GEMINI.input_bound(GENERATE, reference) is None
