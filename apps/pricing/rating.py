"""Usage times price: the one place where tokens become money. Pure: no Django, no clock.

Money is counted in whole numbers of 1e-12 USD ("pico"). Rates have no smaller parts (they have at most 12
decimal places, in USD a token), so a cost is exact. What is charged by the piece may have ("0.111/3600" for a
second of an hour at $0.111), and a markup can make smaller parts: a cost, and a price, is then rounded once,
half away from zero.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

PLACES = 12
PICOS = 10**PLACES  # in a dollar
MILLION = 1_000_000
EXACT = Context(prec=60)  # more digits than any amount here can have

REQUEST = "request"  # the rate that is charged for a call, whatever its tokens

Units = tuple[tuple[str, int], ...]  # what is charged by the piece, and how many: (("web_search", 2),); see units.py

AUTO = "auto"  # the service tier of a call that may be given any
DAY_S = 86_400

# A kind without a price of its own takes that of the first of these which has one; an explicit 0 is free.
PARENTS: Mapping[str, Sequence[str]] = {
    "input": (),
    "cache_read": ("input",),
    "cache_write_5m": ("cache_write", "input"),
    "cache_write_1h": ("cache_write", "input"),
    "cache_write": ("cache_write_5m", "input"),
    "input_audio": ("input",),
    "input_image": ("input",),
    "output": (),
    "reasoning": ("output",),
    "output_audio": ("output",),
    "output_image": ("output",),
}
KINDS = tuple(PARENTS)
INPUT_KINDS = KINDS[:7]
OUTPUT_KINDS = KINDS[7:]


class Tokens(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Tokens of one call by disjoint kind: a token is counted in exactly one of them."""

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0  # an hour with Anthropic, 12 with OpenAI
    cache_write: int = 0  # written to a cache whose lifetime the provider doesn't tell
    input_audio: int = 0
    input_image: int = 0
    output: int = 0
    reasoning: int = 0
    output_audio: int = 0
    output_image: int = 0

    @property
    def all_input(self) -> int:
        """Everything that went in, cached or not: what long-context prices go by."""
        return (
            self.input
            + self.cache_read
            + self.cache_write_5m
            + self.cache_write_1h
            + self.cache_write
            + self.input_audio
            + self.input_image
        )

    @property
    def all_output(self) -> int:
        """Everything that came out."""
        return self.output + self.reasoning + self.output_audio + self.output_image

    @property
    def total(self) -> int:
        return self.all_input + self.all_output


class Rates(NamedTuple):
    """What a token of each kind costs, in the order of KINDS, and what a call costs, in pico."""

    tokens: tuple[int, ...]
    request: int
    dearest_input: int
    dearest_output: int


class Tier(NamedTuple):
    """Rates for the whole request, once its full input is above so many tokens."""

    above: int
    rates: Rates


class Hours(NamedTuple):
    """A price for some hours of some days, in UTC."""

    days: str  # ISO: "12345" is Monday to Friday
    begin_s: int  # of the day
    end_s: int  # the first second without it
    price: "Price"

    def has(self, moment: float) -> bool:
        """Whether they are at Unix time `moment`."""
        days, second = divmod(moment, DAY_S)
        # 1970 began on a Thursday.
        return self.begin_s <= second < self.end_s and str((int(days) + 3) % 7 + 1) in self.days


