"""What a customer pays for a model, as a price list shows it: by kind, by the piece, by the call. Pure."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from apps.pricing.rating import EXACT, KINDS, MILLION, PICOS, Price, Rates, with_markup
from apps.pricing.selling import Absolute, CostPlus, Sale

SHOWN_PLACES = Decimal(1).scaleb(-12)


class Tiered(NamedTuple):
    """USD a million tokens by kind, for calls with more than so many tokens of input. None: for all others."""

    above: int | None
    tokens: dict[str, Decimal]


class Shown(NamedTuple):
    """What is paid for a model, in USD. A kind that costs what its parent does is left out."""

    tiers: list[Tiered]
    units: dict[str, Decimal]
    per_request: Decimal
    floor: Decimal | None
    ceiling: Decimal | None
    is_free: bool = False


def shown(price: Price | None, sale: Sale | None, markup_percent: Decimal) -> Shown | None:
    """None: nobody knows. price: the provider's; sale: by which rule it is sold; None: by the markup."""
    if sale is None:
        sale = CostPlus(0, markup_percent)
    if isinstance(sale, Absolute):
        return _shown(sale.own, CostPlus(0, Decimal(0)), sale)
    if isinstance(sale, CostPlus):
        return _shown(price, sale, sale) if price is not None else None
    return Shown([], {}, Decimal(0), None, None, is_free=True)


def _shown(price: Price, factors: CostPlus, sale: Sale) -> Shown:
    bases: Iterable[tuple[int | None, Rates]] = [
        (None, price.base),
        *sorted((tier.above, tier.rates) for tier in price.tiers),
    ]
    return Shown(
        [Tiered(above, _by_kind(rates, factors)) for above, rates in bases],
        {name: _dollars(each, factors.markup_of(name)) for name, each in price.units.items()},
        _dollars(price.base.request, factors.markup_of("request")) + _dollars(sale.per_request, Decimal(0)),
        _dollars(sale.floor, Decimal(0)) if sale.floor else None,
        None if sale.most is None else _dollars(sale.most, Decimal(0)),
    )


def _by_kind(rates: Rates, factors: CostPlus) -> dict[str, Decimal]:
    found = {
        kind: _dollars(each * MILLION, factors.markup_of(kind)) for kind, each in zip(KINDS, rates.tokens, strict=True)
    }
    own = {"input": found["input"], "output": found["output"]}
    for kind, amount in found.items():
        parent = "input" if KINDS.index(kind) < KINDS.index("output") else "output"
        if amount != found[parent]:
            own[kind] = amount
    return {kind: own[kind] for kind in KINDS if kind in own}


def _dollars(pico: int | Fraction, markup_percent: Decimal) -> Decimal:
    """With the markup, to 12 places."""
    if isinstance(pico, int):
        return EXACT.divide(Decimal(with_markup(pico, markup_percent)), PICOS)
    exact = Fraction(pico) * (100 + Fraction(markup_percent)) / 100 / PICOS
    return EXACT.divide(Decimal(exact.numerator), exact.denominator).quantize(SHOWN_PLACES, context=EXACT)
