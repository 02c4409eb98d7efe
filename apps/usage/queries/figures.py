"""The figures of usage: what they are made of, and how they are summed out of the hourly roll-ups."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, time
from decimal import Decimal
from functools import cache
from typing import Any, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Aggregate, F, Max, Min, QuerySet, Sum

from apps.usage.models import (
    DailyCustomer,
    DailyModel,
    DailyPropertyUsage,
    DailyTotal,
    DailyUsage,
    HourlyPropertyUsage,
    HourlyUsage,
)

INPUT_COLUMNS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_write_tokens",
    "input_audio_tokens",
    "input_image_tokens",
)
OUTPUT_COLUMNS = ("output_tokens", "reasoning_tokens", "output_audio_tokens", "output_image_tokens")


COLUMN_OF = {"customer": "customer_id", "key": "proxy_key_id"}
COARSE: dict[type[DailyModel | DailyCustomer], set[str]] = {  # what their rows are told apart by, the fewest rows first
    DailyModel: {"provider", "model", "sold_as"},
    DailyCustomer: {"customer_id"},
}


class Unfiltered:
    """Not filtered by."""


ANY = Unfiltered()


@dataclass(frozen=True)
class Scope:
    """Whose usage is meant, and of when: hours that begin from `since` on and before `until`.

    Hours are those of the organization's zone, so that midnights there are exact also where its offset from
    UTC is not whole hours. Where both ends are midnights, told in that zone, the days are summed, which are fewer.
    """

    organization_id: UUID
    since: datetime
    until: datetime
    customer_id: UUID | None = None
    proxy_key_id: UUID | None = None
    provider: str | None = None
    model: str | None = None
    end_user: str | Unfiltered | None = ANY  # None: requests that name no user
    sold_as: str | None = None  # the model as customers know it

    @property
    def is_of_days(self) -> bool:
        """Whether whole days make it up."""
        ends = (self.since, self.until)
        return all(isinstance(end.tzinfo, ZoneInfo) and _is_midnight(end) for end in ends)

    def rows(self) -> QuerySet[HourlyUsage]:
        """The hours in this scope."""
        return HourlyUsage.objects.filter(**self._named(), **self._period("hour"))

    def day_rows(self) -> QuerySet[DailyUsage]:
        """The days in this scope, by end user; only where `is_of_days`."""
        return DailyUsage.objects.filter(**self._named(), **self._period("day"))

    def sum_rows(self, dimension: str | None = None) -> QuerySet[Any]:
        """The fewest rows that sum up to the scope, and can be told apart by the dimension."""
        if not self.is_of_days:
            return self.rows()
        if self.end_user is not ANY or dimension == "user":
            return self.day_rows()
        named = self._named()
        told_by = named.keys() - {"organization_id"} | ({COLUMN_OF.get(dimension, dimension)} if dimension else set())
        coarser = next((each for each, columns in COARSE.items() if told_by <= columns), DailyTotal)
        return coarser._default_manager.filter(**named, **self._period("day"))

    @property
    def moment(self) -> str:
        """The column of `sum_rows` and `property_rows` that says when: of days or of hours."""
        return "day" if self.is_of_days else "hour"

    def property_rows(self, name: str) -> QuerySet[Any]:
        """The days, or hours, of a property's values; of scope, only the customer and the end user narrow them."""
        return self.all_property_rows().filter(name=name.lower())

    def all_property_rows(self) -> QuerySet[Any]:
        """Those of all properties: a request is in as many of them as it has properties."""
        narrowed = {
            key: value for key, value in self._named().items() if key in ("organization_id", "customer_id", "end_user")
        }
        if self.is_of_days:
            return DailyPropertyUsage.objects.filter(**narrowed, **self._period("day"))
        return HourlyPropertyUsage.objects.filter(**narrowed, **self._period("hour"))

    def _named(self) -> dict[str, Any]:
        named = {
            name: value
            for name in ("organization_id", "customer_id", "proxy_key_id", "provider", "model", "sold_as")
            if (value := getattr(self, name)) is not None
        }
        return named if self.end_user is ANY else named | {"end_user": self.end_user}

    def _period(self, moment: str) -> dict[str, datetime]:
        return {f"{moment}__gte": self.since, f"{moment}__lt": self.until}


