"""The list of models of who sells them under names of its own, in each protocol's shape. Knows no Django."""

from collections.abc import Iterable

import msgspec

from apps.proxy.grant import Grant
from apps.proxy.protocols.compatible import SPEAK_OPENAI

PATHS = frozenset((b"/models", b"/v1/models", b"/v1beta/models", b"/v1alpha/models"))  # of operations
_OWNER = "tollgate"
_SINCE = "1970-01-01T00:00:00Z"  # the SDKs want to know when a model was made; nobody does

_encode = msgspec.json.Encoder().encode


class Listing(Exception):
    """The call asks for the models there are, and we know: `body` is the answer."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body


def _shape_of(wire: str) -> str:
    """The protocol that it is, in the end: Azure speaks OpenAI's."""
    return "openai" if wire in SPEAK_OPENAI else wire


def names_for(grant: Grant, wire: str) -> list[str]:
    """The names that the key may call by this protocol, in order."""
    return sorted(
        alias.name
        for alias in grant.aliases.values()
        if _shape_of(alias.wire) == _shape_of(wire)
        and alias.provider in grant.routes
        and grant.access.allows_model(alias.provider, alias.model, alias.name)
    )


def listing_of(grant: Grant, wire: str) -> Listing:
    """The answer to a call by this protocol."""
    return Listing(_encode(_SHAPES[_shape_of(wire)](names_for(grant, wire))))


def _openai(names: Iterable[str]) -> dict[str, object]:
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 0, "owned_by": _OWNER} for name in names],
    }


def _anthropic(names: list[str]) -> dict[str, object]:
    return {
        "data": [{"type": "model", "id": name, "display_name": name, "created_at": _SINCE} for name in names],
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }


def _gemini(names: Iterable[str]) -> dict[str, object]:
    return {"models": [{"name": f"models/{name}", "displayName": name} for name in names]}


_SHAPES = {"openai": _openai, "anthropic": _anthropic, "gemini": _gemini}
