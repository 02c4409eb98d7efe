"""An alias in the place of the real name, in answers cut anywhere, and its parameters in bodies."""

import json

import pytest

from apps.proxy.aliases import Alias, Renamer, without_model
from apps.proxy.protocols.base import BadBody

HOUSE = Alias("house-model", "openai", "gpt-4o-mini", {"temperature": b"0.2"}, {"max_tokens": b"100"})

ANSWERS = [  # what the provider answers, what the client gets
    pytest.param(b'{"model":"gpt-4o-mini","id":"c"}', b'{"model":"house-model","id":"c"}', id="plain"),
    pytest.param(b'{"model" : "gpt-4o-mini-2024-07-18"}', b'{"model" : "house-model"}', id="with its date"),
    pytest.param(b'{"model":"gpt-4o"}', b'{"model":"gpt-4o"}', id="another model is left alone"),
    pytest.param(
        b'{"content":"\\"model\\":\\"gpt-4o-mini\\""}', b'{"content":"\\"model\\":\\"gpt-4o-mini\\""}', id="text"
    ),
    pytest.param(b'{"modelVersion":"gpt-4o-mini"}', b'{"modelVersion":"house-model"}', id="gemini's name for it"),
    pytest.param(b'{"models":"gpt-4o-mini","model', b'{"models":"gpt-4o-mini","model', id="other members"),
    pytest.param(
        b'data: {"model":"gpt-4o-mini"}\n\ndata: {"response":{"model":"gpt-4o-mini"}}\n\n',
        b'data: {"model":"house-model"}\n\ndata: {"response":{"model":"house-model"}}\n\n',
        id="events",
    ),
    pytest.param(b"", b"", id="nothing"),
]


@pytest.mark.parametrize(("answer", "given"), ANSWERS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_the_answer_carries_the_alias_wherever_it_is_cut(answer: bytes, given: bytes, size: int):
    renamer = Renamer(HOUSE)
    parts = [renamer.feed(answer[at : at + size]) for at in range(0, len(answer), size)]
    assert b"".join(parts) + renamer.feed(b"") == given


def test_a_whole_event_goes_out_at_once():
    event = b'data: {"id":"c","model":"gpt-4o-mini","choices":[]}\n\n'
    assert Renamer(HOUSE).feed(event) == event.replace(b"gpt-4o-mini", b"house-model")


def test_only_what_can_be_a_name_is_held_back():
    renamer = Renamer(HOUSE)
    assert renamer.feed(b'{"a":"mod') == b'{"a":'
    assert renamer.feed(b'ern"}, {"model') == b'"modern"}, {'
    assert renamer.feed(b'ling":1}') == b'"modelling":1}'


def test_an_error_does_not_tell_what_stands_behind():
    told = b'{"error":{"message":"The model `gpt-4o-mini` does not exist"}}'
    assert without_model(told, HOUSE) == b'{"error":{"message":"The model `house-model` does not exist"}}'


BODIES = [  # what is sent, what goes on
    pytest.param({"model": "m"}, {"max_tokens": 100, "temperature": 0.2, "model": "m"}, id="both"),
    pytest.param({"temperature": 1}, {"max_tokens": 100, "temperature": 1}, id="a default gives way"),
    pytest.param({"max_tokens": 9, "temperature": 1}, {"max_tokens": 100, "temperature": 1}, id="what is forced not"),
]


@pytest.mark.parametrize(("sent", "goes_on"), BODIES)
def test_parameters_are_put_into_the_body(sent: dict, goes_on: dict):
    assert json.loads(HOUSE.applied_to(json.dumps(sent).encode())) == goes_on


def test_all_other_bytes_stay_as_they_were():
    body = b'{ "model" :"m",\n "x": [1.0, 2e3] , "max_tokens": 5}'
    alias = HOUSE._replace(defaults={})
    assert alias.applied_to(body) == b'{ "model" :"m",\n "x": [1.0, 2e3] , "max_tokens": 100}'


def test_a_body_with_a_key_twice_is_refused():
    with pytest.raises(BadBody):
        HOUSE.applied_to(b'{"max_tokens":1,"max_tokens":2}')
