"""Tools that a provider runs and charges by the call: what a request may use, and what an answer says was used.

The names are those of `pricing.units`.
"""

import re
from collections.abc import Mapping
from contextlib import suppress

import msgspec
from msgspec.structs import astuple

from apps.pricing.rating import Units

from .base import MOST_TOOL_CALLS, Count, Limit, take
from .errors import UNREADABLE

MOST_IMAGES = 5  # the same, of images

_TOOLS = ("web_search_preview", "web_search", "x_search", "file_search", "attachment_search")  # by how they begin
_FREE = frozenset(("function", "custom", "mcp", ""))
_OTHER_NAMES = {"collections_search": "file_search", "code_execution": "code_interpreter"}
_DRAWN = "image_out:"
_TERM = re.compile(r"[a-z0-9_-]{1,20}")

_SEARCHED = re.compile(rb'"action"\s*:\s*\{\s*"type"\s*:\s*"search"')
_FILE_SEARCHED = re.compile(rb'"type"\s*:\s*"file_search_call"')
_CONTAINER = re.compile(rb'"container_id"\s*:\s*"([^"\\]+)"')


_ABSENT = msgspec.Raw()


class _Container(msgspec.Struct, gc=False):
    memory_limit: str | None = None


class _Tool(msgspec.Struct, gc=False):
    """One that a request offers, in any protocol's form."""

    type: str = ""
    max_uses: Limit | None = None  # Anthropic
    container: _Container | str | None = None
    quality: str | None = None
    size: str | None = None
    model: str | None = None  # that draws


class _Typed(msgspec.Struct, gc=False):
    type: str = ""


class _GeminiTool(msgspec.Struct, gc=False):
    """One that grounds an answer, in either spelling that Google takes."""

    search: msgspec.Raw = msgspec.field(default=_ABSENT, name="googleSearch")
    search_snake: msgspec.Raw = msgspec.field(default=_ABSENT, name="google_search")
    retrieval: msgspec.Raw = msgspec.field(default=_ABSENT, name="googleSearchRetrieval")
    retrieval_snake: msgspec.Raw = msgspec.field(default=_ABSENT, name="google_search_retrieval")
    maps: msgspec.Raw = msgspec.field(default=_ABSENT, name="googleMaps")
    maps_snake: msgspec.Raw = msgspec.field(default=_ABSENT, name="google_maps")


class _Action(msgspec.Struct, gc=False):
    type: str | None = None


class Item(msgspec.Struct, gc=False):
    """A part of a response's output."""

    id: str | None = None
    type: str = ""
    status: str | None = None
    action: _Action | str | None = None
    container_id: str | None = None
    quality: str | None = None
    size: str | None = None


class _Parts(msgspec.Struct, gc=False):
    image_tokens: Count | None = None


class _Drawn(msgspec.Struct, gc=False):
    """Tokens of the model that draws."""

    input_tokens: Count | None = None
    input_tokens_details: _Parts | None = None
    output_tokens: Count | None = None
    output_tokens_details: _Parts | None = None


class _ToolUsage(msgspec.Struct, gc=False):
    image_gen: _Drawn | None = None


_decode_tool_usage = msgspec.json.Decoder(_ToolUsage | None).decode
_decode_grounding = msgspec.json.Decoder(list[_GeminiTool]).decode
_decode_types = msgspec.json.Decoder(list[_Typed]).decode
_decode_tools = msgspec.json.Decoder(list[_Tool]).decode
_decode_item = msgspec.json.Decoder(Item).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def bound_of(tools: msgspec.Raw, max_calls: int | None = None) -> Units:
    """The most that the tools of a request can charge. max_calls: of all tools together, as the request says."""
    offered = _offered(tools)
    if all(tool.type in _FREE for tool in offered):  # which is what nearly all are
        return ()
    charges = [charge for tool in offered if (charge := _charge_of(tool, max_calls)) is not None]
    # Which model draws is told by the request only; the reader finds it among the units.
    drawing = [(f"{_DRAWN}{tool.model}", 0) for tool in offered if tool.type == "image_generation" and tool.model]
    return (*charges, *drawing)


def _offered(tools: msgspec.Raw) -> list[_Tool]:
    """Of tools that have something of another form than we know, what they are."""
    try:
        return _decode_tools(tools)
    except UNREADABLE:
        pass
    try:
        return [_Tool(tool.type) for tool in _decode_types(tools)]
    except UNREADABLE:
        return []  # the provider refuses them, too


def _charge_of(tool: _Tool, max_calls: int | None) -> tuple[str, int] | None:
    most = MOST_TOOL_CALLS if max_calls is None else max_calls
    kind = _OTHER_NAMES.get(tool.type, tool.type)
    if kind == "code_interpreter":
        memory = tool.container.memory_limit if isinstance(tool.container, _Container) else None
        return (f"{kind}:{memory}" if memory and memory != "1g" else kind), min(1, most)
    if kind == "image_generation":
        return image(tool.quality, tool.size), MOST_IMAGES if max_calls is None else most
    name = next((name for name in _TOOLS if kind.startswith(name)), None)
    return None if name is None else (name, most if tool.max_uses is None else tool.max_uses)


