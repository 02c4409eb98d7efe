"""List prices from genai-prices into the price book, with their history.

The package is a source of data here, never asked for a price: it takes 105 MB and 0.1 ms a call, and
what it says changes with its version, while a row of ours never does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import transaction

from apps.kit.locks import lock_name
from apps.pricing.models import ModelPrice

if TYPE_CHECKING:
    from genai_prices import types

ALWAYS = datetime(2020, 1, 1, tzinfo=UTC)  # from when a price without a date holds

FINEST = Decimal("0.000001")  # USD a million tokens: 1e-12 a token

# Their names of what is priced, and ours. What is not among them (searches, minutes, pages) isn't tokens.
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


class ListPrice(NamedTuple):
    """What the source says of a model from an instant on."""

    effective_from: datetime
    match: Mapping[str, Any]
    rates: Mapping[str, str]
    tiers: list[Mapping[str, Any]]


Model = tuple[str, str]  # provider and model


@dataclass
class SyncReport:
    """What a sync did, or would do."""

    source: str
    added: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)  # the source says now that it is another price
    unchanged: int = 0


def sync_prices(*, at: datetime, dry_run: bool = False) -> SyncReport:
    """Add what the installed genai-prices has and the book has not. Runs twice without effect.

    A price that the source corrects without giving it a date holds from `at`: requests before it stay
    as they were rated.
    """
    import genai_prices

    report = SyncReport(f"genai-prices {genai_prices.__version__}")
    with transaction.atomic():
        lock_name("pricing.sync")
        known = _rows_by_model()
        rows = [
            row
            for model, versions in list_prices().items()
            for row in _rows_to_add(model, versions, known.get(model, []), report, at)
        ]
        if not dry_run:
            ModelPrice.objects.bulk_create(rows, batch_size=1000)
    return report


def _rows_by_model() -> dict[Model, list[ModelPrice]]:
    known: dict[Model, list[ModelPrice]] = {}
    for row in ModelPrice.objects.filter(organization=None):
        known.setdefault((row.provider, row.model), []).append(row)
    return known


def _rows_to_add(
    model: Model, versions: list[ListPrice], rows: list[ModelPrice], report: SyncReport, at: datetime
) -> Iterator[ModelPrice]:
    """The versions that the book has not, and what holds at `at` where the book says something else."""
    starts = {row.effective_from for row in rows}
    added = [_as_row(model, version, report) for version in versions if version.effective_from not in starts]
    yield from added
    book = max((row for row in [*rows, *added] if row.effective_from <= at), key=_start)
    source = max((version for version in versions if version.effective_from <= at), key=_start)
    if (book.match, book.rates, book.tiers) != (source.match, source.rates, source.tiers):
        yield _as_row(model, source._replace(effective_from=at), report)
        report.corrected.append("/".join(model))
    elif added:
        report.added.append("/".join(model))
    else:
        report.unchanged += 1


def _start(price: ModelPrice | ListPrice) -> datetime:
    return price.effective_from


def _as_row(model: Model, price: ListPrice, report: SyncReport) -> ModelPrice:
    provider, name = model
    return ModelPrice(provider=provider, model=name, source=report.source, **price._asdict())


# Reading the source...


def list_prices() -> dict[Model, list[ListPrice]]:
    """All token prices of the installed genai-prices, in its order, which is that of matching."""
    from genai_prices import data_snapshot

    found: dict[Model, list[ListPrice]] = {}
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            for effective_from, prices in _versions(model.prices):
                rates, tiers = _rates(prices)
                if rates:
                    price = ListPrice(effective_from, _clause(model.match), rates, tiers)
                    found.setdefault((provider.id, model.id), []).append(price)
    return found


def _versions(
    prices: "types.ModelPrice | list[types.ConditionalPrice]",
) -> Iterator[tuple[datetime, "types.ModelPrice"]]:
    """Each price with the instant from which it holds.

    Where a price goes by the time of day, the dearest is taken for the whole day: whoever resells
    at cost must not lose by it.
    """
    from genai_prices import types

    if isinstance(prices, types.ModelPrice):
        yield ALWAYS, prices
        return
    base = [version.prices for version in prices if not isinstance(version.constraint, types.StartDateConstraint)]
    if base:
        yield ALWAYS, max(base, key=lambda price: _plain(price.input_mtok) + _plain(price.output_mtok))
    for version in prices:
        if isinstance(version.constraint, types.StartDateConstraint):
            start = version.constraint.start_date
            yield datetime(start.year, start.month, start.day, tzinfo=UTC), version.prices


def _rates(prices: "types.ModelPrice") -> tuple[dict[str, str], list[Mapping[str, Any]]]:
    """Rates by our kinds, and tiers: a tier has the rates that differ from the base."""
    from genai_prices import types

    rates: dict[str, str] = {}
    tiers: dict[int, dict[str, str]] = {}
    for theirs, ours in KINDS.items():
        price = getattr(prices, theirs, None)
        if price is None:
            continue
        rates[ours] = _exact(_plain(price))
        if isinstance(price, types.TieredPrices):
            for tier in price.tiers:
                tiers.setdefault(tier.start, {})[ours] = _exact(tier.price)
    if (per_thousand := getattr(prices, "requests_kcount", None)) is not None:
        rates["request"] = f"{_plain(per_thousand) / 1000:f}"
    return rates, [{"above": above, "rates": tiers[above]} for above in sorted(tiers)]


def _exact(rate: Decimal) -> str:
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
