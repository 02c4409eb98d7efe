"""What earlier invoices have of customers' plans: fees of periods, and allowances that were left over."""

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.db import connection

from apps.billing.invoicing.days import FROM_WANTED, Wanted
from apps.billing.invoicing.plans import Billed
from apps.billing.money import precise

# Fees of periods from this one on (in advance, or of who began late), and what the period right before had left.
BILLED = f"""
    {FROM_WANTED}
    SELECT wanted.invoice_id, line.kind, line.description, line.details,
        (SELECT sum(back.amount) FROM billing_creditnoteline AS back WHERE back.line_id = line.id) AS taken_back
    FROM wanted JOIN billing_invoice AS invoice USING (customer_id)
    JOIN billing_invoiceline AS line ON line.invoice_id = invoice.id
    WHERE invoice.id <> wanted.invoice_id AND invoice.state <> 'void' AND line.details->>'subscription' IS NOT NULL
        AND (line.kind = 'fee' AND line.period_end > since
            OR line.kind = 'allowance' AND line.period_end = since)
"""  # noqa: S608 constants of ours
INCLUDED = " · included"


def billed_before(wanted: Sequence[Wanted]) -> dict[UUID, Billed]:
    """By invoice; those of customers who had no plan are not in it."""
    if not wanted:
        return {}
    invoices, customers, since, until = map(list, zip(*wanted, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(BILLED, {"invoices": invoices, "customers": customers, "since": since, "until": until})
        rows = cursor.fetchall()
    found: dict[UUID, tuple[dict[tuple[UUID, date], Decimal], dict[str, Decimal]]] = {}
    for invoice_id, kind, description, details, taken_back in rows:
        fees, rolled = found.setdefault(invoice_id, ({}, {}))
        _add(fees, rolled, kind, description, _as_dict(details), taken_back)
    return {invoice_id: Billed(fees, rolled) for invoice_id, (fees, rolled) in found.items()}


def _add(
    fees: dict[tuple[UUID, date], Decimal],
    rolled: dict[str, Decimal],
    kind: str,
    description: str,
    details: Any,
    taken_back: Decimal | None,
) -> None:
    if kind == "fee":
        key = UUID(details["subscription"]), date.fromisoformat(details["first"])
        fees[key] = fees.get(key, Decimal(0)) + _still_billed(details, taken_back)
    elif left := Decimal(details.get("left") or 0):
        rolled[description.removesuffix(INCLUDED)] = left


def _still_billed(details: Any, taken_back: Decimal | None) -> Decimal:
    """Of a fee, in its plan's currency: without what credit notes took back of the line, in the invoice's."""
    fee, net = Decimal(details["fee"]), Decimal(details.get("net") or 0)
    if not taken_back or not net:
        return fee
    return precise(Fraction(fee) * (1 - Fraction(taken_back) / Fraction(net)))


def _as_dict(details: Any) -> dict[str, Any]:
    """Raw cursors give JSON as text."""
    return dict(json.loads(details) if isinstance(details, str) else details)
