"""What tokens of each kind are sold for relative to each other: by that a model's price is split over its kinds."""

from datetime import datetime
from functools import cache
from uuid import UUID

from apps.billing.invoicing.lines import Weights
from apps.pricing.history import PriceHistory
from apps.pricing.rating import KINDS


def weights_at(organization_id: UUID, at: datetime) -> Weights:
    """By the prices in force at `at`; each model is asked for once."""
    history = PriceHistory()

    @cache
    def weights(provider: str, model: str) -> dict[str, int]:
        price = history.price(organization_id, provider, (model,), at)
        return dict(zip(KINDS, price.base.tokens, strict=True)) if price else {}

    return weights
