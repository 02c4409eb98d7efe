"""A name of the operator's own for a model: put in the real name's place on the way out, and back on the way in.

Pure; knows no Django.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from apps.proxy.protocols import body as bodies

_KEY = b'"model'
_MODEL = rb'("model(?:Version)?"\s*:\s*")'
_BEGUN = re.compile(rb'"model(?:V(?:e(?:r(?:s(?:i(?:o(?:n)?)?)?)?)?)?)?(?:"\s*(?::\s*(?:"[^"]*)?)?)?')
_TRAILING = 512  # bytes at the end of a part in which a name can have begun

_encode = msgspec.json.Encoder().encode


class Alias(NamedTuple):
    """What a name stands for."""

    name: str
    provider: str
    model: str  # as the provider calls it
    defaults: Mapping[str, bytes] = {}  # JSON by field of a body that doesn't say it
    forced: Mapping[str, bytes] = {}  # whatever the body says

    def applied_to(self, body: bytes) -> bytes:
        """The body with the alias's parameters; its other bytes stay as they were. Raises BadBody."""
        for field, value in (*self.defaults.items(), *self.forced.items()):
            spans = bodies.spans(body)
            if field not in spans:
                body = bodies.with_first(body, _encode(field) + b":" + value)
            elif field in self.forced:
                body = bodies.replaced(body, spans[field], value)
        return body


class Renamer:
    """Puts the alias in the place of the real model's name in an answer, wherever it is cut.

    Only values that begin as the real name does are replaced: a model is served under its dated name, too.
    """

    def __init__(self, alias: Alias) -> None:
        self._pattern = re.compile(_MODEL + rb"(?:models/)?" + re.escape(alias.model.encode()) + rb'[^"\\]*(")')
        self._whole = re.compile(_MODEL + rb'[^"]*"')
        self._replacement = alias.name.encode()
        self._held = b""  # a name may have begun in it

    def feed(self, part: bytes) -> bytes:
        """What can go out by now. b"": the end."""
        if not part:
            rest, self._held = self._held, b""
            return rest
        text = self._pattern.sub(lambda found: found[1] + self._replacement + found[2], self._held + part)
        at = self._begun_at(text)
        self._held = text[at:]
        return text[:at]

    def _begun_at(self, text: bytes) -> int:
        """Where a member begins whose end hasn't come; the length of the text if none does."""
        size = len(text)
        at = text.rfind(_KEY, max(0, size - _TRAILING))
        if at >= 0 and self._whole.match(text, at) is None and _BEGUN.fullmatch(text, at):
            return at
        return next((size - n for n in range(len(_KEY) - 1, 0, -1) if text.endswith(_KEY[:n])), size)


def without_model(text: bytes, alias: Alias) -> bytes:
    """A provider's error that doesn't tell which model stands behind the alias."""
    return text.replace(alias.model.encode(), alias.name.encode())
