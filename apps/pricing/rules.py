"""The rules of a rate card as they are told: by a form, a file, the API. Pure.

    {"match": "openai/*", "mode": "cost_plus", "markup_percent": "20", "markups": {"output": "30"}}
    {"match": "gpt-5*", "mode": "absolute", "rates": {"input": "1.5", "output": "12"}, "units": {"web_search": "0.02"}}
    {"match": "o4-*", "mode": "free"}

`rates` are USD a million tokens by kind, `units` USD for one of what is charged by the piece, `per_request` USD a call;
`floor` and `ceiling`, in USD, hold for a whole call. Numbers are told as text, which is exact.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from itertools import combinations
from typing import Any

from apps.pricing.globs import clash, glob_of
from apps.pricing.rating import KINDS, REQUEST, Price, pico_of
from apps.pricing.selling import Absolute, CostPlus, Sale
from apps.pricing.terms import Rule
from apps.pricing.units import is_known

MOST_RULES = 500  # of a version
MOST_MARKUP = Decimal(99_999)
MARKUP_PLACES = 4
FIELDS = frozenset(("match", "mode", "markup_percent", "markups", "rates", "units", "per_request", "floor", "ceiling"))


class Mode(StrEnum):
    """How a rule makes a price."""

    COST_PLUS = "cost_plus"
    ABSOLUTE = "absolute"
    FREE = "free"


class BadRules(ValueError):
    """Rules that cannot be a rate card's; the text says which of them, and why."""


@dataclass(frozen=True)
class RuleTold:
    """A rule with everything in its place. Amounts and percents are plain decimals."""

    match: str
    mode: Mode
    markup_percent: Decimal | None = None
    markups: Mapping[str, str] = field(default_factory=dict)
    rates: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    per_request: Decimal = Decimal(0)
    floor: Decimal | None = None
    ceiling: Decimal | None = None

    def sale(self, rule_id: int = 0) -> Sale:
        """Ready to multiply with. Raises ValueError."""
        bounds: dict[str, Any] = {
            "per_request": pico_of(str(self.per_request)),
            "floor": pico_of(str(self.floor or 0)),
            "most": None if self.ceiling is None else pico_of(str(self.ceiling)),
        }
        if self.mode is Mode.FREE:
            return Sale(rule_id)
        if self.mode is Mode.ABSOLUTE:
            return Absolute(rule_id, Price.parse(0, self.rates, units=self.units), **bounds)
        markups = {name: Decimal(percent) for name, percent in self.markups.items()}
        return CostPlus(rule_id, self.markup_percent or Decimal(0), markups, **bounds)

    def rule(self, rule_id: int = 0) -> Rule:
        """With the models that it is for. Raises ValueError."""
        return Rule(glob_of(self.match), self.sale(rule_id))

    def as_told(self) -> dict[str, Any]:
        """As a file or the API has it: only what says something."""
        told = {
            "match": self.match,
            "mode": str(self.mode),
            "markup_percent": None if self.markup_percent is None else _plain(self.markup_percent),
            "markups": dict(self.markups),
            "rates": dict(self.rates),
            "units": dict(self.units),
            "per_request": _plain(self.per_request) if self.per_request else None,
            "floor": None if self.floor is None else _plain(self.floor),
            "ceiling": None if self.ceiling is None else _plain(self.ceiling),
        }
        return {name: value for name, value in told.items() if value not in (None, {})}


def clean_rules(told: Sequence[Mapping[str, Any]]) -> list[RuleTold]:
    """The rules of one version, those that go first in front. Raises BadRules."""
    if len(told) > MOST_RULES:
        raise BadRules(f"A rate card has at most {MOST_RULES} rules.")
    rules = []
    for number, each in enumerate(told, start=1):
        try:
            rules.append(_clean(each))
        except BadRules:
            raise
        except (ValueError, ArithmeticError, TypeError, AttributeError) as error:
            raise BadRules(f"Rule {number}: {error}") from None
    _refuse_ambiguity(rules)
    return sorted(rules, key=_order)


def _order(rule: RuleTold) -> tuple[int, int, str]:
    glob = glob_of(rule.match)
    return -glob.rank, -glob.letters, glob.text


