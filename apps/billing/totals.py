"""From exact lines to what an invoice says: subtotal, discounts, taxes, total. Pure.

The subtotal is the sum of the exact lines, rounded once; lines get their cents from it by largest remainder,
so that they sum to it and many small ones lose nothing. Then discounts, then taxes. The order and the rounding
are those of BILLING.md 2.1 and 2.8; docs/money.md has them worked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from apps.billing.discounts import Discount, Taken, take_off
from apps.billing.money import from_minor, in_minor, round_together, summed
from apps.billing.taxes import Rates, RateTotal, Rounding, Treatment, tax_lines


@dataclass(frozen=True)
class Line:
    """What is charged (below zero: taken back), exactly, and the taxes on it."""

    precise: Decimal
    rates: Rates = ()
    is_discountable: bool = True


@dataclass(frozen=True)
class LineTotal:
    """A line as the invoice has it: net + tax = gross.

    amount - discount is net where tax is added to prices, and gross where it is within them.
    """

    precise: Decimal
    amount: Decimal
    discount: Decimal
    net: Decimal
    tax: Decimal

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax


@dataclass(frozen=True)
class DiscountTotal:
    discount: Discount
    amount: Decimal  # taken off: above zero


@dataclass(frozen=True)
class TaxTotal:
    """Of one rate: on `base`, without the tax itself."""

    name: str
    percent: Decimal
    base: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Totals:
    """An invoice's amounts, each with the currency's places. subtotal - discount = net or, tax within, gross."""

    currency: str
    lines: tuple[LineTotal, ...]
    precise_subtotal: Decimal
    subtotal: Decimal
    discounts: tuple[DiscountTotal, ...]
    discount: Decimal
    net: Decimal
    taxes: tuple[TaxTotal, ...]
    tax: Decimal
    total: Decimal


def total_up(
    lines: Sequence[Line],
    currency: str,
    *,
    discounts: Sequence[Discount] = (),
    treatment: Treatment = Treatment.EXCLUSIVE,
    rounding: Rounding = Rounding.INVOICE,
) -> Totals:
    """The invoice of these lines. Its total is below zero where more is taken back than charged: a credit note.

    discounts: one after another, spread over the lines that take part; raises UnknownCurrency.
    """
    amounts = round_together([in_minor(line.precise, currency) for line in lines])
    taken = take_off(discounts, _discountable(lines, amounts), currency)
    off = _by_line(taken, len(lines))
    rest = [amount - less for amount, less in zip(amounts, off, strict=True)]
    taxed = tax_lines(rest, [line.rates for line in lines], treatment, rounding)

    def money(minor: int) -> Decimal:
        return from_minor(minor, currency)

    rows = zip(lines, amounts, off, taxed.nets, taxed.taxes, strict=True)
    return Totals(
        currency=currency,
        lines=tuple(LineTotal(line.precise, *map(money, minor)) for line, *minor in rows),
        precise_subtotal=summed(line.precise for line in lines),
        subtotal=money(sum(amounts)),
        discounts=tuple(DiscountTotal(each.discount, money(each.total)) for each in taken),
        discount=money(sum(off)),
        net=money(taxed.net),
        taxes=tuple(_tax_total(each, money) for each in taxed.rates),
        tax=money(taxed.tax),
        total=money(taxed.gross),
    )


def _discountable(lines: Sequence[Line], amounts: Sequence[int]) -> list[int]:
    return [amount if line.is_discountable else 0 for line, amount in zip(lines, amounts, strict=True)]


def _by_line(taken: Sequence[Taken], lines: int) -> list[int]:
    return [sum(each.by_line[index] for each in taken) for index in range(lines)]


def _tax_total(total: RateTotal, money: Callable[[int], Decimal]) -> TaxTotal:
    return TaxTotal(total.rate.name, total.rate.percent, money(total.base), money(total.tax))
