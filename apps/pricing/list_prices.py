"""List prices as genai-prices has them, in our terms: token rates, long-context tiers, pieces, service tiers, hours.

The package is a source of data here, never asked for a price: it takes 105 MB and 0.1 ms a call, and
what it says changes with its version, while a row of ours never does.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from genai_prices import types

ALWAYS = datetime(2020, 1, 1, tzinfo=UTC)  # from when a price without a date holds

FINEST = Decimal("0.000001")  # USD a million tokens: 1e-12 a token

# Their names of what is priced by tokens, and ours.
KINDS = {
    "input_mtok": "input",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "input_audio",
    "input_image_mtok": "input_image",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "output_audio_mtok": "output_audio",
    "output_image_mtok": "output_image",
}
# By the piece: ours, and of how many theirs is the price.
PIECES = {
    "web_searches_kcount": ("web_search", 1000),
    "storage_searches_kcount": ("file_search", 1000),
    "audio_hours": ("second", 3600),
    "input_audio_hours": ("second", 3600),
    "input_mchars": ("character", 1_000_000),
    "input_document_kpages": ("page", 1000),
    "input_annotated_document_kpages": ("annotated_page", 1000),
}
# A cached token of these costs something else than one of text: the difference is charged by the piece.
CACHED = {"cache_audio_read_mtok": "cache_read_audio", "cache_image_read_mtok": "cache_read_image"}
# Their context of a request, and the service tier that it is with us.
BATCH, FAST = {"processing": "batch"}, {"speed": "fast"}


class ListPrice(NamedTuple):
    """What the source says of a model from an instant on."""

    effective_from: datetime
    match: Mapping[str, Any]
    rates: Mapping[str, str]
    tiers: list[Mapping[str, Any]]
    units: Mapping[str, str]
    services: Mapping[str, Any]
    hours: list[Mapping[str, Any]]
    context_window: int | None = None  # as published today; not a price, and has no history


Model = tuple[str, str]  # provider and model
ListPrices = dict[Model, list[ListPrice]]


def list_prices() -> ListPrices:
    """All prices of the installed genai-prices, in its order, which is that of matching."""
    from genai_prices import data_snapshot

    found: ListPrices = {}
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            versions = [_price_at(model, start) for start in _starts(model)]
            if kept := [version for version in versions if version.rates or version.units]:
                found[provider.id, model.id] = kept
    return found


def _price_at(model: "types.ModelInfo", start: datetime) -> ListPrice:
    """What holds from `start` on, until the next start."""
    standard = _standard(model, start)
    rates, tiers, units = _rates(standard), _tiers(standard), _units(standard)
    services = {
        name: service
        for name, variants in _variants(model, start).items()
        if (service := _differing(_overridden(standard, variants), rates, units)) != {"rates": {}, "tiers": tiers}
    }
    return ListPrice(start, _clause(model.match), rates, tiers, units, services, _hours(model), model.context_window)


def _starts(model: "types.ModelInfo") -> list[datetime]:
    """The instants at which anything changes: prices, and those of service tiers."""
    conditions = [version.constraint for version in _conditional(model)]
    conditions += [variant.constraint for variant in model.price_variants or ()]
    return sorted({ALWAYS, *map(_start, conditions)})


def _conditional(model: "types.ModelInfo") -> "Iterable[types.ConditionalPrice]":
    return model.prices if isinstance(model.prices, list) else ()


def _start(constraint: Any) -> datetime:
    day = getattr(constraint, "start_date", None)
    return ALWAYS if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _is_hourly(constraint: Any) -> bool:
    return hasattr(constraint, "start_time")


def _standard(model: "types.ModelInfo", start: datetime) -> "types.ModelPrice":
    """The last of those that have begun; of hours that differ, see _hours."""
    if not isinstance(model.prices, list):
        return model.prices
    dated = [each for each in model.prices if not _is_hourly(each.constraint)]
    begun = [each.prices for each in dated if _start(each.constraint) <= start]
    return begun[-1] if begun else dated[0].prices


def _hours(model: "types.ModelInfo") -> list[Mapping[str, Any]]:
    from genai_prices.types import TimeOfDateConstraint

    return [
        {
            "days": "1234567",
            "from": f"{window.start_time:%H:%M}",
            "until": f"{window.end_time:%H:%M}",
            "rates": _rates(version.prices),
        }
        for version in _conditional(model)
        if isinstance(window := version.constraint, TimeOfDateConstraint)
    ]


# Service tiers...


def _variants(model: "types.ModelInfo", start: datetime) -> "dict[str, list[types.ModelPrice]]":
    """By service tier. Of several for a tier, the first goes before the others, kind by kind."""
    found: dict[str, list[types.ModelPrice]] = {}
    for variant in model.price_variants or ():
        if _start(variant.constraint) <= start and (name := _service(variant.when)):
            found.setdefault(name, []).append(variant.prices)
    return found


def _service(when: Mapping[str, str]) -> str | None:
    """None: the usual one, or a choice that we know nothing of."""
    if when in (BATCH, FAST):
        return next(iter(when.values()))
    name = when.get("service_tier")
    return name if len(when) == 1 and name != "default" else None


def _overridden(standard: "types.ModelPrice", variants: "list[types.ModelPrice]") -> "types.ModelPrice":
    from genai_prices.types import ModelPrice

    told = {name: price for name, price in vars(standard).items() if price is not None}
    for variant in reversed(variants):
        told |= {name: price for name, price in vars(variant).items() if price is not None}
    return ModelPrice(**told)


def _differing(price: "types.ModelPrice", rates: Mapping[str, str], units: Mapping[str, str]) -> dict[str, Any]:
    """A service tier: the rates and pieces that differ from the usual ones, and all its long-context tiers."""
    service: dict[str, Any] = {"rates": _not_in(rates, _rates(price)), "tiers": _tiers(price)}
    if own := _not_in(units, _units(price)):
        service["units"] = own
    return service


def _not_in(known: Mapping[str, str], rates: Mapping[str, str]) -> dict[str, str]:
    return {name: rate for name, rate in rates.items() if known.get(name) != rate}


# One price...


def _rates(prices: "types.ModelPrice") -> dict[str, str]:
    rates = {ours: exact(_plain(price)) for ours, price in _priced(prices)}
    if (per_thousand := getattr(prices, "requests_kcount", None)) is not None:
        rates["request"] = f"{_plain(per_thousand) / 1000:f}"
    return rates


def _tiers(prices: "types.ModelPrice") -> list[Mapping[str, Any]]:
    """A tier has the rates that differ from the base."""
    tiers: dict[int, dict[str, str]] = {}
    for ours, price in _priced(prices):
        for tier in getattr(price, "tiers", ()):
            tiers.setdefault(tier.start, {})[ours] = exact(tier.price)
    return [{"above": above, "rates": tiers[above]} for above in sorted(tiers)]


def _priced(prices: "types.ModelPrice") -> "Iterator[tuple[str, Decimal | types.TieredPrices]]":
    for theirs, ours in KINDS.items():
        if (price := getattr(prices, theirs, None)) is not None:
            yield ours, price


def _units(prices: "types.ModelPrice") -> dict[str, str]:
    units: dict[str, str] = {}
    for theirs, (ours, number) in PIECES.items():
        if (price := getattr(prices, theirs, None)) is not None:
            units[ours] = _each(_plain(price), number)
    cached_text = _plain(getattr(prices, "cache_read_mtok", None))
    for theirs, ours in CACHED.items():
        if (price := getattr(prices, theirs, None)) is not None and _plain(price) > cached_text:
            units[ours] = _each(_plain(price) - cached_text, 1_000_000)
    return units


def _each(price: Decimal, number: int) -> str:
    """The price of one where that of so many is told: exact, if need be as a fraction."""
    each = price / number
    return f"{each.normalize():f}" if each * number == price and each == round(each, 12) else f"{price:f}/{number}"


def exact(rate: Decimal) -> str:
    """USD a million, to what a token can cost; some of the source's have a float's noise behind that."""
    return f"{rate.quantize(FINEST).normalize():f}"


def _plain(price: "Decimal | types.TieredPrices | None") -> Decimal:
    if price is None:
        return Decimal(0)
    return price if isinstance(price, Decimal) else price.base


def _clause(logic: Any) -> dict[str, Any]:
    """Their match logic as our JSON; the field of each clause class has our clause's name."""
    for name in ("equals", "starts_with", "ends_with", "contains", "regex"):
        if hasattr(logic, name):
            value = getattr(logic, name)
            return {name: value if name == "regex" else value.lower()}
    for attribute, name in (("or_", "or"), ("and_", "and")):
        if hasattr(logic, attribute):
            return {name: [_clause(part) for part in getattr(logic, attribute)]}
    raise ValueError(f"a clause that we don't know: {type(logic).__name__}")