def _refuse_ambiguity(rules: Iterable[RuleTold]) -> None:
    for one, other in combinations([glob_of(rule.match) for rule in rules], 2):
        if one.text == other.text:
            raise BadRules(f"There are two rules for {one.text}.")
        if clash(one, other):
            raise BadRules(
                f"{one.text} and {other.text} can mean the same model, and neither is the narrower one. "
                "Make one of them longer."
            )


def _clean(told: Mapping[str, Any]) -> RuleTold:
    if unknown := told.keys() - FIELDS:
        raise ValueError(f"there is no field {', '.join(sorted(unknown))}")
    rule = RuleTold(
        glob_of(str(told.get("match") or "").strip()).text,
        _mode(told.get("mode")),
        _percent(told.get("markup_percent")),
        {name: _plain(_percent(each)) for name, each in _pairs(told, "markups")},
        {name: _plain(_number(each)) for name, each in _pairs(told, "rates")},
        {name: str(each).strip() for name, each in _pairs(told, "units")},
        _amount(told.get("per_request")) or Decimal(0),
        _amount(told.get("floor")),
        _amount(told.get("ceiling")),
    )
    _check(rule)
    return rule


def _check(rule: RuleTold) -> None:
    """Raise ValueError for what does not belong to the mode, and for what cannot be a price."""
    is_cost_plus, is_absolute = rule.mode is Mode.COST_PLUS, rule.mode is Mode.ABSOLUTE
    if (rule.markup_percent is not None or rule.markups) and not is_cost_plus:
        raise ValueError("a markup is on the cost: its mode is cost_plus")
    if (rule.rates or rule.units) and not is_absolute:
        raise ValueError("prices of its own: its mode is absolute")
    if is_cost_plus and rule.markup_percent is None:
        raise ValueError("cost_plus needs a markup_percent; 0 sells at cost")
    if is_absolute and not (rule.rates or rule.units or rule.per_request):
        raise ValueError("absolute needs a price: rates, units or per_request")
    if rule.mode is Mode.FREE and (rule.per_request or rule.floor or rule.ceiling is not None):
        raise ValueError("what is free has no fee, floor or ceiling")
    if rule.floor is not None and rule.ceiling is not None and rule.floor > rule.ceiling:
        raise ValueError("the floor is above the ceiling")
    if REQUEST in rule.rates:
        raise ValueError("the price of a call is its per_request")
    for name in rule.markups:
        if name not in (*KINDS, REQUEST) and not is_known(name):
            raise ValueError(f"no such kind of token, and no such piece: {name}")
    if unknown := sorted(name for name in rule.units if not is_known(name)):
        raise ValueError(f"nothing is charged by the piece under {', '.join(unknown)}")
    rule.sale()


def _mode(value: Any) -> Mode:
    try:
        return Mode(str(value))
    except ValueError:
        raise ValueError(f"its mode is one of {', '.join(Mode)}") from None


def _pairs(told: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    value = told.get(name)
    if value in (None, ""):
        return []
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} are an object: names, and a number for each")
    return [(str(each), number) for each, number in value.items() if number not in (None, "")]


def _number(value: Any) -> Decimal:
    if isinstance(value, float):
        raise ValueError(f"write numbers as text, which is exact: {value}")
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(f"not a number: {value}") from None
    if not number.is_finite():
        raise ValueError(f"not a number: {value}")
    return number


def _amount(value: Any) -> Decimal | None:
    """USD for a call."""
    if value in (None, ""):
        return None
    pico_of(str(_number(value)))
    return _number(value)


def _percent(value: Any) -> Decimal | None:
    if value in (None, ""):
        return None
    percent = _number(value)
    if not Decimal(-100) <= percent <= MOST_MARKUP:
        raise ValueError(f"a markup is from -100 to {MOST_MARKUP:f} percent: {value}")
    if percent != round(percent, MARKUP_PLACES):
        raise ValueError(f"a markup has at most {MARKUP_PLACES} decimal places: {value}")
    return percent


def _plain(value: Decimal | None) -> str:
    """In full, without zeros at its end."""
    text = f"{value or Decimal(0):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
