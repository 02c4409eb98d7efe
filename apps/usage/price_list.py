"""What a customer pays for each model that it may call, now: its price list.

Names are those that it calls: an organization that sells models under names of its own shows these alone, as the list
of models does that the proxy gives (docs/providers.md). Neither costs nor markups are in it.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from apps.customers.models import Customer
from apps.keys.models import ModelAlias
from apps.limits.access import Access
from apps.pricing.book import BookAt
from apps.pricing.card_book import load_terms
from apps.pricing.globs import Rank
from apps.pricing.shown import Shown, shown


class Offer(NamedTuple):
    """A model and what it costs its customer. shown: None where nobody knows."""

    name: str
    provider: str  # "": behind a name of the organization's own
    shown: Shown | None


class _Model(NamedTuple):
    """What a name stands for."""

    name: str
    provider: str
    model: str
    alias: str | None


def price_list(customer: Customer, *, at: datetime) -> list[Offer]:
    """By name. A model of unknown price is in it only where it was given a name."""
    book, terms = BookAt(customer.organization_id, at), load_terms(customer.organization_id, customer.pk)
    access = Access([customer.allowed_models], [])
    offers = []
    for name, provider, model, alias in sorted(_models(customer, book, at)):
        if access.allows_model(provider, model, alias):
            sale = terms.sale(provider, model, alias, at.timestamp()) if terms else None
            found = shown(book.price(provider, model), sale, customer.effective_markup_percent)
            if found is not None or alias is not None:
                offers.append(Offer(name, "" if alias else provider, found))
    return offers


def _models(customer: Customer, book: BookAt, at: datetime) -> Iterator[_Model]:
    links = customer.provider_key_links.filter(provider_key__disabled_at=None)
    providers = set(links.values_list("provider", flat=True))
    aliases = list(ModelAlias.objects.filter(organization=customer.organization_id))
    if aliases:
        yield from (
            _Model(each.name, each.provider, each.model, each.name) for each in aliases if each.provider in providers
        )
        return
    for provider in providers:
        named = _named_by_rules(customer, provider, at)
        for model in {*book.names(provider), *named}:
            yield _Model(model, provider, model, None)


def _named_by_rules(customer: Customer, provider: str, at: datetime) -> Iterator[str]:
    """Models of the provider's that a rule names, whether or not the book knows them."""
    terms = load_terms(customer.organization_id, customer.pk)
    era = next((era for era in terms.eras if era.begins_at <= at.timestamp()), None) if terms else None
    for layer in era.layers if era else ():
        for glob, _sale in layer.rules:
            if glob.rank is Rank.ONE and glob.text.startswith(f"{provider}/"):
                yield glob.text.removeprefix(f"{provider}/")
