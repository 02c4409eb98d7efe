"""What a call by an organization's own name for a model becomes. Pure; knows no Django.

The body is rewritten before anything else looks at it: what is held, recorded and charged is what the
provider is really asked for.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from apps.proxy.protocols import body as bodies
from apps.proxy.protocols.base import Operation, Wire

_encode = msgspec.json.Encoder().encode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

Parameters = Mapping[str, msgspec.Raw]  # top-level fields of a body, by name


class Alias(NamedTuple):
    """A name that stands for a provider's model."""

    name: str
    provider: str
    wire: str  # the protocol that the provider speaks
    model: str
    default: Parameters  # set where the client says nothing
    forced: Parameters  # set whatever the client says


def parameters_of(stored: Mapping[str, object]) -> Parameters:
    """Parameters as they are put into bodies."""
    return {name: msgspec.Raw(_encode(value)) for name, value in stored.items()}


def rewritten(alias: Alias, wire: Wire, operation: Operation, body: bytes) -> tuple[Operation, bytes]:
    """The call as the provider has to get it. `body` is a well-formed object, with no key twice.

    Raises BadBody where a part of the body that is to be changed is no such object.
    """
    operation, body = wire.rename(operation, body, alias.model)
    if alias.default:
        body = with_parameters(body, alias.default, are_forced=False)
    if alias.forced:
        body = with_parameters(body, alias.forced, are_forced=True)
    return operation, body


def with_parameters(body: bytes, parameters: Parameters, *, are_forced: bool) -> bytes:
    """`body` with these members. All other bytes stay as they are.

    An object where the body has one too is merged with it in the same way. Gemini takes max_output_tokens for
    maxOutputTokens: a name means all its spellings, so that none goes past what is forced.
    """
    for name, value in parameters.items():
        found = bodies.spans(body)
        same = [each for each in found if _plain(each) == _plain(name)]
        if not same:
            body = _with_member(body, found, _encode(name) + b":" + bytes(value))
        for each in same:
            span = bodies.spans(body)[each]
            old = body[span.start : span.end]
            if old.startswith(b"{") and bytes(value).startswith(b"{"):
                body = bodies.replaced(body, span, with_parameters(old, _fields(value), are_forced=are_forced))
            elif are_forced:
                body = bodies.replaced(body, span, bytes(value))
    return body


def unnamed(told: bytes, alias: Alias) -> bytes:
    """A provider's error with the alias wherever it names the model."""
    name = rb"(?<![\w.-])" + re.escape(alias.model.encode()) + rb"(?![\w-])"
    return re.sub(name, lambda _: alias.name.encode(), told)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _with_member(body: bytes, found: Mapping[str, bodies.Span], member: bytes) -> bytes:
    return bodies.with_first(body, member) if found else b"{" + member + b"}"
