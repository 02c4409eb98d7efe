"""Which models and networks are allowed."""

import pytest

from apps.limits.access import Access

MODELS = [  # globs, provider, model, whether it may be called
    ([], "openai", "gpt-4o", True),
    ([], "openai", "", True),
    (["gpt-4o"], "openai", "gpt-4o", True),
    (["gpt-4o"], "openai", "gpt-4o-mini", False),
    (["gpt-4o*"], "openai", "gpt-4o-mini", True),
    (["GPT-4O*"], "openai", "gpt-4o-mini", True),
    (["gpt-4o*"], "openai", "xgpt-4o", False),
    (["gpt-4?"], "openai", "gpt-4o", True),
    (["openai/*"], "openai", "o3", True),
    (["openai/*"], "anthropic", "claude-x", False),
    (["openai/gpt-*", "claude-*"], "anthropic", "claude-x", True),
    (["meta-llama/*"], "groq", "meta-llama/llama-4", True),
    (["*"], "openai", "", True),
    (["openai/*"], "openai", "", True),
    (["gpt-*"], "openai", "", False),
    (["gpt.4o"], "openai", "gpt-4o", False),
    (["[a-z]*"], "openai", "gpt-4o", True),
    (["gpt-4o"], "openai", "gpt-4o\n", False),
]


@pytest.mark.parametrize(("globs", "provider", "model", "is_allowed"), MODELS)
def test_globs(globs: list[str], provider: str, model: str, is_allowed: bool):
    assert Access([globs], []).allows_model(provider, model) is is_allowed


NETWORKS = [  # networks, address, whether calls may come from there
    ([], "192.0.2.1", True),
    ([], None, True),
    (["192.0.2.0/24"], "192.0.2.255", True),
    (["192.0.2.0/24"], "192.0.3.0", False),
    (["192.0.2.7/24"], "192.0.2.1", True),
    (["192.0.2.7"], "192.0.2.7", True),
    (["192.0.2.0/24", "2001:db8::/32"], "2001:db8::1", True),
    (["192.0.2.0/24"], "2001:db8::1", False),
    (["192.0.2.0/24"], "::ffff:192.0.2.1", True),
    (["192.0.2.0/24"], "unix", False),
    (["0.0.0.0/0"], "::1", False),
]


@pytest.mark.parametrize(("networks", "address", "is_allowed"), NETWORKS)
def test_networks(networks: list[str], address: str | None, is_allowed: bool):
    assert Access([], [networks]).allows_address(address) is is_allowed


def test_all_lists_must_allow_it():
    access = Access([["gpt-*"], [], ["*-mini"]], [["10.0.0.0/8"], ["10.1.0.0/16"]])
    assert access.allows_model("openai", "gpt-4o-mini")
    assert not access.allows_model("openai", "gpt-4o")
    assert access.allows_address("10.1.2.3")
    assert not access.allows_address("10.2.2.3")
