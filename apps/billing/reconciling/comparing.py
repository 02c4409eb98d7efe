"""A provider's figures beside ours, by day and model. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from apps.billing.reconciling.exports import COST, Place

Figures = Mapping[str, Decimal]

DATED = re.compile(r"[-@](\d{8}|\d{4}-\d{2}-\d{2}|latest)$")
NOTHING = Decimal(0)


class Difference(NamedTuple):
    """What does not agree. billed: the provider's; metered: ours."""

    day: date
    model: str
    measure: str  # "cost" in USD, or a kind of tokens
    billed: Decimal
    metered: Decimal

    @property
    def gap(self) -> Decimal:
        """Above zero: the provider has more than we."""
        return self.billed - self.metered

    @property
    def what(self) -> str:
        if not self.metered:
            return "not metered"
        return "not billed" if not self.billed else "differs"

    def __str__(self) -> str:
        name = self.model or "all models"
        unit = "USD" if self.measure == COST else f"{self.measure} tokens"
        amounts = f"billed {_text(self.billed)}, metered {_text(self.metered)} ({_text(self.gap, sign=True)})"
        return f"{self.day} {name}: {self.what}: {amounts} {unit}"


@dataclass(frozen=True)
class _Pair:
    name: str
    billed: Figures
    metered: Figures


def compare(
    billed: Mapping[Place, Figures],
    metered: Mapping[Place, Figures],
    measures: Iterable[str],
    *,
    tolerance: Decimal = NOTHING,
) -> list[Difference]:
    """What differs, by day, model and measure, in that order.

    tolerance: in USD, of a cost of a model on a day; tokens have to agree to the last one.
    Models are matched by name, then, where one side names no version, by what they are versions of. Where the
    export names no models, the day's sum is compared.
    """
    measures = tuple(measures)
    found: list[Difference] = []
    for day in sorted({place[0] for place in (*billed, *metered)}):
        for pair in _pairs(_of(billed, day), _of(metered, day)):
            for measure in measures:
                ours, theirs = pair.metered.get(measure, NOTHING), pair.billed.get(measure, NOTHING)
                allowed = tolerance if measure == COST else NOTHING
                if abs(theirs - ours) > allowed:
                    found.append(Difference(day, pair.name, measure, theirs, ours))
    return found


def family_of(model: str) -> str:
    """What a model is a version of, however it is written: “Claude Haiku 4.5”, claude-haiku-4-5-20251001."""
    return DATED.sub("", _written(model))


def _written(model: str) -> str:
    name = re.sub(r"[\s_]+", "-", model.strip().lower())
    return name.replace(".", "-") if name.startswith("claude") else name


def _of(figures: Mapping[Place, Figures], day: date) -> dict[str, Figures]:
    return {model: sums for (each, model), sums in figures.items() if each == day}


def _pairs(billed: dict[str, Figures], metered: dict[str, Figures]) -> list[_Pair]:
    if set(billed) == {""}:
        return [_Pair("", billed[""], _sum(metered.values()))]
    theirs, ours = _by(billed, _written), _by(metered, _written)
    pairs = [_Pair(name, theirs.pop(name), ours.pop(name)) for name in sorted(theirs.keys() & ours.keys())]
    by_family, our_families = _by(theirs, family_of), _by(ours, family_of)
    names = sorted(by_family.keys() | our_families.keys())
    return pairs + [_Pair(name, by_family.get(name, {}), our_families.get(name, {})) for name in names]


def _by(figures: Mapping[str, Figures], name_of: Callable[[str], str]) -> dict[str, Figures]:
    groups: dict[str, list[Figures]] = {}
    for model, sums in figures.items():
        groups.setdefault(name_of(model), []).append(sums)
    return {name: _sum(each) for name, each in groups.items()}


def _sum(many: Iterable[Figures]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for figures in many:
        for measure, value in figures.items():
            total[measure] = total.get(measure, NOTHING) + value
    return total


def _text(amount: Decimal, *, sign: bool = False) -> str:
    plain = f"{amount.normalize():f}"
    return f"+{plain}" if sign and amount > 0 else plain