def _is_midnight(at: datetime) -> bool:
    """Whether a day begins then; where clocks skip midnight, with the instant that they skip to."""
    begins = datetime.combine(at.date(), time(), at.tzinfo)
    return at.astimezone(UTC) == begins.astimezone(UTC)


@dataclass(frozen=True)
class Figures:
    """Sums over some requests. Those that we refused count in `requests` and `refused` and nowhere else."""

    requests: int = 0
    refused: int = 0
    failed: int = 0  # these three together:
    client_errors: int = 0  # answered with 4xx other than 429
    rate_limited: int = 0  # answered with 429 by the provider
    server_errors: int = 0  # answered with 5xx, broken off, or out of reach
    cancelled: int = 0
    unfinished: int = 0
    streamed: int = 0
    unpriced: int = 0  # whose cost is not known, and not in `cost` and `price`
    estimated: int = 0  # whose tokens are our estimate
    input_tokens: int = 0  # of all kinds, cached ones included
    cache_read_tokens: int = 0
    output_tokens: int = 0  # of all kinds, reasoning included
    reasoning_tokens: int = 0
    cost: Decimal = Decimal(0)  # USD
    price: Decimal = Decimal(0)  # USD
    latency_ms: int = 0  # sum over `answered` without those whose end is not known
    first_token_ms: int = 0  # sum over `first_tokens`
    first_tokens: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def answered(self) -> int:
        """Requests that went to a provider."""
        return self.requests - self.refused

    @property
    def errors(self) -> int:
        return self.failed + self.unfinished

    @property
    def priced(self) -> int:
        """Requests that went to a provider and whose cost and price are known."""
        return self.answered - self.unfinished - self.unpriced

    @property
    def tokens_per_request(self) -> float | None:
        """Of the requests that went to a provider."""
        return self.tokens / self.answered if self.answered else None

    @property
    def cost_per_request(self) -> Decimal | None:
        """Of the requests whose cost is known."""
        return self.cost / self.priced if self.priced else None

    @property
    def price_per_request(self) -> Decimal | None:
        """Of the requests whose price is known."""
        return self.price / self.priced if self.priced else None

    @property
    def error_rate(self) -> float | None:
        """Of the requests that went to a provider; None where there are none."""
        return self.errors / self.answered if self.answered else None

    @property
    def margin(self) -> Decimal:
        """What is left of the price after the cost."""
        return self.price - self.cost

    @property
    def average_latency_ms(self) -> float | None:
        finished = self.answered - self.unfinished
        return self.latency_ms / finished if finished else None

    @property
    def average_first_token_ms(self) -> float | None:
        return self.first_token_ms / self.first_tokens if self.first_tokens else None

    @classmethod
    def of(cls, sums: dict[str, Any]) -> Self:
        """From what a query with `figure_sums` gave."""
        return cls(**{name: sums[f"sum_{name}"] for name in _names() if sums[f"sum_{name}"] is not None})


@cache
def _names() -> tuple[str, ...]:
    return tuple(each.name for each in fields(Figures))


def added_up(parts: Iterable[Figures]) -> Figures:
    """The figures of requests of which these are the figures of parts."""
    parts = list(parts)
    sums = {
        name: sum(getattr(part, name) for part in parts) for name in _names() if name not in ("first_at", "last_at")
    }
    first = min((part.first_at for part in parts if part.first_at), default=None)
    last = max((part.last_at for part in parts if part.last_at), default=None)
    return Figures(**sums, first_at=first, last_at=last)


def figure_sums() -> dict[str, Aggregate]:
    """The aggregates that make up Figures, over rows of a roll-up."""
    sums: dict[str, Aggregate] = {f"sum_{each}": Sum(each) for each in _names() if each not in ("first_at", "last_at")}
    sums["sum_input_tokens"] = Sum(_added(INPUT_COLUMNS))
    sums["sum_output_tokens"] = Sum(_added(OUTPUT_COLUMNS))
    return sums | {"sum_first_at": Min("first_at"), "sum_last_at": Max("last_at")}


def _added(columns: tuple[str, ...]) -> Any:
    first, *rest = columns
    total: Any = F(first)
    for column in rest:
        total += F(column)
    return total


def summed(rows: QuerySet[Any]) -> Figures:
    """The figures of all rows together."""
    return Figures.of(rows.aggregate(**figure_sums()))
