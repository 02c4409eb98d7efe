"""List prices into the price book, with their history: those of genai-prices, and what we know beside them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version

from django.db import transaction

from apps.kit.locks import lock_name
from apps.pricing.list_extras import CHECKED_ON, extended
from apps.pricing.list_prices import ListPrice, ListPrices, Model, list_prices
from apps.pricing.models import ModelPrice

TOLD = tuple(set(ListPrice._fields) - {"effective_from", "context_window"})  # what makes another price


@dataclass
class SyncReport:
    """What a sync did, or would do."""

    source: str
    added: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)  # the source says now that it is another price
    unchanged: int = 0


def source_of_prices() -> str:
    """What the list prices of this installation are, by version and date: a row says which it came from."""
    return f"genai-prices {version('genai-prices')}, own {CHECKED_ON}"


def sync_prices(*, at: datetime, dry_run: bool = False) -> SyncReport:
    """Add what the sources have and the book has not. Runs twice without effect.

    A price that the source corrects without giving it a date holds from `at`: requests before it stay
    as they were rated.
    """
    report = SyncReport(source_of_prices())
    with transaction.atomic():
        lock_name("pricing.sync")
        known, listed = _rows_by_model(), extended(list_prices())
        rows = [
            row
            for model, versions in listed.items()
            for row in _rows_to_add(model, versions, known.get(model, []), report, at)
        ]
        if not dry_run:
            ModelPrice.objects.bulk_create(rows, batch_size=1000)
            stale = list(_with_another_window(known, listed))
            ModelPrice.objects.bulk_update(stale, ["context_window"], batch_size=1000)
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
    book = max((row for row in [*rows, *added] if row.effective_from <= at), key=_start, default=None)
    source = max((version for version in versions if version.effective_from <= at), key=_start, default=None)
    if book is None or source is None:  # of a model that has no price yet
        report.added.append("/".join(model))
        return
    if any(getattr(book, name) != getattr(source, name) for name in TOLD):
        yield _as_row(model, source._replace(effective_from=at), report)
        report.corrected.append("/".join(model))
    elif added:
        report.added.append("/".join(model))
    else:
        report.unchanged += 1


def _with_another_window(known: dict[Model, list[ModelPrice]], listed: ListPrices) -> Iterator[ModelPrice]:
    """Rows that say another context window than is published today, with it."""
    for model, rows in known.items():
        window = listed[model][-1].context_window if model in listed else None
        for row in rows:
            if window is not None and row.context_window != window:
                row.context_window = window
                yield row


def _start(price: ModelPrice | ListPrice) -> datetime:
    return price.effective_from


def _as_row(model: Model, price: ListPrice, report: SyncReport) -> ModelPrice:
    provider, name = model
    return ModelPrice(provider=provider, model=name, source=report.source, **price._asdict())
