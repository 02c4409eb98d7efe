"""What usage is measured by, as sums over rows of a roll-up: for orders, charts and analytics of anybody's choice."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from django.db.models import DecimalField, ExpressionWrapper, F, Sum, Value
from django.db.models.functions import Cast, NullIf

from apps.kit.fields import AMOUNT_PLACES
from apps.usage.queries.figures import INPUT_COLUMNS, OUTPUT_COLUMNS, Figures

Measure = Callable[[Figures], int | Decimal | float | None]

# By name: what it is of Figures. `measured` has the same in SQL; the tests hold the one against the other.
MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "requests": lambda figures: figures.requests,
        "answered": lambda figures: figures.answered,
        "refused": lambda figures: figures.refused,
        "errors": lambda figures: figures.errors,
        "error_rate": lambda figures: figures.error_rate,
        "tokens": lambda figures: figures.tokens,
        "input_tokens": lambda figures: figures.input_tokens,
        "output_tokens": lambda figures: figures.output_tokens,
        "tokens_per_request": lambda figures: figures.tokens_per_request,
        "cost": lambda figures: figures.cost,
        "price": lambda figures: figures.price,
        "margin": lambda figures: figures.margin,
        "cost_per_request": lambda figures: figures.cost_per_request,
        "price_per_request": lambda figures: figures.price_per_request,
        "average_latency_ms": lambda figures: figures.average_latency_ms,
        "average_first_token_ms": lambda figures: figures.average_first_token_ms,
    }
)
COSTS = frozenset(("cost", "margin", "cost_per_request"))  # not for customers' eyes
SUMMED = frozenset(("requests", "refused", "cost", "price"))
MONEY = frozenset(("cost", "price", "margin", "cost_per_request", "price_per_request"))


def measured(name: str) -> Any:
    """The sum, or the ratio of sums, over rows of a roll-up. NULL where there is nothing to divide by."""
    match name:
        case "answered":
            return Sum(F("requests") - F("refused"))
        case "errors":
            return Sum(F("failed") + F("unfinished"))
        case "input_tokens":
            return Sum(added(INPUT_COLUMNS))
        case "output_tokens":
            return Sum(added(OUTPUT_COLUMNS))
        case "tokens":
            return Sum(added((*INPUT_COLUMNS, *OUTPUT_COLUMNS)))
        case "margin":
            return Sum("price") - Sum("cost")
        case "error_rate":
            return _ratio(measured("errors"), measured("answered"))
        case "tokens_per_request":
            return _ratio(measured("tokens"), measured("answered"))
        case "cost_per_request":
            return _ratio(Sum("cost"), _priced())
        case "price_per_request":
            return _ratio(Sum("price"), _priced())
        case "average_latency_ms":
            return _ratio(Sum("latency_ms"), Sum(F("requests") - F("refused") - F("unfinished")))
        case "average_first_token_ms":
            return _ratio(Sum("first_token_ms"), Sum("first_tokens"))
        case _ if name in SUMMED:
            return Sum(name)
        case _:
            raise ValueError(f"no such measure: {name}")


def added(columns: tuple[str, ...]) -> Any:
    """Several columns of a row together."""
    first, *rest = columns
    total: Any = F(first)
    for column in rest:
        total += F(column)
    return total


def _priced() -> Any:
    """Requests whose price is known: those that were let in, but for unfinished and unpriced ones."""
    return Sum(F("requests") - F("refused") - F("unfinished") - F("unpriced"))


def _ratio(above: Any, below: Any) -> Any:
    """Of sums, as PostgreSQL's numeric: exact enough to order by."""
    number = DecimalField(max_digits=40, decimal_places=15)
    return ExpressionWrapper(Cast(above, number) / NullIf(Cast(below, number), Value(Decimal(0))), output_field=number)


def rounded(name: str, value: object) -> object:
    """As files have it: shares to a hundredth of a percent, amounts to the precision that they are kept with."""
    if name == "error_rate" and isinstance(value, float):
        return Decimal(f"{value:.4f}")
    return round(value, AMOUNT_PLACES) if isinstance(value, Decimal) else value