class Price:
    """A provider's price for a model, ready to multiply with. `id` is the row in the price book."""

    __slots__ = ("base", "context_window", "hours", "id", "max_output_tokens", "services", "tiers", "units")

    def __init__(
        self,
        price_id: int,
        base: Rates,
        tiers: Sequence[Tier] = (),
        max_output_tokens: int | None = None,
        units: Mapping[str, int | Fraction] = MappingProxyType({}),
        services: Mapping[str, "Price"] = MappingProxyType({}),
        hours: Sequence[Hours] = (),
        context_window: int | None = None,
    ) -> None:
        self.id = price_id
        self.base = base
        self.tiers = tuple(sorted(tiers, reverse=True))  # the highest first
        self.max_output_tokens = max_output_tokens
        self.units = units  # pico for one of what is charged by the piece, by its name
        self.services = services  # the price in each service tier that has one of its own: "flex", "priority"
        self.hours = tuple(hours)  # in which another price holds
        self.context_window = context_window  # no call has more tokens of input; None: not known

    def __repr__(self) -> str:
        return f"<Price {self.id}>"

    @classmethod
    def parse(
        cls,
        price_id: int,
        rates: Mapping[str, str],
        tiers: Sequence[Mapping[str, Any]] = (),
        max_output_tokens: int | None = None,
        units: Mapping[str, str] = MappingProxyType({}),
        services: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        hours: Sequence[Mapping[str, Any]] = (),
        context_window: int | None = None,
    ) -> "Price":
        """From the price book's form; see `pricing.models.ModelPrice`. Raises ValueError."""
        above = [Tier(int(tier["above"]), rates_of({**rates, **tier["rates"]})) for tier in tiers]
        each = {name: _pico_each(rate) for name, rate in units.items()}
        special = {
            name: cls.parse(
                price_id,
                {**rates, **service.get("rates", {})},
                service.get("tiers", ()),
                max_output_tokens,
                {**units, **service.get("units", {})},
                context_window=context_window,
            )
            for name, service in services.items()
        }
        windows = [
            Hours(
                window["days"],
                _second(window["from"]),
                _second(window["until"]),
                cls.parse(
                    price_id,
                    {**rates, **window["rates"]},
                    (),
                    max_output_tokens,
                    units,
                    services,
                    context_window=context_window,
                ),
            )
            for window in hours
        ]
        return cls(price_id, rates_of(rates), above, max_output_tokens, each, special, windows, context_window)

    def at(self, moment: float) -> "Price":
        """The price of a call that began at Unix time `moment`."""
        if not self.hours:
            return self
        return next((window.price for window in self.hours if window.has(moment)), self)

    def reachable(self, service_tier: str) -> Iterator["Price"]:
        """The prices that a call which asks for this service tier can be charged at.

        "": the usual one. Another tier can also be given as the usual one; AUTO can become any.
        """
        yield self
        if service_tier == AUTO:
            yield from self.services.values()
        elif service_tier in self.services:
            yield self.services[service_tier]

    def each(self, name: str) -> int | Fraction:
        """What one of a unit costs, in pico. What isn't named takes the dearest of its kind, such as any "image:"."""
        exact = self.units.get(name)
        if exact is not None:
            return exact
        kind = name.partition(":")[0]
        return max((each for other, each in self.units.items() if other.partition(":")[0] == kind), default=0)

    def rates_for(self, input_tokens: int) -> Rates:
        """The rates of a request with so many tokens of input, cached ones included."""
        for tier in self.tiers:
            if input_tokens > tier.above:
                return tier.rates
        return self.base


class Rated(NamedTuple):
    """What a call costs the operator and what its customer pays for it, in USD to 12 places."""

    cost: Decimal
    price: Decimal


def rates_of(rates: Mapping[str, str]) -> Rates:
    """Rates a token from rates a million, kinds without one taking their parent's. Raises ValueError.

    A model that has no rate for input or output at all charges nothing for it: embeddings have no output.
    """
    if unknown := rates.keys() - PARENTS.keys() - {REQUEST}:
        raise ValueError(f"no such kind of token: {', '.join(sorted(unknown))}")
    each = {kind: _pico(rate, MILLION) for kind, rate in rates.items() if kind != REQUEST}
    tokens = tuple(_rate_of(kind, each) for kind in KINDS)
    dearest_input = max(tokens[: len(INPUT_KINDS)])
    return Rates(tokens, _pico(rates.get(REQUEST, "0"), 1), dearest_input, max(tokens[len(INPUT_KINDS) :]))


def pico_of(amount: str) -> int:
    """Of an amount in USD, as text. Raises ValueError for what is below 0, or has parts of less than 1e-12."""
    return _pico(amount, 1)


def _pico(rate: str, units: int) -> int:
    """The rate of one unit, where `rate` is that of so many."""
    try:
        pico = EXACT.divide(EXACT.multiply(Decimal(rate), PICOS), units)
        whole = int(pico)
    except (ArithmeticError, ValueError):  # no number, or an infinite one
        raise ValueError(f"not a price: {rate}") from None
    if pico < 0 or pico != whole:
        raise ValueError(f"not a price, or with parts of less than 1e-12 USD: {rate}")
    return whole


