"""The alias in the place of the model's name, wherever an answer is cut, and every other byte as it came."""

import json

import pytest

from apps.proxy.protocols.routes import ANTHROPIC, GEMINI, OPENAI
from apps.proxy.renaming import MOST_HELD, Renamer

ALIAS = "house-model"
LONG = "x" * (3 * MOST_HELD)

ANSWERS = [  # wire, whether it is a stream, the answer with @ for the model's name where it is to be changed
    pytest.param(OPENAI, False, '{"id":"1","model":"@","choices":[{"model":"kept"}]}', id="chat"),
    pytest.param(OPENAI, False, '{\n  "data": [1,2],\n\n  "model" : "@"\n}', id="spaces-and-an-empty-line"),
    pytest.param(OPENAI, False, '{"metadata":{"model":"kept"},"model":"@"}', id="a-clients-own-field"),
    pytest.param(OPENAI, False, '{"text":"\\"model\\":\\"kept\\"","model":"@"}', id="in-a-text"),
    pytest.param(OPENAI, False, '{"a":["model","kept"],"model":"@"}', id="in-a-list"),
    pytest.param(OPENAI, False, '{"model":null,"id":"kept","object":"model","x":{"y":"model"}}', id="no-name"),
    pytest.param(OPENAI, False, '{"a":"' + LONG + '\\"}{","model":"@"}', id="after-a-long-string"),
    pytest.param(OPENAI, False, '{"a":"' + LONG + '\\\\","model":"@"}', id="after-one-that-ends-in-a-backslash"),
    pytest.param(OPENAI, False, '{"a":"{[ unclosed","b":"}]","model":"@"}', id="brackets-in-texts"),
    pytest.param(
        OPENAI,
        True,
        'data: {"id":"1","model":"@","choices":[]}\n\ndata: {"model":"@"}\r\n\r\ndata: [DONE]\n\n',
        id="chat-streamed",
    ),
    pytest.param(
        OPENAI,
        True,
        'event: response.created\ndata: {"type":"x","response":{"id":"r","model":"@","tools":[{"model":"kept"}]}}\n\n'
        'event: response.output_text.delta\ndata: {"delta":"model"}\n\n',
        id="responses-streamed",
    ),
    pytest.param(OPENAI, True, ': a " comment {\n\ndata: {"model":"@"}\n\n', id="a-comment"),
    pytest.param(OPENAI, True, 'data: {"broken":{"x"\n\ndata: {"model":"@"}\n\n', id="after-a-broken-event"),
    pytest.param(
        ANTHROPIC,
        True,
        'event: message_start\ndata: {"type":"message_start","message":{"model":"@","content":[]}}\n\n'
        'event: content_block_start\ndata: {"content_block":{"input":{"model":"kept"}}}\n\n',
        id="messages-streamed",
    ),
    pytest.param(ANTHROPIC, False, '{"content":[{"input":{"model":"kept"}}],"model":"@"}', id="messages"),
    pytest.param(GEMINI, False, '{"model":"kept","candidates":[],"modelVersion":"@"}', id="gemini"),
    pytest.param(GEMINI, False, '[{"modelVersion": "@"},\r\n\r\n{"modelVersion": "@"}]', id="gemini-as-a-list"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10**6])
@pytest.mark.parametrize(("wire", "is_stream", "answer"), ANSWERS)
def test_the_name_is_changed_and_nothing_else(wire, is_stream, answer, size):
    raw = answer.replace("@", "gpt-4o-2024-08-06").encode()
    renamer = Renamer(wire.model_key, wire.model_places, ALIAS, is_events=is_stream)
    shown = [renamer.feed(raw[at : at + size]) for at in range(0, len(raw), size)]
    assert b"".join([*shown, renamer.flush()]) == answer.replace("@", ALIAS).encode()


def test_whole_events_are_not_held_up():
    renamer = Renamer("model", OPENAI.model_places, ALIAS, is_events=True)
    for event in (b'data: {"model":"m","d":"a"}\n\n', b'data: {"d":"b"}\n\n', b"data: [DONE]\n\n"):
        assert renamer.feed(event) == event.replace(b'"m"', b'"house-model"')
    assert renamer.flush() == b""


def test_no_more_than_a_name_is_held_back():
    renamer = Renamer("model", OPENAI.model_places, ALIAS, is_events=False)
    passed = len(renamer.feed(b'{"image":"' + b"A" * 100))
    assert passed == len(b'{"image":')
    passed += len(renamer.feed(b"A" * MOST_HELD))
    assert passed == len(b'{"image":"') + 100 + MOST_HELD
    assert renamer.feed(b"B" * 5) == b"B" * 5
    assert renamer.feed(b'","model":"m"}') == b'","model":"house-model"}'


def test_an_alias_is_written_as_json():
    renamer = Renamer("model", OPENAI.model_places, 'a"b', is_events=False)
    assert json.loads(renamer.feed(b'{"model":"m"}')) == {"model": 'a"b'}
