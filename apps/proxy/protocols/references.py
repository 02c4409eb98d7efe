"""What a body names of what the provider keeps for all who call with the same key: files, items, stores, containers.

Only names of keys give them away, so the body is walked where one of these stands in it, or may stand in other bytes.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from .body import hides_names
from .errors import UNREADABLE, BadBody

MOST = 200  # things that one body may name
ITEM = "item_reference"

_SIGN = re.compile(rb'"(?:file_id|file_ids|vector_store_ids|container|container_id|item_reference|skill_id)"')
_ONE = frozenset(("file_id", "container", "container_id"))
_OWN_SKILL = "skill_"  # what an id begins with; the provider's own have plain names
_MANY = frozenset(("file_ids", "vector_store_ids"))
# The client's own words, which nobody looks anything up by.
_NOT_READ = frozenset(("metadata", "attributes", "parameters", "schema", "json_schema", "input_schema", "arguments"))
NO_PARTS: frozenset[str] = frozenset()

_decode = msgspec.json.Decoder().decode


class _Item(msgspec.Struct, gc=False):
    id: str | None = None
    type: str | None = None
    role: str | None = None


_decode_items = msgspec.json.Decoder(list[_Item | str | None]).decode


def references(body: bytes, tool_uses: frozenset[str] = NO_PARTS) -> Iterator[tuple[str, str]]:
    """The field and the id of each, once. Raises BadBody where there are too many.

    tool_uses: types of parts whose `input` is what a model said to a tool, and so nothing that is looked up.
    """
    if _SIGN.search(body) is None and not hides_names(body):
        return
    try:
        found = dict.fromkeys(_walk(_decode(body), tool_uses))
    except RecursionError:
        raise BadBody("The body is nested too deeply.") from None
    except UNREADABLE:
        raise BadBody("The body is not JSON in UTF-8.") from None
    if len(found) > MOST:
        raise BadBody(f"The body names more than {MOST} files and other things that are kept.")
    yield from found


def plain_references(given: bytes) -> Iterator[tuple[str, str]]:
    """Of the input of a response, the items that say nothing but their id: those are references, too."""
    if not given.startswith(b"[") or b'"id"' not in given:
        return
    try:
        items = _decode_items(given)
    except UNREADABLE:
        return  # the provider refuses it
    for item in items:
        if isinstance(item, _Item) and item.id is not None and item.type is None and item.role is None:
            yield ITEM, item.id


def _walk(value: Any, tool_uses: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Depth first."""
    if isinstance(value, list):
        for each in value:
            yield from _walk(each, tool_uses)
    elif isinstance(value, dict):
        kind = value.get("type")
        if kind == ITEM and isinstance(value.get("id"), str):
            yield ITEM, value["id"]
        for key, inner in value.items():
            if key in _NOT_READ or (key == "input" and isinstance(kind, str) and kind in tool_uses):
                continue
            if key == "container" and isinstance(inner, dict) and isinstance(inner.get("id"), str):
                yield key, inner["id"]
            if key in _ONE and isinstance(inner, str):
                yield key, inner
            elif key == "skill_id" and isinstance(inner, str):
                if inner.startswith(_OWN_SKILL):
                    yield key, inner
            elif key in _MANY and isinstance(inner, list):
                yield from ((key, each) for each in inner if isinstance(each, str))
            else:
                yield from _walk(inner, tool_uses)
