"""What prices were in force at many instants: for what is priced afterwards, by the thousand."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from uuid import UUID

from django.db.models import Q

from apps.pricing.book import find_price, sources_of
from apps.pricing.models import ModelPrice
from apps.pricing.rating import Price


class PriceHistory:
    """As find_price, asked once for each model and time between two changes of its provider's prices.

    For the length of a batch or a run: prices that are added meanwhile are not seen.
    """

    def __init__(self) -> None:
        self._changes_of = cache(_changes)
        self._price_since = cache(find_price)

    def price(self, organization_id: UUID, provider: str, names: Iterable[str], at: datetime) -> Price | None:
        """The price of a call at `at` of the first of these models that the book knows; None where it knows none."""
        changes = self._changes_of(organization_id, provider)
        position = bisect_right(changes, at)
        if not position:
            return None
        since = changes[position - 1]
        wanted = dict.fromkeys(name for name in names if name)
        found = (self._price_since(organization_id, provider, name, since) for name in wanted)
        price = next((price for price in found if price is not None), None)
        return price and price.at(at.timestamp())


def _changes(organization_id: UUID, provider: str) -> list[datetime]:
    """When any of the provider's prices began to hold, in order."""
    owners = Q(organization=None) | Q(organization=organization_id)
    rows = ModelPrice.objects.filter(owners, provider__in=sources_of(provider))
    return sorted(set(rows.values_list("effective_from", flat=True)))