def _pico_each(rate: str) -> int | Fraction:
    """The price of a piece; "0.27/3600" is that of one of 3,600."""
    whole, _, parts = rate.partition("/")
    if not parts:
        return _pico(whole, 1)
    if not parts.isdecimal() or not int(parts):
        raise ValueError(f"not a price: {rate}")
    each = Fraction(_pico(whole, 1), int(parts))
    return int(each) if each.denominator == 1 else each


def _second(time: str) -> int:
    """Of the day, from "06:30"; "24:00" is its end."""
    hours, _, minutes = time.partition(":")
    second = int(hours) * 3600 + int(minutes) * 60
    if not 0 <= second <= DAY_S:
        raise ValueError(f"not a time of day: {time}")
    return second


def _rate_of(kind: str, each: Mapping[str, int]) -> int:
    return next((each[name] for name in (kind, *PARENTS[kind]) if name in each), 0)


def rate(tokens: Tokens, price: Price, markup_percent: Decimal, units: Units = (), service_tier: str = "") -> Rated:
    """What the call costs, and its price: the cost with the markup on it.

    markup_percent: 20 makes 1.2 of 1. At least -100.
    units: what is charged by the piece; what the price doesn't name is free.
    service_tier: as the answer names it; one without a price of its own costs what the usual one does.
    """
    if service_tier and service_tier in price.services:
        price = price.services[service_tier]
    rates = price.rates_for(tokens.all_input) if price.tiers else price.base
    cost = rates.request
    for count, each in zip(msgspec.structs.astuple(tokens), rates.tokens, strict=True):
        if count:
            cost += count * each
    if units:
        cost = _rounded(cost + _of_units(units, price))
    in_dollars = dollars(cost)
    return Rated(in_dollars, dollars(with_markup(cost, markup_percent)) if markup_percent else in_dollars)


def _of_units(units: Units, price: Price) -> int | Fraction:
    return sum(count * price.each(name) for name, count in units)


def _rounded(cost: int | Fraction) -> int:
    """Half away from zero."""
    if isinstance(cost, int):
        return cost
    return (2 * cost.numerator + cost.denominator) // (2 * cost.denominator)


def with_markup(cost: int, markup_percent: Decimal) -> int:
    """The price of what costs `cost`, both in pico: rounded half away from zero."""
    above, below = _factor(markup_percent)
    return (2 * cost * above + below) // (2 * below)


@lru_cache(maxsize=4096)
def _factor(markup_percent: Decimal) -> tuple[int, int]:
    """What a cost is multiplied with, as a fraction."""
    above, below = markup_percent.as_integer_ratio()
    return 100 * below + above, 100 * below


def dollars(pico: int) -> Decimal:
    """Pico in USD, to 12 places."""
    return EXACT.scaleb(Decimal(pico), -PLACES)


def ceiling(
    price: Price,
    input_tokens: int,
    output_tokens: int,
    markup_percent: Decimal,
    units: Units = (),
    service_tier: str = "",
) -> int:
    """The most a call can be priced at, in pico: every token of the dearest kind, at the dearest rates it can reach.

    input_tokens, output_tokens, units: bounds that the call cannot pass; output of all its answers together.
    service_tier: that it asks for; see Price.reachable.
    """
    if not service_tier:
        most = _at_most(price, input_tokens, output_tokens, units)
    else:
        most = max(_at_most(each, input_tokens, output_tokens, units) for each in price.reachable(service_tier))
    return with_markup(most, markup_percent) if markup_percent else most


def _at_most(price: Price, input_tokens: int, output_tokens: int, units: Units) -> int:
    cost = _of_tokens(price.base, input_tokens, output_tokens)
    for tier in price.tiers:
        if input_tokens > tier.above:
            cost = max(cost, _of_tokens(tier.rates, input_tokens, output_tokens))
    return _rounded(cost + _of_units(units, price)) if units else cost


def _of_tokens(rates: Rates, input_tokens: int, output_tokens: int) -> int:
    return rates.request + input_tokens * rates.dearest_input + output_tokens * rates.dearest_output
