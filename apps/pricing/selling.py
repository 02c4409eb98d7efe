"""What a customer pays for a call by a rule of a rate card. Pure: no Django, no clock; the hot path imports it.

All amounts are whole numbers of 1e-12 USD (see rating.py), rounded once, half away from zero. A fixed fee is added to
what tokens and pieces come to; floor and ceiling hold for the sum of both.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from math import lcm
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import msgspec

from apps.pricing.rating import (
    EXACT,
    INPUT_KINDS,
    KINDS,
    PARENTS,
    PLACES,
    REQUEST,
    Price,
    Rates,
    Tokens,
    Units,
    ceiling,
    dollars,
    rate,
    with_markup,
)

ZERO = Decimal(0)
INPUTS = len(INPUT_KINDS)


class Sold(NamedTuple):
    """What a call costs the operator, where that is known, and what its customer pays for it, in USD to 12 places."""

    cost: Decimal | None
    price: Decimal


class Sale:
    """A rule of a rate card, ready to multiply with. `id` is its row. This one sells for nothing."""

    __slots__ = ("floor", "id", "most", "per_request")

    goes_by_cost: ClassVar[bool] = False  # there is no price where nobody knows the cost

    def __init__(self, rule_id: int, *, per_request: int = 0, floor: int = 0, most: int | None = None) -> None:
        self.id = rule_id
        self.per_request = per_request
        self.floor = floor
        self.most = most  # for a call; None: no end

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    def charge(self, tokens: Tokens, price: Price | None, cost: int, units: Units, service_tier: str) -> int:
        """For tokens and pieces, without the fixed fee. cost: what the call costs by `price`."""
        return 0

    def bound(
        self, price: Price | None, input_tokens: int, output_tokens: int, units: Units = (), service_tier: str = ""
    ) -> int:
        """No call costs its customer more. See rating.ceiling."""
        return 0

    def total(self, amount: int) -> int:
        """What is paid where tokens and pieces come to `amount`."""
        amount = max(amount + self.per_request, self.floor)
        return amount if self.most is None else min(amount, self.most)


class CostPlus(Sale):
    """The cost with a markup on it; a kind of token, or a piece, can have a markup of its own."""

    __slots__ = ("_below", "_factors", "_named", "_usual", "markup_percent", "markups")

    goes_by_cost = True

    def __init__(
        self,
        rule_id: int,
        markup_percent: Decimal,
        markups: Mapping[str, Decimal] = MappingProxyType({}),
        *,
        per_request: int = 0,
        floor: int = 0,
        most: int | None = None,
    ) -> None:
        super().__init__(rule_id, per_request=per_request, floor=floor, most=most)
        self.markup_percent = markup_percent
        self.markups = markups
        if markups:
            every = [self.markup_of(kind) for kind in KINDS] + [*markups.values(), markup_percent]
            ratios = [(100 + Fraction(each)) / 100 for each in every]
            self._below = lcm(*(ratio.denominator for ratio in ratios))
            factors = [int(ratio * self._below) for ratio in ratios]
            self._factors = tuple(factors[: len(KINDS)])
            self._named = dict(zip(markups, factors[len(KINDS) :], strict=False))
            self._usual = factors[-1]

    def markup_of(self, name: str) -> Decimal:
        """Of a kind of token (its own, else its parent's), of a piece, or of the call itself (REQUEST)."""
        names = (name, *PARENTS.get(name, ()), name.partition(":")[0])
        return next((self.markups[each] for each in names if each in self.markups), self.markup_percent)

    def charge(self, tokens: Tokens, price: Price | None, cost: int, units: Units, service_tier: str) -> int:
        if not self.markups or price is None:
            return with_markup(cost, self.markup_percent)
        held = price.services.get(service_tier, price)
        rates = held.rates_for(tokens.all_input)
        amount = rates.request * self._factor(REQUEST)
        for count, each, factor in zip(msgspec.structs.astuple(tokens), rates.tokens, self._factors, strict=True):
            if count:
                amount += count * each * factor
        return self._divided(amount + self._of_units(units, held) if units else amount)

    def bound(
        self, price: Price | None, input_tokens: int, output_tokens: int, units: Units = (), service_tier: str = ""
    ) -> int:
        if price is None:
            return 0
        if not self.markups:
            return self.total(ceiling(price, input_tokens, output_tokens, self.markup_percent, units, service_tier))
        most: int | Fraction = 0
        for each in price.reachable(service_tier):
            tokens = max(
                self._dearest(rates, input_tokens, output_tokens) for rates in _reachable_rates(each, input_tokens)
            )
            most = max(most, tokens + self._of_units(units, each))
        return self.total(self._divided(most))

    def _dearest(self, rates: Rates, input_tokens: int, output_tokens: int) -> int:
        each = [rate * factor for rate, factor in zip(rates.tokens, self._factors, strict=True)]
        of_request = rates.request * self._factor(REQUEST)
        return of_request + input_tokens * max(each[:INPUTS]) + output_tokens * max(each[INPUTS:])

    def _of_units(self, units: Units, price: Price) -> int | Fraction:
        return sum(count * price.each(name) * self._factor(name) for name, count in units)

    def _factor(self, name: str) -> int:
        """Of anything but tokens: what it costs is multiplied with, times `_below`."""
        named = self._named.get(name)
        return self._named.get(name.partition(":")[0], self._usual) if named is None else named

    def _divided(self, amount: int | Fraction) -> int:
        """Half away from zero."""
        above, below = (amount, 1) if isinstance(amount, int) else (amount.numerator, amount.denominator)
        below *= self._below
        return (2 * above + below) // (2 * below)


class Absolute(Sale):
    """Prices of its own for each kind of token and each piece, whatever the call costs."""

    __slots__ = ("own",)

    def __init__(
        self, rule_id: int, own: Price, *, per_request: int = 0, floor: int = 0, most: int | None = None
    ) -> None:
        super().__init__(rule_id, per_request=per_request, floor=floor, most=most)
        self.own = own

    def charge(self, tokens: Tokens, price: Price | None, cost: int, units: Units, service_tier: str) -> int:
        return _pico(rate(tokens, self.own, ZERO, units).cost)

    def bound(
        self, price: Price | None, input_tokens: int, output_tokens: int, units: Units = (), service_tier: str = ""
    ) -> int:
        return self.total(ceiling(self.own, input_tokens, output_tokens, ZERO, units))


def sell(sale: Sale, tokens: Tokens, price: Price | None, units: Units = (), service_tier: str = "") -> Sold | None:
    """What the call costs, and what its customer pays by the rule.

    price: the provider's; None: nobody knows it. Then only a rule that doesn't go by the cost has a price.
    """
    cost = rate(tokens, price, ZERO, units, service_tier).cost if price is not None else None
    if cost is None and sale.goes_by_cost:
        return None
    charged = sale.charge(tokens, price, _pico(cost) if cost is not None else 0, units, service_tier)
    return Sold(cost, dollars(sale.total(charged)))


def _reachable_rates(price: Price, input_tokens: int) -> Iterator[Rates]:
    yield price.base
    for tier in price.tiers:
        if input_tokens > tier.above:
            yield tier.rates


def _pico(amount: Decimal) -> int:
    return int(EXACT.scaleb(amount, PLACES))
