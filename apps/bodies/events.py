"""Answers that are streams: their events, and which pieces of text in them belong together. Pure.

Knows no protocol: two pieces belong together where they stand at the same keys of their events, and what
numbers an event (`index` and the like) is the same.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

NUMBERS = ("index", "output_index", "content_index", "item_id")
SAID = (
    "content",
    "text",
    "thinking",
    "reasoning",
    "reasoning_content",
    "refusal",
    "partial_json",
    "arguments",
    "delta",
)
DEEPEST = 40
_LINE = re.compile(r"[^\n]*\n|[^\n]+")

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def encode(value: Any) -> str:
    """A value as JSON."""
    return _encode(value).decode()


class Event(NamedTuple):
    """A line of a stream. value: the JSON in it; None: there is none."""

    raw: str
    before: str
    value: Any
    after: str

    def written(self) -> str:
        """The line with the value as it is now."""
        return f"{self.before}{encode(self.value)}{self.after}"


def read_events(text: str) -> list[Event]:
    """The lines of a stream, with what JSON is in them. Joined again, `raw` is the text."""
    return [_read(line) for line in _LINE.findall(text)]


def read_array(text: str) -> list[Any] | None:
    """The items of a stream that is one array of JSON; None: it is none, or cut off."""
    try:
        items = _decode(text) if text.lstrip()[:1] == "[" else None
    except (msgspec.DecodeError, RecursionError):
        return None
    return items if isinstance(items, list) and all(isinstance(item, dict) for item in items) else None


def _read(line: str) -> Event:
    if line.startswith("data:"):
        content = line.rstrip("\r\n")
        begin = 6 if content[5:6] == " " else 5
        if content[begin : begin + 1] in ("{", "["):
            try:
                return Event(line, line[:begin], _decode(content[begin:]), line[len(content) :])
            except (msgspec.DecodeError, RecursionError):
                pass
    return Event(line, "", None, "")


class Pieces:
    """Strings of several events that are one text."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names  # the keys on the way to them
        self._places: list[tuple[Any, Any, int]] = []

    def __repr__(self) -> str:
        return f"<Pieces {'.'.join(self.names)}: {len(self._places)}>"

    def add(self, holder: Any, key: Any, number: int) -> None:
        """number: of the event that it is in."""
        self._places.append((holder, key, number))

    def texts(self) -> list[str]:
        return [holder[key] for holder, key, _ in self._places]

    def put(self, texts: list[str]) -> set[int]:
        """Others in their place. Returns the numbers of the events that are changed by that."""
        changed = set()
        for (holder, key, number), text in zip(self._places, texts, strict=True):
            if holder[key] != text:
                holder[key] = text
                changed.add(number)
        return changed


class Channels:
    """The texts of a stream, each with its pieces, in the order in which they begin."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._channels: dict[tuple[Any, ...], Pieces] = {}
        self._number = 0
        for self._number, value in enumerate(values):
            if value is not None:
                self._walk(value, (), (), 0)

    def __iter__(self) -> Iterator[Pieces]:
        return iter(self._channels.values())

    def _walk(self, node: Any, channel: tuple[Any, ...], names: tuple[str, ...], depth: int) -> None:
        if isinstance(node, dict):
            channel = (*channel, *(str(node.get(number)) for number in NUMBERS))
            items: Iterable[tuple[Any, Any]] = node.items()
        else:
            items = enumerate(node)
        for key, value in items:
            if isinstance(value, str):
                pieces = self._channels.setdefault((*channel, key), Pieces((*names, str(key))))
                pieces.add(node, key, self._number)
            elif isinstance(value, dict | list) and depth < DEEPEST:
                self._walk(value, (*channel, key), (*names, str(key)) if isinstance(key, str) else names, depth + 1)


def said_in(text: str) -> list[str]:
    """What the model wrote in a stream: a text for each answer, thought or tool's arguments in it."""
    array = read_array(text)
    values = (event.value for event in read_events(text)) if array is None else array
    pieces = [one for one in Channels(values) if one.names[-1] in SAID]
    deltas = [one for one in pieces if one.names[-1] == "delta"]  # what else holds the same text holds it again
    return [said for one in deltas or pieces if (said := "".join(one.texts())).strip()]
