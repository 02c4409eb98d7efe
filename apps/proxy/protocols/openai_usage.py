"""Usage as OpenAI and those who follow it tell it, made into disjoint kinds.

Cached, written, audio and image tokens are inside the prompt's count; reasoning, audio and accepted
predictions inside the completion's. xAI and Perplexity depart from that.
"""

import msgspec

from apps.pricing.rating import Tokens

from .base import Count, Dialect, take


class Details(msgspec.Struct, gc=False):
    """A part of the tokens by what they are. None: not told."""

    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    audio_tokens: Count | None = None
    image_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class Usage(msgspec.Struct, gc=False):
    """All spellings: chat and completions, responses and images, transcriptions, and other providers' own."""

    prompt_tokens: Count | None = None
    input_tokens: Count | None = None
    completion_tokens: Count | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: Details | None = None
    input_tokens_details: Details | None = None
    input_token_details: Details | None = None
    completion_tokens_details: Details | None = None
    output_tokens_details: Details | None = None
    output_token_details: Details | None = None
    prompt_cache_hit_tokens: Count | None = None  # DeepSeek
    cached_tokens: Count | None = None  # Moonshot
    reasoning_tokens: Count | None = None  # Perplexity
    citation_tokens: Count | None = None  # Perplexity


_UNTOLD = Details()


def tokens_of(usage: Usage, dialect: Dialect) -> Tokens | None:
    """The disjoint kinds; None when the usage is not in tokens, such as seconds of sound."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if prompt is None:
        prompt = usage.input_tokens
    if completion is None:
        completion = usage.output_tokens
    if prompt is None and completion is None:
        return None
    prompt, completion = max(0, prompt or 0), max(0, completion or 0)

    # The parts can overlap (cached sound) without the answer telling how far: taken one after the
    # other, each from what is left, they never sum to more than the whole.
    went_in = usage.prompt_tokens_details or usage.input_tokens_details or usage.input_token_details or _UNTOLD
    cached = went_in.cached_tokens
    if cached is None:  # an explicit 0 was told
        cached = usage.prompt_cache_hit_tokens if usage.cached_tokens is None else usage.cached_tokens
    read, left = take(prompt, cached)
    written, left = take(left, went_in.cache_write_tokens)
    audio, left = take(left, went_in.audio_tokens)
    image, text = take(left, went_in.image_tokens)

    came_out = usage.completion_tokens_details or usage.output_tokens_details or usage.output_token_details or _UNTOLD
    thought = came_out.reasoning_tokens or usage.reasoning_tokens
    if thought and _is_apart(usage, dialect, prompt, completion, thought):
        completion += thought
    if dialect.counts_citations:
        completion += usage.citation_tokens or 0
    thought, left = take(completion, thought)
    audio_out, left = take(left, came_out.audio_tokens)
    image_out, text_out = take(left, came_out.image_tokens)

    return Tokens(text, read, 0, 0, written, audio, image, text_out, thought, audio_out, image_out)


def _is_apart(usage: Usage, dialect: Dialect, prompt: int, completion: int, thought: int) -> bool:
    """Whether reasoning comes on top of the completion. For xAI only the total gives it away."""
    return dialect.counts_reasoning_apart or usage.total_tokens == prompt + completion + thought
