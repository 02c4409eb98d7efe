"""Usage as providers tell it, and the disjoint kinds that it means. Worked by hand."""

from decimal import Decimal
from typing import Any

import pytest

from apps.pricing.rating import Tokens

from .answers import Case

Charged = dict[str, Any]
NOTHING: Charged = {}


def _chat(
    name: str, usage: dict[str, object], charged: Charged = NOTHING, provider: str = "openai", **tokens: int
) -> object:
    return pytest.param(Case("chat", usage, Tokens(**tokens), provider, charged), id=f"chat-{name}")


def _response(name: str, usage: dict[str, object], charged: Charged = NOTHING, **tokens: int) -> object:
    return pytest.param(Case("response", usage, Tokens(**tokens), "openai", charged), id=f"response-{name}")


def _message(name: str, usage: dict[str, object], charged: Charged = NOTHING, **tokens: int) -> object:
    return pytest.param(Case("message", usage, Tokens(**tokens), "anthropic", charged), id=f"message-{name}")


def _generated(name: str, usage: dict[str, object], charged: Charged = NOTHING, **tokens: int) -> object:
    return pytest.param(Case("generated", usage, Tokens(**tokens), "google", charged), id=f"generated-{name}")


def _modalities(**counts: int) -> list[dict[str, object]]:
    return [{"modality": name.upper(), "tokenCount": count} for name, count in counts.items()]


