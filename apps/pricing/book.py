"""The price book: which price applies to a model, for whom, and when."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from uuid import UUID

from django.db.models import Q

from apps.pricing.matching import matches
from apps.pricing.models import ModelPrice
from apps.pricing.rating import Price

# Who sells another's models at the other's list prices: what the book doesn't have of it is looked up there.
LISTED_BY = {"azure": "openai"}


def find_price(organization_id: UUID, provider: str, model: str, at: datetime) -> Price | None:
    """What `provider` charges the organization for `model` at `at`; None where the book doesn't know.

    The organization's own rates go before list prices. A row that has just this name goes before one
    whose clause matches it; of a model's rows, the latest that is in effect holds.
    """
    row = find_row(organization_id, provider, model, at)
    if row is None:
        return None
    window = row.context_window
    if window is None and row.organization_id is not None:  # an own rate says what a model costs, not how large it is
        listed = find_row(None, provider, model, at)
        window = listed.context_window if listed is not None else None
    return as_price(row, window)


def find_row(organization_id: UUID | None, provider: str, model: str, at: datetime) -> ModelPrice | None:
    """As find_price, the row of the book."""
    row = _find_row(organization_id, provider, model, at)
    if row is None and (maker := LISTED_BY.get(provider)) is not None:
        return _find_row(None, maker, model, at)
    return row


def sources_of(provider: str) -> list[str]:
    """The providers whose prices `find_price` goes by."""
    return [provider, LISTED_BY[provider]] if provider in LISTED_BY else [provider]


def _find_row(organization_id: UUID | None, provider: str, model: str, at: datetime) -> ModelPrice | None:
    name = model.removeprefix("models/").lower()
    rows = ModelPrice.objects.filter(
        Q(organization=organization_id) | Q(organization=None), provider=provider, effective_from__lte=at
    ).order_by("effective_from", "pk")
    own = _latest_by_model(row for row in rows if row.organization_id is not None)
    listed = _latest_by_model(row for row in rows if row.organization_id is None)
    return _of_name(own, name) or _of_name(listed, name)


class BookAt:
    """What the book says at one time, for the models of a whole list: each provider's rows are read once."""

    def __init__(self, organization_id: UUID, at: datetime) -> None:
        self._organization_id = organization_id
        self._at = at
        self._of_provider = cache(self._load)

    def names(self, provider: str) -> list[str]:
        """The models of the provider that the book knows, in order."""
        own, listed = self._of_provider(provider)
        return sorted({row.model for row in (*own.values(), *listed.values())})

    def price(self, provider: str, model: str) -> Price | None:
        """As `find_price`."""
        name = model.removeprefix("models/").lower()
        own, listed = self._of_provider(provider)
        row = _of_name(own, name) or _of_name(listed, name)
        return as_price(row) if row is not None else None

    def _load(self, provider: str) -> tuple[dict[str, ModelPrice], dict[str, ModelPrice]]:
        """The organization's own rows, and the list's; of who sells another's, that one's below its own."""
        owners = Q(organization=self._organization_id) | Q(organization=None)
        rows = ModelPrice.objects.filter(owners, provider__in=sources_of(provider), effective_from__lte=self._at)
        # In the end the provider's own rows, which go before those of whom it sells.
        ordered = sorted(rows, key=lambda row: (row.provider == provider, row.effective_from, row.pk))
        own = (row for row in ordered if row.organization_id is not None and row.provider == provider)
        return _latest_by_model(own), _latest_by_model(row for row in ordered if row.organization_id is None)


def next_change(organization_id: UUID, provider: str, after: datetime) -> datetime | None:
    """When the next of the provider's prices that are known by now begins to hold."""
    owners = Q(organization=organization_id) | Q(organization=None)
    rows = ModelPrice.objects.filter(owners, provider__in=sources_of(provider))
    later = rows.filter(effective_from__gt=after).order_by("effective_from")
    return later.values_list("effective_from", flat=True).first()


def as_price(row: ModelPrice, context_window: int | None = None) -> Price:
    """Ready to multiply with."""
    return Price.parse(
        row.pk, row.rates, row.tiers, row.max_output_tokens, row.units, row.services, row.hours, context_window
    )


def _latest_by_model(rows: Iterable[ModelPrice]) -> dict[str, ModelPrice]:
    return {row.model.lower(): row for row in rows}


def _of_name(rows: dict[str, ModelPrice], name: str) -> ModelPrice | None:
    if name in rows:
        return rows[name]
    return next((row for row in rows.values() if matches(row.match, name)), None)
