"""What a provider's own export says that we used and owe, by day and model. Pure: lines in, figures out.

Providers bill by the day of UTC. Of their files, which change now and then, the columns that are known by name are
read, in any order, and everything else is left alone; rows that make no sense are told, with their line.
Formats: docs/reconcile.md.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from apps.billing.errors import NotPossible

Row = Mapping[str, str]
Place = tuple[date, str]  # a day of UTC, and a model as the export calls it; "": all models together

COST, INPUT, CACHE_READ, CACHE_WRITE, OUTPUT = "cost", "input", "cache_read", "cache_write", "output"

DAY_COLUMNS = ("usage_date_utc", "start_time_iso", "date", "day", "start_time", "timestamp")
MODEL_COLUMNS = ("model_version", "model", "line_item", "snapshot_id")
COST_COLUMNS = ("amount_value", "cost_usd", "cost_in_dollars", "amount")
CURRENCY_COLUMNS = ("amount_currency", "currency")

# Of each provider: the columns that sum up to a measure. What sums to nothing in the whole header isn't compared.
TOKENS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "openai": {
        INPUT: ("input_tokens", "input_audio_tokens", "input_image_tokens", "n_context_tokens_total"),
        CACHE_READ: ("input_cached_tokens", "input_cached_audio_tokens"),
        OUTPUT: ("output_tokens", "output_audio_tokens", "output_image_tokens", "n_generated_tokens_total"),
    },
    "anthropic": {
        INPUT: ("usage_input_tokens_no_cache", "uncached_input_tokens"),
        CACHE_READ: ("usage_input_tokens_cache_read", "cache_read_input_tokens"),
        CACHE_WRITE: (
            "usage_input_tokens_cache_write_5m",
            "usage_input_tokens_cache_write_1h",
            "usage_input_tokens_cache_write",
            "cache_creation_input_tokens",
        ),
        OUTPUT: ("usage_output_tokens", "output_tokens"),
    },
}
PROVIDERS = tuple(TOKENS)


@dataclass
class Export:
    """A file that was read."""

    measures: tuple[str, ...]  # what it tells: COST, or kinds of tokens, or both
    figures: dict[Place, dict[str, Decimal]] = field(default_factory=dict)
    not_understood: list[str] = field(default_factory=list)
    rows: int = 0

    @property
    def days(self) -> list[date]:
        return sorted({day for day, _model in self.figures})


def read_export(provider: str, lines: Iterable[str]) -> Export:
    """The export of OpenAI's or Anthropic's console. Raises NotPossible for a file that is none."""
    reader = csv.DictReader(lines)
    header = [_plain(name) for name in reader.fieldnames or ()]
    reader.fieldnames = header
    columns = _Columns(provider, header)
    export = Export(columns.measures)
    for row in reader:
        if not any((value or "").strip() for name, value in row.items() if name and isinstance(value, str)):
            continue
        export.rows += 1
        try:
            columns.add(export, row)
        except (ValueError, InvalidOperation, OverflowError, OSError) as error:
            export.not_understood.append(f"line {reader.line_num}: {error or 'not a number'}")
    return export


class _Columns:
    """Which of a file's columns say what."""

    def __init__(self, provider: str, header: Sequence[str]) -> None:
        self._days = [name for name in DAY_COLUMNS if name in header]
        self._model = _first(MODEL_COLUMNS, header)
        self._cost = _first(COST_COLUMNS, header)
        self._currency = _first(CURRENCY_COLUMNS, header)
        tokens = {kind: [name for name in names if name in header] for kind, names in TOKENS[provider].items()}
        self._tokens = {kind: names for kind, names in tokens.items() if names}
        self.measures = ((COST,) if self._cost else ()) + tuple(self._tokens)
        if not self._days or not self.measures:
            raise NotPossible(
                f"This is no export of {provider} that we know: its columns are {', '.join(header) or 'none'}."
                f" There has to be one of {', '.join(DAY_COLUMNS)}, and a cost or tokens."
            )

    def add(self, export: Export, row: Row) -> None:
        """Raises ValueError for a row that makes no sense."""
        amount = (row.get(self._cost) or "").strip() if self._cost else ""
        if self._cost and not self._tokens and not amount:
            return  # a day on which nothing was used
        if self._currency and (code := (row.get(self._currency) or "usd").strip().lower() or "usd") != "usd":
            raise ValueError(f"an amount in {code.upper()}: only US dollars can be compared")
        day = next((text for name in self._days if (text := (row.get(name) or "").strip())), "")
        place = (_day_of(day), _model_of(row.get(self._model) or "" if self._model else ""))
        found = {
            kind: sum((_number(row.get(name)) for name in names), Decimal(0)) for kind, names in self._tokens.items()
        }
        if self._cost:
            found[COST] = _number(amount)
        sums = export.figures.setdefault(place, dict.fromkeys(export.measures, Decimal(0)))
        for measure, value in found.items():
            sums[measure] += value


def _plain(name: str | None) -> str:
    return (name or "").strip().strip("\ufeff").lower().replace(" ", "_")


def _first(names: Sequence[str], header: Sequence[str]) -> str:
    return next((name for name in names if name in header), "")


def _number(text: str | None) -> Decimal:
    plain = (text or "").strip().replace(",", "").removeprefix("$")
    if not plain:
        return Decimal(0)
    try:
        number = Decimal(plain)
    except InvalidOperation:
        raise ValueError(f"not a number: {plain[:40]}") from None
    if not number.is_finite():
        raise ValueError(f"not a number: {plain[:40]}")
    return number


def _day_of(text: str) -> date:
    """2026-10-03, 2026-10-03T07:00:00+00:00, or seconds since 1970. Without a zone it is of UTC."""
    plain = text.strip()
    if plain.isdigit():
        return datetime.fromtimestamp(int(plain), UTC).date()
    try:
        at = datetime.fromisoformat(plain.replace(" UTC", "+00:00"))
    except ValueError:
        raise ValueError(f"not a day: {plain[:40] or 'empty'}") from None
    return (at.astimezone(UTC) if at.tzinfo else at).date()


def _model_of(text: str) -> str:
    """A line item of OpenAI's is a model and what of it: “gpt-5-nano, input_tokens”."""
    return text.split(",", maxsplit=1)[0].strip()