def image(quality: str | None, size: str | None) -> str:
    """The unit that an image is; one that the price book doesn't know costs what the dearest of them does."""
    told = (each if each and _TERM.fullmatch(each) else "auto" for each in (quality, size))
    return ":".join(("image", *told))


def grounding_bound_of(tools: msgspec.Raw) -> Units:
    """Of a Gemini request that may search: newer models charge each search, older ones the prompt."""
    try:
        offered = _decode_grounding(tools)
    except UNREADABLE:
        return ()
    if all(each is _ABSENT for tool in offered for each in astuple(tool)):
        return ()
    return ("web_search", MOST_TOOL_CALLS), ("grounded_prompt", 1), ("grounded_map", 1)


class ToolCalls:
    """What the tools of one response did, told item by item and again at its end."""

    def __init__(self, offered: Units) -> None:
        names = [name for name, _ in offered]
        self._search = "web_search_preview" if "web_search_preview" in names else "web_search"
        self._container = next((name for name in names if name.startswith("code_interpreter")), "code_interpreter")
        self._drawing = next((name.removeprefix(_DRAWN) for name in names if name.startswith(_DRAWN)), "auto")
        self._drawn: dict[str, int] = {}  # tokens of what was drawn, where they are told
        self._found: dict[str, str] = {}  # names of units, by what each is charged once for
        self.made: list[str] = []  # ids of a whole response's items and their containers: later calls may name them

    def note_all(self, output: msgspec.Raw) -> None:
        """The output of a whole response."""
        with suppress(*UNREADABLE):
            for item in _decode_items(output):
                self.note(item)
                self._keep(item)

    def _keep(self, raw: msgspec.Raw) -> None:
        with suppress(*UNREADABLE):
            item = _decode_item(raw)
            self.made += [each for each in (item.id, item.container_id) if each]

    def note(self, raw: msgspec.Raw) -> None:
        """One item of it."""
        with suppress(*UNREADABLE):  # an item of a kind that we don't know, and that costs nothing
            item = _decode_item(raw)
            if item.type.endswith("_call") and item.status != "failed":
                self._note(item)

    def note_excerpt(self, raw: bytes) -> None:
        """The ends of a response that was too long to be kept; only where its items weren't told before."""
        if self._found:
            return
        self._found |= {f"search {number}": self._search for number, _ in enumerate(_SEARCHED.findall(raw))}
        self._found |= {f"file {number}": "file_search" for number, _ in enumerate(_FILE_SEARCHED.findall(raw))}
        self._found |= {container.decode(): self._container for container in _CONTAINER.findall(raw)}

    def note_usage(self, raw: msgspec.Raw) -> None:
        """What the tools of a whole response used: images are then charged by their tokens."""
        try:
            told = _decode_tool_usage(raw)
        except UNREADABLE:
            return
        if told is not None and (drawn := told.image_gen) is not None:
            went_in = _split(drawn.input_tokens, drawn.input_tokens_details)
            came_out = _split(drawn.output_tokens, drawn.output_tokens_details or _Parts(drawn.output_tokens))
            kinds = ("image_in", "image_text_in", "image_out", "image_text_out")
            counts = zip(kinds, (*went_in, *came_out), strict=True)
            self._drawn = {f"{kind}:{self._drawing}": count for kind, count in counts if count}

    def count(self) -> dict[str, int]:
        """How many of each unit."""
        counted = dict(self._drawn)
        for name in self._found.values():
            if not (self._drawn and name.startswith("image:")):
                counted[name] = counted.get(name, 0) + 1
        return counted

    def _note(self, item: Item) -> None:
        key = item.id or f"item {len(self._found)}"
        match item.type:
            case "web_search_call":  # to open a page, or to look for something in it, costs nothing
                if not isinstance(item.action, _Action) or item.action.type in (None, "search"):
                    self._found[key] = self._search
            case "file_search_call":
                self._found[key] = "file_search"
            case "code_interpreter_call":
                self._found[item.container_id or key] = self._container
            case "image_generation_call":
                if item.status in (None, "completed"):
                    self._found[key] = image(item.quality, item.size)


def _split(tokens: int | None, parts: _Parts | None) -> tuple[int, int]:
    """Those of images, and the others."""
    return take(max(0, tokens or 0), parts.image_tokens if parts else None)


_CALLS = {  # as xAI counts them
    "web_search_calls": "web_search",
    "x_search_calls": "x_search",
    "code_interpreter_calls": "code_interpreter",
    "file_search_calls": "file_search",
    "document_search_calls": "attachment_search",
}


def units_of_calls(calls: Mapping[str, object]) -> dict[str, int]:
    """From counts of calls by tool."""
    counted = ((name, calls.get(told)) for told, name in _CALLS.items())
    return {name: count for name, count in counted if isinstance(count, int) and count > 0}
