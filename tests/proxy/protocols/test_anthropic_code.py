"""What code that Anthropic ran has left there: later calls of the same customer may name it."""

import pytest

from . import answers
from .answers import EVENTS, JSON, TRICKY, byte_by_byte, encode, events, metered

CODE = {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}
CONTAINER = {"id": "container_01", "expires_at": "2030-01-01T00:00:00Z"}
USAGE = {"input_tokens": 11, "output_tokens": 22}


def ran(*file_ids: str, kind: str = "bash_code_execution") -> dict[str, object]:
    """The result of a run that left these files."""
    output = [{"type": f"{kind}_output", "file_id": file_id} for file_id in file_ids]
    content = {"type": f"{kind}_result", "stdout": TRICKY, "stderr": "", "return_code": 0, "content": output}
    return {"type": f"{kind}_tool_result", "tool_use_id": "srvtoolu_1", "content": content}


LOOKED = {
    "type": "text_editor_code_execution_tool_result",
    "content": {"type": "text_editor_code_execution_view_result", "content": '{"file_id": "file_of_others"}'},
}
FAILED = {"type": "bash_code_execution_tool_result", "content": {"type": "e", "error_code": "unavailable"}}
SAID = {"type": "text", "text": '"file_id": "file_of_others" ' + TRICKY}
ASKED = {
    "type": "tool_use",
    "id": "t",
    "name": "f",
    "input": {"file_id": "file_of_others", "content": [{"file_id": "x"}]},
}

BLOCKS = [
    pytest.param([SAID], [], id="nothing"),
    pytest.param([ran("file_1"), SAID], ["file_1"], id="a-file"),
    pytest.param(
        [ran("file_1", "file_2"), ran("file_3", kind="code_execution")], ["file_1", "file_2", "file_3"], id="files"
    ),
    pytest.param([ran(), FAILED, LOOKED], [], id="none"),
    pytest.param([ASKED, SAID], [], id="what-a-model-says"),
]


def made(chunks: list[bytes], content_type: bytes, said: dict[str, object] = CODE) -> list[str]:
    wire, operation, *_ = answers.MESSAGES
    ask = wire.read(operation, encode({"model": "m", "max_tokens": 1, "messages": []} | said))
    usage = metered(answers.MESSAGES, chunks, content_type, ask=ask).usage
    assert usage.tokens.input == 11
    return sorted(set(usage.made))


def whole(blocks: list[object]) -> bytes:
    return encode({"id": "msg_1", "type": "message", "content": blocks, "container": CONTAINER, "usage": USAGE})


def stream(blocks: list[object]) -> bytes:
    started = {"id": "msg_1", "type": "message", "content": [], "container": None, "usage": USAGE}
    return events(
        {"type": "message_start", "message": started},
        *({"type": "content_block_start", "index": at, "content_block": block} for at, block in enumerate(blocks)),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "container": CONTAINER}, "usage": USAGE},
        {"type": "message_stop"},
        named=True,
    )


@pytest.mark.parametrize(("blocks", "files"), BLOCKS)
def test_a_container_and_the_files_in_results_are_the_callers(blocks, files):
    expected = sorted(["container_01", *files])
    assert made([whole(blocks)], JSON) == expected
    told = stream(blocks)
    for chunks in ([told], byte_by_byte(told)):
        assert made(chunks, EVENTS) == expected


def test_what_an_answer_without_code_names_is_nobodys():
    blocks = [ran("file_1")]
    for body, content_type in ((whole(blocks), JSON), (stream(blocks), EVENTS)):
        assert made([body], content_type, {"tools": []}) == ["container_01"]


@pytest.mark.parametrize("told", ["container_01", 5, [], {}, {"id": 5}, None])
def test_a_container_told_in_another_form_costs_no_usage(told):
    body = encode({"id": "msg_1", "type": "message", "content": [], "container": told, "usage": USAGE})
    assert made([body], JSON) == []
