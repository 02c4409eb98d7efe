"""How what a customer pays for a call came about, by a rule of a rate card, line by line. Pure."""

from collections.abc import Iterator
from decimal import Decimal

from apps.pricing.rating import EXACT, Price, Tokens, Units, dollars
from apps.pricing.selling import Absolute, CostPlus, Sale, sell
from apps.usage.breakdown import Line, lines_of

FEE, FLOOR, CEILING = "fee", "floor", "ceiling"


def sold_lines(
    sale: Sale, tokens: Tokens, price: Price | None, units: Units = (), service_tier: str = ""
) -> list[Line]:
    """What `sell` sums up; what a floor or a ceiling makes of it is a line of its own. Exact, but for the last place.

    price: that of the time when the call began (Price.at), None where nobody knows it.
    """
    sold = sell(sale, tokens, price, units, service_tier)
    if sold is None:
        return []
    lines = list(_charged(sale, tokens, price, units, service_tier))
    if sale.per_request:
        lines.append(_once(FEE, dollars(sale.per_request)))
    missing = EXACT.subtract(sold.price, sum((line.amount for line in lines), Decimal(0)))
    if missing > 0 and sold.price == dollars(sale.floor):
        lines.append(_once(FLOOR, missing))
    elif missing < 0 and sale.most is not None and sold.price == dollars(sale.most):
        lines.append(_once(CEILING, missing))
    return lines


def _charged(sale: Sale, tokens: Tokens, price: Price | None, units: Units, service_tier: str) -> Iterator[Line]:
    if isinstance(sale, Absolute):
        yield from lines_of(tokens, sale.own, units)
    elif isinstance(sale, CostPlus) and price is not None:
        held = price.services.get(service_tier, price) if service_tier else price
        for line in lines_of(tokens, held, units):
            factor = EXACT.add(1, EXACT.divide(sale.markup_of(line.name), 100))
            yield line._replace(rate=EXACT.multiply(line.rate, factor), amount=EXACT.multiply(line.amount, factor))


def _once(name: str, amount: Decimal) -> Line:
    return Line(name, 1, amount, amount, False)
