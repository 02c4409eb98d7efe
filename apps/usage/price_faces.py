"""A price list as pages show it."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from apps.keys.providers import label_of
from apps.pricing.shown import Shown, Tiered
from apps.usage.price_list import Offer
from apps.usage.story import KIND_LABELS

IN_COLUMNS = ("input", "cache_read", "output")


class OfferRow(NamedTuple):
    """A line of the list: a model, or what it costs above some length of the input."""

    name: str  # "": another line of the model above
    provider: str
    above: int | None
    input: Decimal | None
    cache_read: Decimal | None
    output: Decimal | None
    others: list[str]
    is_free: bool = False
    is_known: bool = True


def offer_rows(offers: Iterable[Offer]) -> list[OfferRow]:
    """Each model's lines, one below the other."""
    return [row for offer in offers for row in _rows(offer)]


def _rows(offer: Offer) -> list[OfferRow]:
    provider = label_of(offer.provider) if offer.provider else ""
    found = offer.shown
    if found is None or not found.tiers:
        return [OfferRow(offer.name, provider, None, None, None, None, [], found is not None, found is not None)]
    first, *longer = found.tiers
    rows = [_row(offer.name, provider, first, [*_kinds(first), *_beside(found)])]
    return rows + [_row("", "", tier, _kinds(tier)) for tier in longer]


def _row(name: str, provider: str, tier: Tiered, others: list[str]) -> OfferRow:
    tokens = tier.tokens
    cached = tokens.get("cache_read", tokens["input"])
    return OfferRow(name, provider, tier.above, tokens["input"], cached, tokens["output"], others)


def _kinds(tier: Tiered) -> list[str]:
    return [
        _("%(kind)s $%(usd)s") % {"kind": KIND_LABELS[kind], "usd": _plain(amount)}
        for kind, amount in tier.tokens.items()
        if kind not in IN_COLUMNS
    ]


def _beside(found: Shown) -> list[str]:
    """What is paid beside tokens, and the ends of what a call can cost."""
    said = [_("%(usd)s a call") % {"usd": f"${_plain(found.per_request)}"}] if found.per_request else []
    said += [f"{_unit(name)} ${_plain(amount)}" for name, amount in found.units.items()]
    bounds: list[tuple[Any, Decimal | None]] = [
        (_("a call at least $%(usd)s"), found.floor),
        (_("a call at most $%(usd)s"), found.ceiling),
    ]
    return said + [words % {"usd": _plain(amount)} for words, amount in bounds if amount is not None]


def _unit(name: str) -> str:
    return name.replace("_", " ")


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
