"""Usage as it is charged for: of one model, as its customer knows it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from apps.billing.terms import Metric
from apps.pricing.rating import INPUT_KINDS, OUTPUT_KINDS


@dataclass(frozen=True)
class Usage:
    """What was used of one model, in all of a stretch of time.

    model: its name as the customer knows it. tokens: by kind, see pricing.rating; those that are not 0.
    price: USD, what its requests were priced at.
    """

    model: str
    requests: int
    tokens: Mapping[str, int]
    price: Decimal
    provider: str = ""

    @property
    def all_tokens(self) -> int:
        return sum(self.tokens.values())


def quantity_of(usage: Usage, metric: Metric) -> Decimal:
    """How much of it a metric counts: tokens or requests; with PRICE, dollars."""
    match metric:
        case Metric.INPUT:
            return Decimal(sum(usage.tokens.get(kind, 0) for kind in INPUT_KINDS))
        case Metric.OUTPUT:
            return Decimal(sum(usage.tokens.get(kind, 0) for kind in OUTPUT_KINDS))
        case Metric.TOKENS:
            return Decimal(usage.all_tokens)
        case Metric.REQUESTS:
            return Decimal(usage.requests)
        case Metric.PRICE:
            return usage.price
