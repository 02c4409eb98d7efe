"""What bodies name of what a provider keeps: found wherever it stands, and nothing else taken for it."""

import json

import pytest

from apps.proxy.protocols.errors import BadBody
from apps.proxy.protocols.references import MOST, references
from apps.proxy.protocols.routes import ANTHROPIC, OPENAI, find

RESPONSES, CHAT = (find("POST", path, []).operation for path in (b"/v1/responses", b"/v1/chat/completions"))
MESSAGES = find("POST", b"/v1/messages", []).operation

FILE = {"type": "input_file", "file_id": "file-1"}
BODIES = [
    pytest.param({"input": [{"role": "user", "content": [FILE]}]}, [("file_id", "file-1")], id="a-file"),
    pytest.param(
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file-2"}, FILE, FILE]}]},
        [("file_id", "file-2"), ("file_id", "file-1")],
        id="each-once",
    ),
    pytest.param({"input": [{"type": "item_reference", "id": "rs_1"}]}, [("item_reference", "rs_1")], id="an-item"),
    pytest.param({"input": [{"id": "msg_1"}]}, [("item_reference", "msg_1")], id="an-item-that-is-only-an-id"),
    pytest.param({"input": [{"id": "msg_1", "type": None}]}, [("item_reference", "msg_1")], id="of-no-type"),
    pytest.param(
        {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]}]},
        [("vector_store_ids", "vs_1"), ("vector_store_ids", "vs_2")],
        id="stores",
    ),
    pytest.param(
        {"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-3"]}}]},
        [("file_ids", "file-3")],
        id="files-of-a-container",
    ),
    pytest.param(
        {"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, [("container", "cntr_1")], id="a-container"
    ),
    pytest.param(
        {"tools": [{"type": "shell", "environment": {"skills": [{"type": "skill_reference", "skill_id": "skill_1"}]}}]},
        [("skill_id", "skill_1")],
        id="a-skill",
    ),
    pytest.param(
        {"type": "tool_use", "input": [FILE]}, [("file_id", "file-1")], id="what-another-provider-calls-a-tools-input"
    ),
    pytest.param(
        {"input": [{"type": "function_call_output", "call_id": "c", "output": [FILE]}]},
        [("file_id", "file-1")],
        id="in-what-a-tool-gave",
    ),
    pytest.param({"input": "file_id"}, [], id="plain-text"),
    pytest.param({"input": [{"id": "msg_1", "type": "message", "role": "assistant", "content": []}]}, [], id="whole"),
    pytest.param({"input": "x", "metadata": {"file_id": "mine"}}, [], id="the-clients-own-words"),
    pytest.param(
        {"tools": [{"type": "function", "name": "f", "parameters": {"properties": {"file_id": {"type": "string"}}}}]},
        [],
        id="a-functions-parameters",
    ),
]


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_what_a_response_refers_to(body, expected):
    assert list(OPENAI.read(RESPONSES, json.dumps({"model": "m", **body}).encode()).refers_to) == expected


def test_in_a_chat_it_is_a_part_of_a_message():
    content = [{"type": "file", "file": {"file_id": "file-1"}}]
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()
    assert OPENAI.read(CHAT, body).refers_to == (("file_id", "file-1"),)


def test_with_anthropic_it_is_a_source():
    content = [{"type": "document", "source": {"type": "file", "file_id": "file_011"}}]
    body = json.dumps({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": content}]}).encode()
    assert ANTHROPIC.read(MESSAGES, body).refers_to == (("file_id", "file_011"),)


ANTHROPIC_BODIES = [
    pytest.param({"container": "container_01"}, (("container", "container_01"),), id="a-container"),
    pytest.param({"container": {"id": "container_01"}}, (("container", "container_01"),), id="as-an-object"),
    pytest.param(
        {"container": {"skills": [{"type": "custom", "skill_id": "skill_01", "version": "latest"}]}},
        (("skill_id", "skill_01"),),
        id="a-skill-of-somebodys-own",
    ),
    pytest.param(
        {"container": {"skills": [{"type": "anthropic", "skill_id": "pptx", "version": "latest"}]}},
        (),
        id="a-skill-of-the-providers",
    ),
    pytest.param(
        {"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "file_01"}]}]},
        (("file_id", "file_01"),),
        id="a-file-for-the-container",
    ),
    pytest.param(
        {
            "messages": [
                {"role": "assistant", "content": [{"type": "tool_use", "name": "f", "input": {"file_id": "mine"}}]}
            ]
        },
        (),
        id="what-a-model-said-to-a-tool-of-the-clients",
    ),
]


@pytest.mark.parametrize(("body", "expected"), ANTHROPIC_BODIES)
def test_what_a_message_refers_to(body, expected):
    body = {"model": "m", "max_tokens": 1, "messages": []} | body
    assert ANTHROPIC.read(MESSAGES, json.dumps(body).encode()).refers_to == expected


def test_no_other_spelling_of_the_key_gets_past():
    body = rb'{"model":"m","input":[{"type":"input_file","file\u005fid":"file-1"}]}'
    assert OPENAI.read(RESPONSES, body).refers_to == (("file_id", "file-1"),)


def test_an_ill_formed_field_elsewhere_hides_nothing():
    operation = find("POST", b"/v1/vector_stores/vs_1/files", []).operation
    assert OPENAI.read(operation, b'{"file_id":"file-1","user":5}').refers_to == (("file_id", "file-1"),)


def test_there_is_an_end_to_what_one_body_may_name():
    body = json.dumps({"file_ids": [str(number) for number in range(MOST + 1)]}).encode()
    with pytest.raises(BadBody, match="more than"):
        list(references(body))


def test_no_depth_is_too_much():
    deep = b'{"file_id":"x","a":' + b"[" * 5000 + b"]" * 5000 + b"}"
    with pytest.raises(BadBody, match="deeply"):
        list(references(deep))
