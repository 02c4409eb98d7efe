"""Who the demo's customers are, and what they do all day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from apps.ops.demo_history import Habit, Rhythm

ANALYSIS = ("/analysis", "/analysis/plan", "/analysis/data", "/analysis/data", "/analysis/report")
ARTICLE = ("/article", "/article/outline", "/article/draft", "/article/draft/review")
CHAT, WRITING, THINKING = (
    Habit("openai", "chat.completions", "gpt-4o-mini", "-2024-07-18", "chat", 900, 220, streamed=0.8, cached=0.3),
    Habit("openai", "chat.completions", "gpt-4.1", "-2025-04-14", "writing", 2400, 700, streamed=0.6, steps=ARTICLE),
    Habit("openai", "responses", "o4-mini", "-2025-04-16", "analysis", 1800, 1500, reasoning=0.7, steps=ANALYSIS),
)
SEARCH = Habit("openai", "embeddings", "text-embedding-3-small", "", "search", 350, 0)
SUPPORT = Habit(
    "anthropic", "messages", "claude-sonnet-4-5", "-20250929", "support", 3200, 420, streamed=0.9, cached=0.7
)
SORTING = Habit("anthropic", "messages", "claude-haiku-4-5", "-20251001", "triage", 700, 40)
READING = Habit("google", "generateContent", "gemini-2.5-flash", "", "documents", 9000, 350)
DRAFTING = Habit("google", "generateContent", "gemini-2.5-pro", "", "drafts", 2600, 900, streamed=1.0, reasoning=0.4)


@dataclass(frozen=True)
class DemoCustomer:
    """A customer as it is made, and as it behaves. `fields`: limits and markup."""

    name: str
    fields: Mapping[str, Any]
    key_names: Sequence[str]
    habits: Mapping[Habit, float]  # with the share of the calls that each has
    rhythm: Rhythm = field(default_factory=Rhythm)
    key_limits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by the key's name
    end_user_limits: Mapping[str | None, Mapping[str, Any]] = field(default_factory=dict)  # None: the default


CUSTOMERS = (
    DemoCustomer(
        "Globex",
        {
            "email": "it@globex.example",
            "markup_percent": Decimal(30),
            "requests_per_minute": 600,
            "tokens_per_minute": 2_000_000,
            "max_concurrent": 50,
            "daily_cap": Decimal(50),
            "monthly_cap": Decimal(500),
        },
        ("production", "staging"),
        {CHAT: 6, WRITING: 0.4, SEARCH: 2, SUPPORT: 2, READING: 1},
        Rhythm(calls_a_day=180, growth=0.8, end_users=60),
        {"staging": {"requests_per_hour": 2000, "monthly_cap": Decimal(20)}},
        {
            None: {"requests_per_minute": 60, "daily_cap": Decimal(2)},
            "user-001": {"requests_per_minute": 120, "monthly_cap": Decimal(15)},
            "user-002": {"monthly_cap": Decimal("1.5")},
            "user-060": {"requests_per_minute": 0},  # blocked
        },
    ),
    DemoCustomer(
        "Hooli",
        {"email": "platform@hooli.example"},
        ("search", "docs"),
        {READING: 4, DRAFTING: 2, SEARCH: 3, THINKING: 0.3},
        Rhythm(calls_a_day=110, growth=2.0, end_users=140),
    ),
    DemoCustomer(
        "Initech",
        {"email": "peter@initech.example", "markup_percent": Decimal(18), "monthly_cap": Decimal(250)},
        ("backend",),
        {SUPPORT: 5, SORTING: 4, WRITING: 0.3},
        Rhythm(calls_a_day=110, growth=0.2, end_users=25, rests_at_weekends=True),
    ),
    DemoCustomer(
        "Umbrella",
        {
            "email": "lab@umbrella.example",
            "requests_per_minute": 30,
            "max_concurrent": 4,
            "daily_cap": Decimal(5),
        },
        ("notebook",),
        {CHAT: 3, THINKING: 0.5},
        Rhythm(calls_a_day=25, growth=0.5, end_users=6, refused=0.06),
    ),
)
