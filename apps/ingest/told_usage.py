"""Usage as a provider's answer tells it, read by what reads it on its way through the proxy. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from apps.ingest.errors import Invalid
from apps.keys.providers import wire_of
from apps.pricing.rating import Tokens, Units
from apps.proxy.protocols.base import Ask, Operation, Wire
from apps.proxy.protocols.routes import ANTHROPIC, GEMINI, OPENAI

MOST_TOKENS = 1_000_000_000  # of one kind, in one call
GEMINIS = frozenset(("promptTokenCount", "candidatesTokenCount", "totalTokenCount"))
ANTHROPICS = frozenset(("cache_read_input_tokens", "cache_creation_input_tokens"))

_encode = msgspec.json.Encoder().encode


class Used(NamedTuple):
    """What one call used."""

    tokens: Tokens = Tokens()
    units: Units = ()
    service_tier: str = ""
    provider_cost: Decimal | None = None  # USD, where the provider says what it charges

    @property
    def is_nothing(self) -> bool:
        return not self.tokens.total and not self.units


def used_of(usage: Mapping[str, object], provider: str, endpoint: str) -> Used:
    """The disjoint kinds of a `usage` (Gemini: `usageMetadata`) object. Raises Invalid.

    By its own form rather than the provider's, since many providers have a second address that speaks OpenAI's.
    """
    wire, key = _form_of(usage, provider)
    reader = wire.reader(Operation(endpoint, b""), Ask(provider=provider))
    reader.read_body(b'{"' + key + b'":' + _encode(usage) + b"}")
    if reader.tokens is None and not reader.units:
        raise Invalid(f"That is no usage as {wire.name} tells it.", "usage")
    tokens = reader.tokens or Tokens()
    if any(count > MOST_TOKENS for count in (*msgspec.structs.astuple(tokens), *reader.units.values())):
        raise Invalid(f"More than {MOST_TOKENS:,} of a kind, in one call.", "usage")
    return Used(tokens, tuple(reader.units.items()), reader.service_tier[:40].replace("\0", ""), reader.provider_cost)


def _form_of(usage: Mapping[str, object], provider: str) -> tuple[Wire, bytes]:
    if GEMINIS.intersection(usage):
        return GEMINI, b"usageMetadata"
    is_anthropic = wire_of(provider) == "anthropic" and "prompt_tokens" not in usage
    if is_anthropic or ANTHROPICS.intersection(usage):
        return ANTHROPIC, b"usage"
    return OPENAI, b"usage"
