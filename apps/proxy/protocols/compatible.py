"""Providers that speak OpenAI's protocol: how they are named in a call, and where they depart from it."""

from collections.abc import Container

from apps.keys.providers import wire_of

from .base import Dialect

SPEAK_OPENAI = frozenset(("openai", "azure"))  # the wires that OpenAI's own paths lead to

_PLAIN = Dialect()

_DIALECTS = {
    # Refuses every field it doesn't know (422), and tells usage in a stream unasked.
    "mistral": Dialect(takes_stream_options=False),
    # Its deep-research models: completion_tokens holds neither.
    "perplexity": Dialect(counts_reasoning_apart=True, counts_citations=True),
}


def dialect_of(provider: str) -> Dialect:
    """How `provider` departs from OpenAI's protocol."""
    return _DIALECTS.get(provider, _PLAIN)


def named_provider(model: str, providers: Container[str]) -> tuple[str, str] | None:
    """The provider that a "provider/model" name means, and the model it knows.

    None unless the part before the first slash is one of `providers` (those that the customer has a key
    for) and speaks OpenAI's protocol: many models have a slash in their own name.
    """
    provider, slash, rest = model.partition("/")
    if slash and rest and provider in providers and wire_of(provider) in SPEAK_OPENAI:
        return provider, rest
    return None
