"""Which names for models a key is told of, by the protocol it asks in."""

from types import SimpleNamespace

import pytest

from apps.limits.access import Access
from apps.proxy.aliases import Alias
from apps.proxy.listing import listing_of, names_for

ALIASES = [
    Alias("house-chat", "openai", "openai", "gpt-4o", {}, {}),
    Alias("house-azure", "azure", "azure", "gpt-4o", {}, {}),
    Alias("house-claude", "anthropic", "anthropic", "claude-sonnet-5", {}, {}),
    Alias("house-unkeyed", "groq", "openai", "llama", {}, {}),
]
NAMES = [
    ("openai", ["house-azure", "house-chat"]),
    ("azure", ["house-azure", "house-chat"]),
    ("anthropic", ["house-claude"]),
    ("gemini", []),
]


def a_grant(*globs: str) -> SimpleNamespace:
    return SimpleNamespace(
        aliases={alias.name: alias for alias in ALIASES},
        routes=dict.fromkeys(("openai", "azure", "anthropic")),
        access=Access([globs], []),
    )


@pytest.mark.parametrize(("wire", "names"), NAMES)
def test_names_are_those_that_can_be_called_by_the_protocol(wire: str, names: list[str]):
    assert names_for(a_grant(), wire) == names
    assert all(name.encode() in listing_of(a_grant(), wire).body for name in names)


def test_a_name_that_the_key_may_not_call_is_not_told():
    assert names_for(a_grant("house-chat"), "openai") == ["house-chat"]
