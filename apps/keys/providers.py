"""The providers we know: what they are called, which protocol they speak, and where.

Slugs are those of genai-prices, so that prices are found by them. An operator's own provider (vLLM, Ollama,
any other) has a slug of its own, speaks OpenAI's protocol, and always carries its base URL.
"""

from dataclasses import dataclass
from typing import Literal

Wire = Literal["openai", "azure", "anthropic", "gemini"]


@dataclass(frozen=True, slots=True)
class Provider:
    """`base_url` ends where the protocol's own paths begin: OpenAI's after the version, the others before.

    "": every customer of the provider has a host of its own there.
    """

    slug: str
    label: str
    wire: Wire
    base_url: str
    keys_url: str  # the page where its customers make API keys


_ALL = (
    Provider("openai", "OpenAI", "openai", "https://api.openai.com/v1", "https://platform.openai.com/api-keys"),
    Provider(
        "anthropic",
        "Anthropic",
        "anthropic",
        "https://api.anthropic.com",
        "https://console.anthropic.com/settings/keys",
    ),
    Provider(
        "google",
        "Google Gemini",
        "gemini",
        "https://generativelanguage.googleapis.com",
        "https://aistudio.google.com/apikey",
    ),
    Provider("azure", "Azure OpenAI", "azure", "", "https://portal.azure.com"),
    Provider("mistral", "Mistral", "openai", "https://api.mistral.ai/v1", "https://console.mistral.ai/api-keys"),
    Provider("groq", "Groq", "openai", "https://api.groq.com/openai/v1", "https://console.groq.com/keys"),
    Provider(
        "deepseek",
        "DeepSeek",
        "openai",
        "https://api.deepseek.com/v1",
        "https://platform.deepseek.com/api_keys",
    ),
    Provider(
        "together",
        "Together AI",
        "openai",
        "https://api.together.xyz/v1",
        "https://api.together.ai/settings/api-keys",
    ),
    Provider("x-ai", "xAI", "openai", "https://api.x.ai/v1", "https://console.x.ai"),
    Provider(
        "openrouter",
        "OpenRouter",
        "openai",
        "https://openrouter.ai/api/v1",
        "https://openrouter.ai/settings/keys",
    ),
    Provider(
        "fireworks",
        "Fireworks AI",
        "openai",
        "https://api.fireworks.ai/inference/v1",
        "https://app.fireworks.ai/settings/users/api-keys",
    ),
    Provider("cerebras", "Cerebras", "openai", "https://api.cerebras.ai/v1", "https://cloud.cerebras.ai"),
    Provider(
        "perplexity",
        "Perplexity",
        "openai",
        "https://api.perplexity.ai",
        "https://www.perplexity.ai/settings/api",
    ),
    Provider(
        "moonshotai",
        "Moonshot AI",
        "openai",
        "https://api.moonshot.ai/v1",
        "https://platform.moonshot.ai/console/api-keys",
    ),
)

PROVIDERS: dict[str, Provider] = {provider.slug: provider for provider in _ALL}


def label_of(slug: str) -> str:
    """What to call the provider; an operator's own is called by its slug."""
    return PROVIDERS[slug].label if slug in PROVIDERS else slug


def wire_of(slug: str) -> Wire:
    """The protocol that the provider speaks; an operator's own speaks OpenAI's."""
    return PROVIDERS[slug].wire if slug in PROVIDERS else "openai"


def base_url_of(slug: str, own: str = "") -> str:
    """Where calls go: `own`, the key's base URL, or else the provider's; "" if neither is known."""
    if own:
        return own
    return PROVIDERS[slug].base_url if slug in PROVIDERS else ""
