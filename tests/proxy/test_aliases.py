"""Calls by an alias, as the provider gets them."""

import json

import pytest

from apps.proxy.aliases import Alias, parameters_of, rewritten, unnamed, with_parameters
from apps.proxy.protocols.base import BadBody
from apps.proxy.protocols.routes import ANTHROPIC, GEMINI, OPENAI, find

SET = [  # body, parameters, with them as defaults, forced
    pytest.param('{"m":1}', {"t": 0.5}, '{"t":0.5,"m":1}', '{"t":0.5,"m":1}', id="absent"),
    pytest.param("{ }", {"t": 0.5}, '{"t":0.5}', '{"t":0.5}', id="into-nothing"),
    pytest.param('{"t" : 1, "m":2}', {"t": 0.5}, '{"t" : 1, "m":2}', '{"t" : 0.5, "m":2}', id="said"),
    pytest.param('{"t":null}', {"t": 1}, '{"t":null}', '{"t":1}', id="null-is-said"),
    pytest.param('{"o":{"a":1}}', {"o": {"a": 2, "b": 3}}, '{"o":{"b":3,"a":1}}', '{"o":{"b":3,"a":2}}', id="merged"),
    pytest.param('{"o":[1]}', {"o": {"a": 2}}, '{"o":[1]}', '{"o":{"a":2}}', id="another-kind"),
    pytest.param(
        '{"generation_config":{"max_output_tokens":9}}',
        {"generationConfig": {"maxOutputTokens": 5}},
        '{"generation_config":{"max_output_tokens":9}}',
        '{"generation_config":{"max_output_tokens":5}}',
        id="another-spelling",
    ),
    pytest.param(
        '{"c":{"maxOutputTokens":9,"max_output_tokens":8}}',
        {"c": {"maxOutputTokens": 5}},
        '{"c":{"maxOutputTokens":9,"max_output_tokens":8}}',
        '{"c":{"maxOutputTokens":5,"max_output_tokens":5}}',
        id="both-spellings",
    ),
]


@pytest.mark.parametrize(("body", "parameters", "by_default", "forced"), SET)
def test_parameters_are_set_and_nothing_else_is_touched(body, parameters, by_default, forced):
    compiled = parameters_of(parameters)
    assert with_parameters(body.encode(), compiled, are_forced=False).decode() == by_default
    assert with_parameters(body.encode(), compiled, are_forced=True).decode() == forced


def test_what_is_forced_cannot_be_passed_by_saying_it_twice():
    with pytest.raises(BadBody):
        with_parameters(b'{"o":{"a":1,"a":9}}', parameters_of({"o": {"a": 2}}), are_forced=True)


def an_alias(wire: str, **parameters: object) -> Alias:
    nothing = parameters_of({})
    return Alias("house", "whoever", wire, "real-1", nothing, parameters_of(parameters))


RENAMED = [  # wire, path, body, path and body for the provider
    (OPENAI, "/v1/chat/completions", '{"model": "house","n":1}', "/chat/completions", '{"model": "real-1","n":1}'),
    (ANTHROPIC, "/v1/messages", '{"n":1,"model":"house"}', "/v1/messages", '{"n":1,"model":"real-1"}'),
    (GEMINI, "/v1beta/models/house:countTokens", "{}", "/v1beta/models/real-1:countTokens", "{}"),
    (
        GEMINI,
        "/v1beta/models/house:batchEmbedContents",
        '{"requests":[{"model":"models/house","x":{"model":"kept"}}, {"model":"models/house"}]}',
        "/v1beta/models/real-1:batchEmbedContents",
        '{"requests":[{"model":"models/real-1","x":{"model":"kept"}},{"model":"models/real-1"}]}',
    ),
    (
        GEMINI,
        "/v1beta/models/house:countTokens",
        '{"generateContentRequest":{"model":"models/house"}}',
        "/v1beta/models/real-1:countTokens",
        '{"generateContentRequest":{"model":"models/real-1"}}',
    ),
]


@pytest.mark.parametrize(("wire", "path", "body", "path_sent", "body_sent"), RENAMED)
def test_the_provider_hears_its_own_name(wire, path, body, path_sent, body_sent):
    match = find("POST", path.encode(), [])
    operation, sent = rewritten(an_alias(wire.name), wire, match.operation, body.encode())
    assert (operation.path.decode(), sent.decode()) == (path_sent, body_sent)
    assert operation.name == match.operation.name
    assert wire.read(operation, sent).model == "real-1"


def test_what_is_forced_is_what_is_held_for():
    match = find("POST", b"/v1/messages", [])
    body = b'{"model":"house","max_tokens":100000}'
    operation, sent = rewritten(an_alias("anthropic", max_tokens=50), ANTHROPIC, match.operation, body)
    assert ANTHROPIC.read(operation, sent).max_output_tokens == 50
    assert json.loads(sent) == {"model": "real-1", "max_tokens": 50}


def test_an_error_names_the_alias():
    told = b'{"error":"The model `real-1` is not real-10, my-real-1 or real-1.5: use real-1."}'
    assert unnamed(told, an_alias("openai")) == (
        b'{"error":"The model `house` is not real-10, my-real-1 or house.5: use house."}'
    )
