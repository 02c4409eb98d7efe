"""How what a request cost came about, from the version of the price that it was charged by. Pure."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from apps.pricing.rating import EXACT, KINDS, MILLION, PICOS, REQUEST, Price, Tokens, Units, rate
from apps.pricing.selling import Sale, sell

SHOWN_PLACES = Decimal(1).scaleb(-18)  # of what has no end, such as a second at $0.111 an hour


class Line(NamedTuple):
    """Something that was charged. Exact, but for units whose price has no last digit."""

    name: str  # a kind of token, a unit such as "web_search", or "request": the call itself
    count: int
    rate: Decimal  # USD for a million tokens, or for one of anything else
    amount: Decimal  # USD
    is_tokens: bool


class Breakdown(NamedTuple):
    """All that was charged, and what it comes to, in USD."""

    lines: list[Line]
    markup_percent: Decimal
    cost: Decimal
    price: Decimal
    tier_above: int | None  # rates of the long-context tier above so many tokens of input held


def break_down(
    tokens: Tokens,
    price: Price,
    markup_percent: Decimal,
    units: Units = (),
    service_tier: str = "",
    sale: Sale | None = None,
) -> Breakdown:
    """What `rate` sums up, line by line. price: that of the time when the call began (Price.at).

    sale: by which rule it was sold; None: by the markup. See sold_lines.py.
    """
    cost, customers = rate(tokens, price, markup_percent, units, service_tier)
    if sale is not None and (sold := sell(sale, tokens, price, units, service_tier)) is not None:
        customers = sold.price
    held = price.services.get(service_tier, price) if service_tier else price
    tier = next((tier.above for tier in held.tiers if tokens.all_input > tier.above), None)
    return Breakdown(list(lines_of(tokens, held, units)), markup_percent, cost, customers, tier)


def marked_up(lines: list[Line], markup_percent: Decimal) -> list[Line]:
    """The same at the customer's rates."""
    factor = EXACT.add(1, EXACT.divide(markup_percent, 100))
    return [
        line._replace(rate=EXACT.multiply(line.rate, factor), amount=EXACT.multiply(line.amount, factor))
        for line in lines
    ]


def lines_of(tokens: Tokens, price: Price, units: Units) -> Iterator[Line]:
    """Each kind and piece that was used, at the price's rates."""
    rates = price.rates_for(tokens.all_input)
    for kind, each in zip(KINDS, rates.tokens, strict=True):
        if count := getattr(tokens, kind):
            yield Line(kind, count, _dollars(each * MILLION), _dollars(count * each), True)
    for name, count in units:
        each_unit = price.each(name)
        yield Line(name, count, _dollars(each_unit), _dollars(count * each_unit), False)
    if rates.request:
        yield Line(REQUEST, 1, _dollars(rates.request), _dollars(rates.request), False)


def _dollars(pico: int | Fraction) -> Decimal:
    """As many places as it has; of what has no end, some."""
    if isinstance(pico, int):
        return EXACT.divide(Decimal(pico), PICOS)
    dollars = EXACT.divide(EXACT.divide(Decimal(pico.numerator), pico.denominator), PICOS)
    return dollars.quantize(SHOWN_PLACES, context=EXACT)
