"""Which rule goes first, and which two can't stand side by side."""

import pytest

from apps.pricing.globs import Rank, clash, glob_of

MEANT = [  # glob, provider, model, whether it is meant
    pytest.param("gpt-4o", "openai", "gpt-4o", True, id="the model"),
    pytest.param("GPT-4o", "openai", "gpt-4o", True, id="whatever the case"),
    pytest.param("gpt-4o", "azure", "gpt-4o", True, id="of any provider"),
    pytest.param("gpt-4o", "openai", "gpt-4o-mini", False, id="and no longer name"),
    pytest.param("gpt-4o*", "openai", "gpt-4o-mini", True, id="a pattern"),
    pytest.param("openai/gpt-4o", "azure", "gpt-4o", False, id="another provider's"),
    pytest.param("openai/*", "openai", "o3", True, id="all of a provider"),
    pytest.param("openai/*", "openai", "", True, id="a call that names none, too"),
    pytest.param("openai/*", "openrouter", "openai/gpt-4o", False, id="not who sells it on"),
    pytest.param("openrouter/openai/*", "openrouter", "openai/gpt-4o", True, id="a name with a slash"),
    pytest.param("*/llama-*", "together", "meta-llama/llama-4", True, id="a slash anywhere"),
    pytest.param("gpt-4.1", "openai", "gpt-4x1", False, id="a dot is a dot"),
    pytest.param("*", "google", "gemini-3", True, id="everything"),
]


@pytest.mark.parametrize(("text", "provider", "model", "is_meant"), MEANT)
def test_a_glob_means_models(text, provider, model, is_meant):
    assert glob_of(text).matches(provider, model) is is_meant


RANKS = [("*", Rank.ALL), ("**", Rank.ALL), ("openai/*", Rank.PROVIDER), ("gpt-*", Rank.SOME), ("*/gpt-*", Rank.SOME),
         ("openai/gpt-*", Rank.SOME), ("gpt-4o", Rank.ONE), ("openai/gpt-4o", Rank.ONE)]  # fmt: skip


@pytest.mark.parametrize(("text", "rank"), RANKS)
def test_how_narrow_it_is(text, rank):
    assert glob_of(text).rank is rank


@pytest.mark.parametrize("text", ["", "gpt 4o", "gpt-[45]", "a" * 170, "gpt-4?", "gpt\n"])
def test_what_is_no_glob(text):
    with pytest.raises(ValueError, match="pattern of models"):
        glob_of(text)


CLASHES = [  # two globs, whether a model can be both without one being the narrower
    ("gpt-*", "*mini", True),  # gpt-mini, and four letters each
    ("gpt-*", "*-mini", False),  # the longer one
    ("gpt-*", "o4-*", False),  # no model is both
    ("openai/*", "google/*", False),
    ("*/gpt-4", "gpt-4.1", False),
    ("openai/gpt-4", "google/gpt-4", False),
    ("o/gpt-*", "gpt-4o*", True),  # gpt-4o of the provider "o"
    ("a*b*c", "a*c*b", False),  # each ends otherwise
    ("a*bc*", "*ab*c", True),
]


@pytest.mark.parametrize(("one", "other", "do_clash"), CLASHES)
def test_two_that_can_mean_the_same_model(one, other, do_clash):
    assert clash(glob_of(one), glob_of(other)) is do_clash
    assert clash(glob_of(other), glob_of(one)) is do_clash
