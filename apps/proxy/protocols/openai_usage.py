"""Usage as OpenAI and those who follow it tell it, made into disjoint kinds.

Cached, written and audio tokens are inside the prompt's count; reasoning and audio inside the completion's,
as are the tokens of accepted predictions. Rules and their sources: "LLM token rating".
"""

import msgspec

from apps.pricing.rating import Tokens

from .base import Dialect


class Details(msgspec.Struct, gc=False):
    """A part of the tokens by what they are. `None`: not told."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    reasoning_tokens: int | None = None


class Usage(msgspec.Struct, gc=False):
    """All spellings: chat and completions, Responses and images, transcriptions, and other providers' own."""

    prompt_tokens: int | None = None
    input_tokens: int | None = None
    completion_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: Details | None = None
    input_tokens_details: Details | None = None
    input_token_details: Details | None = None
    completion_tokens_details: Details | None = None
    output_tokens_details: Details | None = None
    output_token_details: Details | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek
    cached_tokens: int | None = None  # Moonshot
    reasoning_tokens: int | None = None  # Perplexity
    citation_tokens: int | None = None  # Perplexity


_NO_DETAILS = Details()


def tokens_of(usage: Usage, dialect: Dialect) -> Tokens | None:
    """The disjoint kinds; None when the usage is not in tokens, such as seconds of sound."""
    prompt = _first(usage.prompt_tokens, usage.input_tokens)
    completion = _first(usage.completion_tokens, usage.output_tokens)
    if prompt is None and completion is None:
        return None
    return Tokens(**_input(usage, prompt or 0), **_output(usage, prompt or 0, completion or 0, dialect))


def _input(usage: Usage, left: int) -> dict[str, int]:
    told = (
        usage.prompt_tokens_details or usage.input_tokens_details or usage.input_token_details or _NO_DETAILS
    )
    # The parts can overlap (cached audio) without the answer telling how far: taken in this
    # order, each from what is left, they never sum to more than the whole.
    cached, left = _take(left, _first(told.cached_tokens, usage.prompt_cache_hit_tokens, usage.cached_tokens))
    written, left = _take(left, told.cache_write_tokens)
    audio, left = _take(left, told.audio_tokens)
    image, left = _take(left, told.image_tokens)
    return {
        "input": left,
        "cache_read": cached,
        "cache_write": written,
        "input_audio": audio,
        "input_image": image,
    }


def _output(usage: Usage, prompt: int, left: int, dialect: Dialect) -> dict[str, int]:
    told = (
        usage.completion_tokens_details
        or usage.output_tokens_details
        or usage.output_token_details
        or _NO_DETAILS
    )
    thought = _first(told.reasoning_tokens, usage.reasoning_tokens) or 0
    # xAI counts reasoning on top of the completion, which only the total gives away.
    if dialect.counts_reasoning_apart or (thought and usage.total_tokens == prompt + left + thought):
        left += max(0, thought)
    if dialect.counts_citations:
        left += max(0, usage.citation_tokens or 0)
    reasoning, left = _take(left, thought)
    audio, left = _take(left, told.audio_tokens)
    image, left = _take(left, told.image_tokens)
    return {"output": left, "reasoning": reasoning, "output_audio": audio, "output_image": image}


def _first(*told: int | None) -> int | None:
    """The first that was told. An explicit zero was told."""
    for number in told:
        if number is not None:
            return number
    return None


def _take(left: int, wanted: int | None) -> tuple[int, int]:
    """As much of `wanted` as there is, and what is left."""
    left = max(0, left)
    taken = min(left, max(0, wanted or 0))
    return taken, left - taken
