import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from genai_prices.data import providers as priced

from apps.keys.providers import PROVIDERS, base_url_of, label_of, wire_of


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_a_provider_is_priced_reached_safely_and_told_where_to_get_a_key(provider):
    assert provider.slug in {one.id for one in priced}
    for url in filter(None, (provider.base_url, provider.keys_url)):
        parts = urlsplit(url)
        assert (parts.scheme, parts.query, parts.fragment) == ("https", "", "")
    assert not provider.base_url.endswith("/")


@pytest.mark.parametrize(
    ("slug", "wire"),
    [("openai", "openai"), ("anthropic", "anthropic"), ("google", "gemini"), ("azure", "azure"), ("vllm", "openai")],
)
def test_each_provider_speaks_a_protocol(slug, wire):
    assert wire_of(slug) == wire


@pytest.mark.parametrize(
    ("slug", "own", "url"),
    [
        ("openai", "", "https://api.openai.com/v1"),
        ("openai", "https://eu.api.openai.com/v1", "https://eu.api.openai.com/v1"),
        ("anthropic", "", "https://api.anthropic.com"),
        ("vllm", "http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("vllm", "", ""),
    ],
)
def test_a_keys_own_base_url_goes_first(slug, own, url):
    assert base_url_of(slug, own) == url


def test_a_provider_of_ones_own_is_called_by_its_slug():
    assert (label_of("x-ai"), label_of("vllm")) == ("xAI", "vllm")


@pytest.mark.parametrize("module", ["apps.keys.token", "apps.keys.providers"])
def test_the_hot_path_gets_no_django_from_here(module):
    script = f"import sys, {module}; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
