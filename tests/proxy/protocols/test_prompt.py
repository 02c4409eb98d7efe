"""The words of a request, in every protocol's form."""

import json

import pytest

from apps.proxy.protocols.prompt import Words

TOOL = {"name": "f", "description": "Looks up."}
SAID = [
    pytest.param({"messages": [{"role": "user", "content": "one"}]}, ["one"], 1, id="chat"),
    pytest.param(
        {
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": "a"}]},
                {"role": "user", "content": "b"},
            ]
        },
        ["a", "b"],
        2,
        id="parts",
    ),
    pytest.param({"prompt": ["a", "b"]}, ["a", "b"], 0, id="completions"),
    pytest.param({"instructions": "a", "input": "b"}, ["a", "b"], 0, id="responses"),
    pytest.param(
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}, {"output": "b"}]},
        ["a", "b"],
        1,
        id="items",
    ),
    pytest.param(
        {"system": "a", "messages": [{"role": "user", "content": [{"type": "tool_result", "content": "b"}]}]},
        ["a", "b"],
        1,
        id="messages",
    ),
    pytest.param(
        {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "name": "f", "input": {"x": 1}}]}]},
        ['{"x":1}'],
        1,
        id="what-a-tool-was-asked",
    ),
    pytest.param({"systemInstruction": {"parts": [{"text": "a"}]}, "contents": []}, ["a"], 0, id="gemini"),
    pytest.param({"tools": [TOOL], "messages": []}, [json.dumps([TOOL], separators=(",", ":"))], 0, id="tools"),
    pytest.param({"model": "m", "metadata": {"note": "n"}, "messages": []}, [], 0, id="what-no-model-reads"),
]


@pytest.mark.parametrize(("body", "texts", "messages"), SAID)
def test_words_are_found(body, texts, messages):
    words = Words(json.dumps(body).encode())
    assert (words.texts, words.messages) == (texts, messages)


MORE = [
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]},
    {"contents": [{"parts": [{"inlineData": {"data": "AAAA"}}]}]},
    {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "base64", "data": "AA"}}]}]},
    {"input": "go on", "previous_response_id": "resp_1"},
]


@pytest.mark.parametrize("body", MORE)
def test_of_what_is_more_than_words_nothing_is_said(body):
    assert Words(json.dumps(body).encode()).texts is None


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b'{"input":"\xff"}'])
def test_nor_of_what_cannot_be_read(body):
    assert Words(body).texts is None


def test_what_is_not_there_is_no_thing():
    assert Words(b'{"input":"a","previous_response_id":null}').texts == ["a"]
