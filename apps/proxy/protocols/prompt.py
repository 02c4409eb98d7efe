"""The words of a request, for their tokens to be counted where no answer tells them: those of all protocols."""

from typing import Any

import msgspec

from .errors import UNREADABLE

TOKENS_A_MESSAGE = 4  # its role, its beginning and its end, about

_WORDS = frozenset(
    (
        "content", "text", "input", "prompt", "instructions", "system", "arguments", "output", "thinking",
        "reasoning_content", "refusal",
    )
)  # fmt: skip
# Whose JSON the model reads as it is, about.
_DECLARED = frozenset(("tools", "functions", "response_format", "args", "response"))
# What isn't words: of that its size says more.
_THINGS = frozenset(
    (
        "image_url", "input_audio", "inline_data", "inlineData", "file_data", "fileData", "file", "file_id", "source",
        "previous_response_id", "conversation", "cachedContent", "cached_content",
    )
)  # fmt: skip

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Words:
    """Of one body. `texts` is None where there is more in it than words, or where it cannot be read."""

    def __init__(self, body: bytes) -> None:
        self.messages = 0
        found: list[str] = []
        self.texts: list[str] | None = found
        try:
            self._walk(_decode(body), "", found)
        except (*UNREADABLE, RecursionError, _MoreThanWords):
            self.texts = None

    def __repr__(self) -> str:
        return f"<Words of {self.messages} messages>"

    def _walk(self, value: Any, key: str, found: list[str]) -> None:
        if isinstance(value, str):
            if key in _WORDS:
                found.append(value)
        elif isinstance(value, list):
            for each in value:
                self._walk(each, key, found)
        elif isinstance(value, dict):
            self.messages += "role" in value
            for name, inner in value.items():
                self._walk_field(name, inner, found)

    def _walk_field(self, name: str, inner: Any, found: list[str]) -> None:
        if name in _THINGS and inner is not None:
            raise _MoreThanWords
        if name in _DECLARED or (name == "input" and isinstance(inner, dict)):  # Anthropic: of a tool
            found.append(_encode(inner).decode())
        else:
            self._walk(inner, name, found)


class _MoreThanWords(Exception):
    """Images, sound, files, or something that the provider keeps."""
