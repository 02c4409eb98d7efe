"""All hours of usage, one after the other, for whoever does sums elsewhere."""

from collections.abc import Iterator
from typing import Any

from apps.usage.queries.figures import Scope, figure_sums

BY = ("hour", "customer_id", "proxy_key_id", "provider", "model", "sold_as", "end_user")
OF_OPERATORS = frozenset(("provider", "model"))  # what stands behind what a customer buys
SUMS = (
    "requests",
    "refused",
    "failed",
    "client_errors",
    "rate_limited",
    "server_errors",
    "cancelled",
    "unfinished",
    "unpriced",
    "input_tokens",
    "cache_read_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost",
    "price",
    "latency_ms",
    "first_token_ms",
    "first_tokens",
)
COSTS = frozenset(("cost",))
A_TIME = 2_000  # rows that are in memory together


def columns(*, is_operators: bool) -> list[str]:
    """What a row has, in order."""
    hidden = frozenset[str]() if is_operators else OF_OPERATORS | COSTS
    return [name for name in (*BY, *SUMS) if name not in hidden]


def exported_hours(scope: Scope, *, is_operators: bool) -> Iterator[dict[str, Any]]:
    """A row for each hour, key, model and user, in the order of time, however many: they are read as they are taken.

    For a customer, what an alias stands for is summed under its name.
    """
    names = columns(is_operators=is_operators)
    by = [name for name in names if name in BY]
    sums = {name: value for name, value in figure_sums().items() if name.removeprefix("sum_") in names}
    rows = scope.rows().values(*by).annotate(**sums).order_by(*by)
    for row in rows.iterator(chunk_size=A_TIME):
        yield {name: row[name] if name in by else row[f"sum_{name}"] for name in names}
