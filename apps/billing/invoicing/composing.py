"""From the lines of a draft to an invoice's amounts: nothing is stored here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypedDict

from apps.billing.discounts import Discount
from apps.billing.errors import NotPossible
from apps.billing.invoicing.lines import Drafted, Kind
from apps.billing.models import Invoice, InvoiceLine, InvoiceTax
from apps.billing.queries.taxes import AppliedTax
from apps.billing.taxes import Rounding
from apps.billing.totals import Line, LineTotal, Totals, total_up

BY_HAND_FROM = 100_000  # the position of the first line that was added by hand: after all that are computed


class How(TypedDict):
    """By what lines are totalled."""

    tax: AppliedTax
    discounts: Sequence[Discount]
    rounding: Rounding


@dataclass(frozen=True)
class Composed:
    """What is to be stored of an invoice whose fields have its amounts."""

    lines: list[InvoiceLine]
    by_hand: list[InvoiceLine]  # that are there already, with their amounts
    taxes: list[InvoiceTax]


def compose(
    invoice: Invoice,
    drafted: Sequence[Drafted],
    by_hand: Sequence[InvoiceLine],
    *,
    tax: AppliedTax,
    discounts: Sequence[Discount] = (),
    rounding: Rounding = Rounding.INVOICE,
) -> Composed:
    """Set the invoice's amounts, and give its lines and taxes. Raises NotPossible: they come to less than nothing."""
    totals = _totals(invoice, drafted, by_hand, tax, discounts, rounding)
    if totals.total < 0:
        drafted = _with_less_credit(drafted, -totals.total)
        totals = _totals(invoice, drafted, by_hand, tax, discounts, rounding)
    if totals.total < 0:
        raise NotPossible(
            f"The lines of {invoice.customer} come to {totals.total:f} {invoice.currency}: take one off,"
            " or credit an earlier invoice instead."
        )
    _set_amounts(invoice, totals)
    percent = sum((rate.percent for rate in tax.rates), Decimal(0))
    lines = [
        _line(invoice, position, each, total, percent)
        for position, (each, total) in enumerate(zip(drafted, totals.lines, strict=False), start=1)
    ]
    for line, total in zip(by_hand, totals.lines[len(drafted) :], strict=True):
        line.amount, line.tax_percent = total.amount, percent
        line.details = line.details | _kept(total)
    return Composed(lines, list(by_hand), _taxes(invoice, totals, tax))


def total_of(
    invoice: Invoice,
    drafted: Sequence[Drafted],
    by_hand: Sequence[InvoiceLine],
    *,
    tax: AppliedTax,
    discounts: Sequence[Discount] = (),
    rounding: Rounding = Rounding.INVOICE,
) -> Decimal:
    """What the lines come to, also where that is less than nothing."""
    return _totals(invoice, drafted, by_hand, tax, discounts, rounding).total


def is_nothing(drafted: Sequence[Drafted], by_hand: Sequence[InvoiceLine]) -> bool:
    """Whether there is nothing to invoice: no usage, no fee. What credit paid for is something."""
    return not by_hand and not any(line.precise for line in drafted)


def _totals(
    invoice: Invoice,
    drafted: Sequence[Drafted],
    by_hand: Sequence[InvoiceLine],
    tax: AppliedTax,
    discounts: Sequence[Discount],
    rounding: Rounding,
) -> Totals:
    lines = [Line(each.precise, tax.rates if each.is_taxed else (), each.is_discountable) for each in drafted]
    lines += [Line(line.precise_amount, tax.rates, is_discountable=False) for line in by_hand]
    return total_up(lines, invoice.currency, discounts=discounts, treatment=tax.treatment, rounding=rounding)


def _with_less_credit(drafted: Sequence[Drafted], missing: Decimal) -> list[Drafted]:
    """No more is paid from credit than there is to pay; the rest is taken off the next invoice."""
    lines, left = list(drafted), missing
    for index, line in enumerate(lines):
        if line.kind == Kind.CREDIT and line.precise < 0 and left > 0:
            less = min(left, -line.precise)
            usd = Decimal(line.details["usd"]) * (line.precise + less) / line.precise
            lines[index] = replace(line, precise=line.precise + less, details=line.details | {"usd": f"{usd:.12f}"})
            left -= less
    return lines


def _set_amounts(invoice: Invoice, totals: Totals) -> None:
    invoice.precise_subtotal = totals.precise_subtotal
    invoice.subtotal, invoice.discount = totals.subtotal, totals.discount
    invoice.discounts = [
        {"name": each.discount.name, "amount": each.amount} for each in totals.discounts if each.amount
    ]
    invoice.tax, invoice.total = totals.tax, totals.total


def _line(invoice: Invoice, position: int, drafted: Drafted, total: LineTotal, percent: Decimal) -> InvoiceLine:
    return InvoiceLine(
        invoice=invoice,
        position=position,
        kind=drafted.kind,
        description=drafted.description[:300],
        period_start=drafted.since or invoice.period_start,
        period_end=drafted.until or invoice.period_end,
        model=drafted.model,
        token_kind=drafted.token_kind,
        quantity=drafted.quantity,
        unit=drafted.unit,
        unit_price=drafted.unit_price,
        precise_amount=drafted.precise,
        amount=total.amount,
        tax_percent=percent if drafted.is_taxed else 0,
        details=drafted.details | _kept(total),
    )


def _kept(total: LineTotal) -> dict[str, Decimal]:
    """What credit notes go by: the line's share of discount and tax."""
    return {"discount": total.discount, "net": total.net, "tax": total.tax}


def _taxes(invoice: Invoice, totals: Totals, tax: AppliedTax) -> list[InvoiceTax]:
    return [
        InvoiceTax(
            invoice=invoice,
            name=each.name,
            percent=each.percent,
            is_inclusive=tax.is_inclusive,
            base=each.base,
            amount=each.amount,
        )
        for each in totals.taxes
    ]
