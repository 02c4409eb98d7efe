"""Usage as OpenAI and those who follow it tell it, made into disjoint kinds.

Cached, written, audio and image tokens are inside the prompt's count; reasoning, audio and accepted
predictions inside the completion's. xAI and Perplexity depart from that.
"""

from contextlib import suppress
from decimal import Decimal
from math import ceil
from typing import Any

import msgspec

from apps.pricing.rating import Tokens

from .base import Count, Dialect, amount, take
from .errors import UNREADABLE
from .tools import units_of_calls

_TICKS = 10**10  # in a dollar, with xAI
_ABSENT = msgspec.Raw()


class _Cached(msgspec.Struct, gc=False):
    """Cached tokens by what they are."""

    audio_tokens: Count | None = None
    image_tokens: Count | None = None


class _Written(msgspec.Struct, gc=False):
    """Written tokens by how long they are kept; those of 30 minutes are the rest."""

    ttl_12h_tokens: Count | None = None


class Details(msgspec.Struct, gc=False):
    """A part of the tokens by what they are. None: not told."""

    cached_tokens: Count | None = None
    cached_tokens_details: _Cached | None = None
    cache_write_tokens: Count | None = None
    cache_write_tokens_details: _Written | None = None
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
    num_search_queries: Count | None = None  # Perplexity
    seconds: float | None = None  # of sound, where that is what is charged
    cost: msgspec.Raw = _ABSENT  # OpenRouter: USD; Perplexity: an object with the total
    cost_in_usd_ticks: Count | None = None  # xAI
    server_side_tool_usage_details: msgspec.Raw = _ABSENT  # xAI: calls by tool


class _Cost(msgspec.Struct, gc=False):
    total_cost: Decimal | None = None


_UNTOLD = Details()
_NONE_CACHED = _Cached()
_decode_calls = msgspec.json.Decoder(dict[str, Any] | None).decode
_decode_cost = msgspec.json.Decoder(Decimal | _Cost | None).decode


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
    # other, each from what is left, they never sum to more than the whole. Where it does tell, that holds.
    went_in = usage.prompt_tokens_details or usage.input_tokens_details or usage.input_token_details or _UNTOLD
    cached = went_in.cached_tokens
    if cached is None:  # an explicit 0 was told
        cached = usage.prompt_cache_hit_tokens if usage.cached_tokens is None else usage.cached_tokens
    read, left = take(prompt, cached)
    written, left = take(left, went_in.cache_write_tokens)
    lifetimes = went_in.cache_write_tokens_details
    kept, written = take(written, lifetimes.ttl_12h_tokens if lifetimes else None)
    known = went_in.cached_tokens_details or _NONE_CACHED
    audio, left = take(left, (went_in.audio_tokens or 0) - (known.audio_tokens or 0))
    image, text = take(left, (went_in.image_tokens or 0) - (known.image_tokens or 0))

    came_out = usage.completion_tokens_details or usage.output_tokens_details or usage.output_token_details or _UNTOLD
    thought = came_out.reasoning_tokens or usage.reasoning_tokens
    if thought and _is_apart(usage, dialect, prompt, completion, thought):
        completion += thought
    if dialect.counts_citations:
        completion += usage.citation_tokens or 0
    thought, left = take(completion, thought)
    audio_out, left = take(left, came_out.audio_tokens)
    image_out, text_out = take(left, came_out.image_tokens)

    return Tokens(text, read, 0, kept, written, audio, image, text_out, thought, audio_out, image_out)


def units_of(usage: Usage) -> dict[str, int]:
    """What the usage itself says is charged by the piece."""
    units: dict[str, int] = {}
    if usage.server_side_tool_usage_details is not _ABSENT:
        with suppress(*UNREADABLE):
            units = units_of_calls(_decode_calls(usage.server_side_tool_usage_details) or {})
    if usage.num_search_queries:
        units["web_search"] = usage.num_search_queries
    if usage.seconds and 0 < usage.seconds < 2**31:
        units["second"] = ceil(usage.seconds)
    went_in = usage.prompt_tokens_details or usage.input_tokens_details or usage.input_token_details or _UNTOLD
    cached = went_in.cached_tokens_details or _NONE_CACHED
    if cached.audio_tokens:
        units["cache_read_audio"] = cached.audio_tokens
    if cached.image_tokens:
        units["cache_read_image"] = cached.image_tokens
    return {name: count for name, count in units.items() if count > 0}


def cost_of(usage: Usage) -> Decimal | None:
    """What the provider says that the call cost, in USD."""
    if usage.cost_in_usd_ticks is not None:
        return amount(Decimal(usage.cost_in_usd_ticks) / _TICKS)
    if usage.cost is _ABSENT:
        return None
    try:
        told = _decode_cost(usage.cost)
    except UNREADABLE:
        return None
    total = told.total_cost if isinstance(told, _Cost) else told
    return None if total is None else amount(total)


def _is_apart(usage: Usage, dialect: Dialect, prompt: int, completion: int, thought: int) -> bool:
    """Whether reasoning comes on top of the completion. For xAI only the total gives it away."""
    return dialect.counts_reasoning_apart or usage.total_tokens == prompt + completion + thought
