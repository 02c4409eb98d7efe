"""What a body names of what the provider keeps for all who call with the same key: files, items, stores, containers.

Only names of keys give them away, so the body is walked where one of these stands in it, or may stand in other bytes.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from .body import hides_names
from .errors import BadBody

MOST = 200  # things that one body may name
ITEM = "item_reference"

_SIGN = re.compile(rb'"(?:file_id|file_ids|vector_store_ids|container|container_id|item_reference)"')
_ONE = frozenset(("file_id", "container", "container_id"))
_MANY = frozenset(("file_ids", "vector_store_ids"))
# The client's own words, which nobody looks anything up by.
_NOT_READ = frozenset(("metadata", "attributes", "parameters", "schema", "json_schema", "input_schema", "arguments"))

_decode = msgspec.json.Decoder().decode


class _Item(msgspec.Struct, gc=False):
    id: str | None = None
    type: str | None = None
    role: str | None = None


_decode_items = msgspec.json.Decoder(list[_Item | str | None]).decode


def references(body: bytes) -> Iterator[tuple[str, str]]:
    """The field and the id of each, once. Raises BadBody where there are too many."""
    if _SIGN.search(body) is None and not hides_names(body):
        return
    try:
        found = dict.fromkeys(_walk(_decode(body)))
    except RecursionError:
        raise BadBody("The body is nested too deeply.") from None
    if len(found) > MOST:
        raise BadBody(f"The body names more than {MOST} files and other things that are kept.")
    yield from found


def plain_references(given: bytes) -> Iterator[tuple[str, str]]:
    """Of the input of a response, the items that say nothing but their id: those are references, too."""
    if not given.startswith(b"[") or b'"id"' not in given:
        return
    try:
        items = _decode_items(given)
    except msgspec.DecodeError:
        return  # the provider refuses it
    for item in items:
        if isinstance(item, _Item) and item.id is not None and item.type is None and item.role is None:
            yield ITEM, item.id


def _walk(value: Any) -> Iterator[tuple[str, str]]:
    """Depth first."""
    if isinstance(value, list):
        for each in value:
            yield from _walk(each)
    elif isinstance(value, dict):
        if value.get("type") == ITEM and isinstance(value.get("id"), str):
            yield ITEM, value["id"]
        for key, inner in value.items():
            if key in _NOT_READ:
                continue
            if key in _ONE and isinstance(inner, str):
                yield key, inner
            elif key in _MANY and isinstance(inner, list):
                yield from ((key, each) for each in inner if isinstance(each, str))
            else:
                yield from _walk(inner)
