"""What code that Anthropic runs leaves there: the container that it ran in, and the files that its result names.

Only results are read: what a model writes, to a tool or in words, could name anybody's files.
"""

import msgspec

from .errors import UNREADABLE

TOOL = b'"code_execution'  # what the types of the tools begin with
RESULT = "code_execution_tool_result"  # what those of their results end with

_ABSENT = msgspec.Raw()


class _Container(msgspec.Struct, gc=False):
    id: str | None = None


class _Output(msgspec.Struct, gc=False):
    file_id: str | None = None


class _Result(msgspec.Struct, gc=False):
    content: list[_Output] | str | None = None  # text: of a file that was looked at


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    content: msgspec.Raw = _ABSENT


_decode_container = msgspec.json.Decoder(_Container | None).decode
_decode_block = msgspec.json.Decoder(_Block).decode
_decode_blocks = msgspec.json.Decoder(list[_Block]).decode
_decode_result = msgspec.json.Decoder(_Result).decode


def container_in(told: msgspec.Raw) -> str | None:
    """The id of the container that an answer tells of."""
    try:
        container = _decode_container(told)
    except UNREADABLE:
        return None
    return None if container is None else container.id


def files_of(block: msgspec.Raw) -> list[str]:
    """The ids of the files that a block of an answer tells of, where it is the result of a run."""
    try:
        return _files_of(_decode_block(block))
    except UNREADABLE:
        return []


def files_in(blocks: msgspec.Raw) -> list[str]:
    """The same of all blocks of an answer."""
    try:
        return [file_id for block in _decode_blocks(blocks) for file_id in _files_of(block)]
    except UNREADABLE:
        return []


def _files_of(block: _Block) -> list[str]:
    if not block.type.endswith(RESULT) or block.content is _ABSENT:
        return []
    content = _decode_result(block.content).content
    return [output.file_id for output in content if output.file_id] if isinstance(content, list) else []