CHAT = [
    _chat(
        "plain",
        {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30},
        input=10,
        output=20,
    ),
    _chat(
        "all-details-zero",
        {
            "prompt_tokens": 10,
            "completion_tokens": 20,
            "total_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        input=10,
        output=20,
    ),
    _chat(
        "cached-is-inside-the-prompt",
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920},
        },
        input=86,
        cache_read=1920,
        output=300,
    ),
    _chat(
        "cache-writes-are-inside-the-prompt",
        {
            "prompt_tokens": 3000,
            "completion_tokens": 5,
            "total_tokens": 3005,
            "prompt_tokens_details": {"cached_tokens": 1000, "cache_write_tokens": 1500},
        },
        input=500,
        cache_read=1000,
        cache_write=1500,
        output=5,
    ),
    _chat(
        "reasoning-is-inside-the-completion",
        {
            "prompt_tokens": 75,
            "completion_tokens": 1186,
            "total_tokens": 1261,
            "completion_tokens_details": {"reasoning_tokens": 1024},
        },
        input=75,
        output=162,
        reasoning=1024,
    ),
    _chat(
        "accepted-predictions-are-not-added",
        {
            "prompt_tokens": 100,
            "completion_tokens": 224,
            "total_tokens": 324,
            "completion_tokens_details": {"accepted_prediction_tokens": 120, "rejected_prediction_tokens": 17},
        },
        input=100,
        output=224,
    ),
    _chat(
        "sound-both-ways",
        {
            "prompt_tokens": 120,
            "completion_tokens": 90,
            "total_tokens": 210,
            "prompt_tokens_details": {"cached_tokens": 0, "text_tokens": 20, "audio_tokens": 100},
            "completion_tokens_details": {"text_tokens": 30, "audio_tokens": 60},
        },
        input=20,
        input_audio=100,
        output=30,
        output_audio=60,
    ),
    _chat(
        "images-in",
        {
            "prompt_tokens": 800,
            "completion_tokens": 9,
            "total_tokens": 809,
            "prompt_tokens_details": {"image_tokens": 765},
        },
        input=35,
        input_image=765,
        output=9,
    ),
    _chat(
        "parts-that-overlap-never-sum-to-more-than-the-whole",
        {
            "prompt_tokens": 100,
            "completion_tokens": 1,
            "total_tokens": 101,
            "prompt_tokens_details": {"cached_tokens": 90, "audio_tokens": 40},
        },
        cache_read=90,
        input_audio=10,
        output=1,
    ),
    _chat(
        "more-cached-than-there-is",
        {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 999}},
        cache_read=10,
        output=1,
    ),
    _chat(
        "negative-counts-are-none",
        {"prompt_tokens": -5, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": -3}},
        output=7,
    ),
    _chat("explicit-zero", {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
    _chat(
        "deepseek-cache-hits",
        {
            "prompt_tokens": 500,
            "completion_tokens": 50,
            "total_tokens": 550,
            "prompt_cache_hit_tokens": 448,
            "prompt_cache_miss_tokens": 52,
        },
        provider="deepseek",
        input=52,
        cache_read=448,
        output=50,
    ),
    _chat(
        "deepseek-explicit-zero-in-the-details-stands",
        {
            "prompt_tokens": 500,
            "completion_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 0},
            "prompt_cache_hit_tokens": 448,
        },
        provider="deepseek",
        input=500,
        output=50,
    ),
    _chat(
        "moonshot-cached",
        {"prompt_tokens": 300, "completion_tokens": 5, "total_tokens": 305, "cached_tokens": 256},
        provider="moonshotai",
        input=44,
        cache_read=256,
        output=5,
    ),
    _chat(
        "xai-reasoning-comes-on-top",
        {
            "prompt_tokens": 10120,
            "completion_tokens": 1499,
            "total_tokens": 14428,
            "prompt_tokens_details": {"cached_tokens": 128},
            "completion_tokens_details": {"reasoning_tokens": 2809},
            "cost_in_usd_ticks": 37_756_001,
            "num_server_side_tools_used": 3,
            "server_side_tool_usage_details": {"web_search_calls": 1, "x_search_calls": 2, "mcp_calls": 4},
        },
        {"units": (("web_search", 1), ("x_search", 2)), "provider_cost": Decimal("0.0037756001")},
        provider="x-ai",
        input=9992,
        cache_read=128,
        output=1499,
        reasoning=2809,
    ),
    _chat(
        "perplexity-reasoning-and-citations-come-on-top",
        {
            "prompt_tokens": 33,
            "completion_tokens": 7163,
            "total_tokens": 7196,
            "citation_tokens": 20016,
            "num_search_queries": 30,
            "reasoning_tokens": 73997,
        },
        {"units": (("web_search", 30),)},
        provider="perplexity",
        input=33,
        output=27179,
        reasoning=73997,
    ),
    _chat(
        "groq-with-times",
        {
            "queue_time": 0.02,
            "prompt_tokens": 18,
            "prompt_time": 0.0003,
            "completion_tokens": 556,
            "completion_time": 0.46,
            "total_tokens": 574,
        },
        provider="groq",
        input=18,
        output=556,
    ),
    _chat(
        "openrouter-with-cost",
        {
            "prompt_tokens": 194,
            "completion_tokens": 2,
            "total_tokens": 196,
            "cost": 0.95,
            "cost_details": {"upstream_inference_cost": 19},
            "is_byok": False,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 100, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0},
        },
        {"provider_cost": Decimal("0.95")},
        provider="openrouter",
        input=94,
        cache_write=100,
        output=2,
    ),
    _chat(
        "perplexity-with-costs",
        {
            "prompt_tokens": 8,
            "completion_tokens": 439,
            "total_tokens": 447,
            "search_context_size": "low",
            "cost": {"input_tokens_cost": 2.4e-05, "output_tokens_cost": 0.006585, "total_cost": 0.012609},
        },
        {"provider_cost": Decimal("0.012609")},
        provider="perplexity",
        input=8,
        output=439,
    ),
    _chat(
        "costs-that-cannot-be-true-are-not-told",
        {"prompt_tokens": 1, "completion_tokens": 1, "cost": -1, "server_side_tool_usage_details": [3]},
        provider="openrouter",
        input=1,
        output=1,
    ),
    _chat(
        "costs-of-another-form-do-no-harm",
        {"prompt_tokens": 1, "completion_tokens": 1, "cost": "1e999999"},
        provider="openrouter",
        input=1,
        output=1,
    ),
    _chat(
        "whole-numbers-with-a-point",
        {"prompt_tokens": 12.0, "completion_tokens": 3.0, "total_tokens": 15.0},
        input=12,
        output=3,
    ),
    _chat(
        "nulls",
        {"prompt_tokens": 4, "completion_tokens": 2, "prompt_tokens_details": None, "completion_tokens_details": None},
        provider="vllm",
        input=4,
        output=2,
    ),
]

RESPONSES = [
    _response(
        "plain",
        {"input_tokens": 36, "output_tokens": 87, "total_tokens": 123},
        input=36,
        output=87,
    ),
    _response(
        "cached-written-and-reasoned",
        {
            "input_tokens": 5000,
            "input_tokens_details": {
                "cached_tokens": 4096,
                "cache_write_tokens": 512,
                "cache_write_tokens_details": {"ttl_30m_tokens": 512, "ttl_12h_tokens": 0},
            },
            "output_tokens": 900,
            "output_tokens_details": {"reasoning_tokens": 832},
            "total_tokens": 5900,
        },
        input=392,
        cache_read=4096,
        cache_write=512,
        output=68,
        reasoning=832,
    ),
    _response(
        "written-for-12-hours",
        {
            "input_tokens": 1000,
            "input_tokens_details": {
                "cache_write_tokens": 700,
                "cache_write_tokens_details": {"ttl_30m_tokens": 300, "ttl_12h_tokens": 400},
            },
            "output_tokens": 1,
        },
        input=300,
        cache_write=300,
        cache_write_1h=400,
        output=1,
    ),
    _response(
        "cached-sound-and-images",
        {
            "input_tokens": 900,
            "input_tokens_details": {
                "cached_tokens": 600,
                "cached_tokens_details": {"text_tokens": 100, "audio_tokens": 300, "image_tokens": 200},
            },
            "output_tokens": 1,
        },
        {"units": (("cache_read_audio", 300), ("cache_read_image", 200))},
        input=300,
        cache_read=600,
        output=1,
    ),
    _response("explicit-zero", {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}),
]

MESSAGES = [
    _message("whole-numbers-with-a-point", {"input_tokens": 12.0, "output_tokens": 3.0}, input=12, output=3),
    _message("plain", {"input_tokens": 10, "output_tokens": 25}, input=10, output=25),
    _message(
        "cached-is-outside-the-input",
        {
            "input_tokens": 50,
            "cache_read_input_tokens": 100_000,
            "cache_creation_input_tokens": 0,
            "output_tokens": 12,
        },
        input=50,
        cache_read=100_000,
        output=12,
    ),
    _message(
        "writes-without-a-lifetime",
        {"input_tokens": 3, "cache_creation_input_tokens": 184_457, "cache_read_input_tokens": 0, "output_tokens": 9},
        input=3,
        cache_write=184_457,
        output=9,
    ),
    _message(
        "writes-split-by-lifetime",
        {
            "input_tokens": 2048,
            "cache_read_input_tokens": 1800,
            "cache_creation_input_tokens": 248,
            "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
            "output_tokens": 503,
        },
        input=2048,
        cache_read=1800,
        cache_write_5m=148,
        cache_write_1h=100,
        output=503,
    ),
    _message(
        "the-rest-of-the-writes-is-not-lost",
        {
            "input_tokens": 1,
            "cache_creation_input_tokens": 184_457,
            "cache_creation": {"ephemeral_5m_input_tokens": 31_000, "ephemeral_1h_input_tokens": 490},
            "output_tokens": 2,
        },
        input=1,
        cache_write_5m=31_000,
        cache_write_1h=490,
        cache_write=152_967,
        output=2,
    ),
    _message(
        "thinking-is-inside-the-output",
        {"input_tokens": 7, "output_tokens": 900, "output_tokens_details": {"thinking_tokens": 700}},
        input=7,
        output=200,
        reasoning=700,
    ),
    _message("explicit-zero", {"input_tokens": 0, "output_tokens": 0}),
    _message(
        "tools-and-tier",
        {
            "input_tokens": 105,
            "output_tokens": 6039,
            "cache_read_input_tokens": 7123,
            "cache_creation_input_tokens": 7345,
            "server_tool_use": {"web_search_requests": 1},
            "service_tier": "standard",
        },
        {"units": (("web_search", 1),), "service_tier": "standard"},
        input=105,
        cache_read=7123,
        cache_write=7345,
        output=6039,
    ),
]

MESSAGES += [
    _message(
        f"{speed}-in-{geo}",
        {"input_tokens": 1, "output_tokens": 2, "service_tier": "standard", "speed": speed, "inference_geo": geo},
        {"service_tier": tier},
        input=1,
        output=2,
    )
    for speed, geo, tier in (
        ("standard", "global", "standard"),
        ("fast", "global", "fast"),
        ("standard", "us", "us"),
        ("fast", "us", "fast+us"),
    )
]

GENERATED = [
    _generated(
        "whole-numbers-with-a-point",
        {"promptTokenCount": 12.0, "candidatesTokenCount": 3.0, "totalTokenCount": 15.0},
        input=12,
        output=3,
    ),
    _generated(
        "plain",
        {"promptTokenCount": 4, "candidatesTokenCount": 12, "totalTokenCount": 16},
        input=4,
        output=12,
    ),
    _generated(
        "thoughts-are-outside-the-candidates",
        {"promptTokenCount": 9, "candidatesTokenCount": 30, "thoughtsTokenCount": 400, "totalTokenCount": 439},
        input=9,
        output=30,
        reasoning=400,
    ),
    _generated(
        "cached-is-inside-the-prompt",
        {
            "promptTokenCount": 14152,
            "cachedContentTokenCount": 12239,
            "candidatesTokenCount": 52,
            "totalTokenCount": 14204,
            "promptTokensDetails": _modalities(text=14152),
            "cacheTokensDetails": _modalities(text=12239),
        },
        input=1913,
        cache_read=12239,
        output=52,
    ),
    _generated(
        "tools-add-to-the-prompt",
        {
            "promptTokenCount": 20,
            "toolUsePromptTokenCount": 3044,
            "candidatesTokenCount": 66,
            "thoughtsTokenCount": 5,
            "totalTokenCount": 3135,
        },
        input=3064,
        output=66,
        reasoning=5,
    ),
    _generated(
        "sound-and-images",
        {
            "promptTokenCount": 1000,
            "candidatesTokenCount": 1300,
            "totalTokenCount": 2300,
            "promptTokensDetails": _modalities(text=100, audio=300, image=258, document=258, video=84),
            "candidatesTokensDetails": _modalities(text=10, image=1290),
        },
        input=184,
        input_audio=300,
        input_image=516,
        output=10,
        output_image=1290,
    ),
    _generated(
        "cached-sound-is-counted-once",
        {
            "promptTokenCount": 500,
            "cachedContentTokenCount": 400,
            "candidatesTokenCount": 3,
            "promptTokensDetails": _modalities(text=100, audio=400),
            "cacheTokensDetails": _modalities(audio=300, text=100),
        },
        {"units": (("cache_read_audio", 300),)},
        input_audio=100,
        cache_read=400,
        output=3,
    ),
    _generated(
        "flex",
        {"promptTokenCount": 1, "candidatesTokenCount": 2, "serviceTier": "flex"},
        {"service_tier": "flex"},
        input=1,
        output=2,
    ),
    _generated(
        "priority-as-vertex-says-it",
        {"promptTokenCount": 1, "candidatesTokenCount": 2, "trafficType": "ON_DEMAND_PRIORITY"},
        {"service_tier": "priority"},
        input=1,
        output=2,
    ),
    _generated("usual", {"promptTokenCount": 1, "serviceTier": "SERVICE_TIER_STANDARD"}, input=1),
    _generated("explicit-zero", {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0}),
    _generated("candidates-left-out", {"promptTokenCount": 8, "totalTokenCount": 8}, input=8),
]

ALL = CHAT + RESPONSES + MESSAGES + GENERATED
