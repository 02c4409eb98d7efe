"""The terms of a plan as they are counted with. Pure: made from a plan's version by `parse`, or by a test.

What a plan stores of charges and allowances is JSON with decimals as text; `models.plans.PlanVersion` shows it.
Quantities (the ends of tiers, free units, packages) are in the metric itself, in tokens or requests or, where the
metric is "price", US dollars; prices are in the plan's currency, for `per` of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from apps.billing.money import ZERO
from apps.billing.periods import Alignment, Cycle, Interval
from apps.billing.tiers import BadTiers, Mode, Tariff, Tier, per_package, tariff

PER = ("1", "1000", "1000000")  # what prices can be for
PACKAGE = "package"


class Metric(StrEnum):
    """What of usage is counted."""

    INPUT = "input_tokens"
    OUTPUT = "output_tokens"
    TOKENS = "tokens"
    REQUESTS = "requests"
    PRICE = "price"  # what the requests were priced at, in USD


INCLUDED = (Metric.TOKENS, Metric.REQUESTS)  # of allowances: a part of them is that part of the price


class BadTerms(ValueError):
    """Terms that cannot be counted with; the message says which and why."""


@dataclass(frozen=True)
class Charge:
    """Usage of some models that is priced over the whole period, in place of each request's own price."""

    name: str
    models: str  # a glob, of names as customers know them
    metric: Metric
    tariff: Tariff
    per: Decimal = Decimal(1)  # the tariff's unit prices are for so many; already in them
    minimum: Decimal | None = None
    maximum: Decimal | None = None

    def covers(self, model: str) -> bool:
        return fnmatchcase(model.lower(), self.models.lower())


@dataclass(frozen=True)
class FreeUnits:
    """So many tokens or requests of some models that are included in each period."""

    name: str
    models: str
    metric: Metric
    quantity: Decimal
    rolls_over: bool = False

    def covers(self, model: str) -> bool:
        return fnmatchcase(model.lower(), self.models.lower())


@dataclass(frozen=True)
class Terms:
    """What a subscriber pays. Amounts are in `currency`, before tax."""

    name: str
    currency: str = "USD"
    interval: Interval = Interval.MONTH
    alignment: Alignment = Alignment.CALENDAR
    fee: Decimal = ZERO
    is_in_advance: bool = True
    minimum: Decimal = ZERO
    discount_percent: Decimal = ZERO
    charges: tuple[Charge, ...] = ()
    free: tuple[FreeUnits, ...] = ()

    def cycle(self, anchor: date, zone_name: str) -> Cycle:
        """The periods of a subscriber."""
        return Cycle(self.interval, anchor, zone_name, self.alignment)


def parse_charges(rows: Sequence[Mapping[str, Any]]) -> tuple[Charge, ...]:
    """Charges from what a plan stores. Raises BadTerms."""
    return tuple(_charge(row) for row in rows)


def parse_free_units(rows: Sequence[Mapping[str, Any]]) -> tuple[FreeUnits, ...]:
    """Allowances of tokens and requests from what a plan stores. Raises BadTerms."""
    return tuple(_free_units(row) for row in rows)


def _charge(row: Mapping[str, Any]) -> Charge:
    name = _named(row)
    per = _per(row, name)
    try:
        return Charge(
            name=name,
            models=str(row.get("models") or "*"),
            metric=_metric(row, name, tuple(Metric)),
            tariff=_tariff(row, name, per),
            per=per,
            minimum=_optional(row, "minimum", name),
            maximum=_optional(row, "maximum", name),
        )
    except BadTiers as error:
        raise BadTerms(f"{name}: {error}") from None


def _free_units(row: Mapping[str, Any]) -> FreeUnits:
    name = _named(row)
    quantity = _amount(row, "quantity", name)
    if quantity <= 0:
        raise BadTerms(f"{name}: an allowance includes more than nothing.")
    return FreeUnits(
        name=name,
        models=str(row.get("models") or "*"),
        metric=_metric(row, name, INCLUDED),
        quantity=quantity,
        rolls_over=bool(row.get("rolls_over")),
    )


def _tariff(row: Mapping[str, Any], name: str, per: Decimal) -> Tariff:
    """Prices for one unit: `per` is a power of ten, so that nothing is lost."""
    mode, free = str(row.get("mode") or Mode.GRADUATED), _amount(row, "free", name)
    tiers = [_tier(tier, name, per) for tier in row.get("tiers") or ()]
    if mode != PACKAGE:
        if mode not in tuple(Mode):
            raise BadTerms(f"{name}: there is no such way to price as “{mode}”.")
        return tariff(tiers, Mode(mode), free=free)
    size = _optional(row, "package_size", name)
    if size is None or len(tiers) != 1:
        raise BadTerms(f"{name}: packages have a size and one price.")
    return per_package(size, tiers[0].unit * per, free=free)


def _tier(row: Mapping[str, Any], name: str, per: Decimal) -> Tier:
    return Tier(_optional(row, "up_to", name), _amount(row, "unit", name) / per, _amount(row, "flat", name))


def _named(row: Mapping[str, Any]) -> str:
    name = str(row.get("name") or "").strip()
    if not name:
        raise BadTerms("Give each charge and each allowance a name.")
    return name


def _metric(row: Mapping[str, Any], name: str, allowed: Sequence[Metric]) -> Metric:
    if row.get("metric") not in allowed:
        raise BadTerms(f"{name}: it counts one of {', '.join(allowed)}.")
    return Metric(row["metric"])


def _per(row: Mapping[str, Any], name: str) -> Decimal:
    per = str(row.get("per") or "1")
    if per not in PER:
        raise BadTerms(f"{name}: prices are for one of {', '.join(PER)}.")
    return Decimal(per)


def _optional(row: Mapping[str, Any], field: str, name: str) -> Decimal | None:
    return None if row.get(field) in (None, "") else _amount(row, field, name)


def _amount(row: Mapping[str, Any], field: str, name: str) -> Decimal:
    given = row.get(field)
    try:
        amount = Decimal(str(given)) if given not in (None, "") else ZERO
    except InvalidOperation:
        raise BadTerms(f"{name}: “{given}” is not a number.") from None
    if not amount.is_finite() or amount < 0:
        raise BadTerms(f"{name}: {field} is a number, not below 0.")
    return amount
