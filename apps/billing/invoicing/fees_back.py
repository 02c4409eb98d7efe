"""Fees that were billed in advance for days that never came, where an invoice has too little to take them off.

They are credited on the invoice that has them, by the day as they were charged, discount and tax with them: off what
is due of it, or, paid already, as credit in the wallet. What fits is a line of the invoice that is being built.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from apps.billing.invoicing.lines import Drafted, Kind
from apps.billing.models import Invoice, InvoiceLine
from apps.billing.money import minor_units, precise
from apps.billing.services.credit_notes import credit_amount, creditable, lock_invoice, net_of

LIVE = (Invoice.State.OPEN, Invoice.State.PAID, Invoice.State.UNCOLLECTIBLE)
REASON = "The plan was left before the days that this fee is for."


def takes_fees_back(lines: Sequence[Drafted]) -> bool:
    """Whether more was billed of a fee than is owed."""
    return any(_is_back(line) for line in lines)


def credit_fees(invoice: Invoice, lines: Sequence[Drafted], *, at: datetime) -> tuple[list[Drafted], int]:
    """The lines without what could be credited, and how many credit notes were made."""
    kept: list[Drafted] = []
    notes = 0
    for line in lines:
        if not _is_back(line):
            kept.append(line)
            continue
        left, made = _credit(invoice, line, at)
        notes += made
        kept += [left] if left else []
    return without_crumbs(kept, invoice.currency), notes


def without_crumbs(lines: Sequence[Drafted], currency: str) -> list[Drafted]:
    """Without what a credit note could not take back of a fee, since it is in whole cents: half of one at most."""
    half = Decimal(5).scaleb(-minor_units(currency) - 1)
    return [line for line in lines if not (_was_billed(line) and abs(line.precise) <= half)]


def _is_back(line: Drafted) -> bool:
    return line.kind == Kind.FEE and line.precise < 0 and "first" in line.details


def _was_billed(line: Drafted) -> bool:
    return line.kind == Kind.FEE and bool(Decimal(line.details.get("billed") or 0))


def _credit(invoice: Invoice, line: Drafted, at: datetime) -> tuple[Drafted | None, int]:
    """What is left of it to be taken off here; None: nothing."""
    wanted = left = -Fraction(Decimal(line.details["fee"]))  # in the plan's currency
    notes = 0
    for charged in _charged(invoice, line):
        part = min(left, Fraction(Decimal(charged.details["fee"])))
        if part <= 0 or not _take_back(charged, part, at):
            continue
        notes += 1
        left -= part
    if not left:
        return None, notes
    share = left / wanted
    details = line.details | {"fee": -precise(left)}
    return replace(line, precise=precise(Fraction(line.precise) * share), details=details), notes


def _charged(invoice: Invoice, line: Drafted) -> list[InvoiceLine]:
    """The lines of final invoices that have the fee, the last one first."""
    found = InvoiceLine.objects.filter(
        invoice__customer=invoice.customer_id,
        invoice__state__in=LIVE,
        kind=Kind.FEE,
        amount__gt=0,
        details__subscription=line.details["subscription"],
        details__first=str(line.details["first"]),
    )
    return list(found.select_related("invoice__customer__organization").order_by("-invoice__sequence", "-position"))


def _take_back(charged: InvoiceLine, part: Fraction, at: datetime) -> bool:
    """part: of the fee, in the plan's currency."""
    invoice = lock_invoice(charged.invoice)
    there = creditable(invoice).get(charged, Decimal(0))
    worth = Fraction(net_of(charged)) * part / Fraction(Decimal(charged.details["fee"]))
    if there <= 0:
        return False
    note = credit_amount(
        invoice,
        min(worth, Fraction(there)),
        description=charged.description,
        reason=REASON,
        key=f"fee:{charged.pk}:{invoice.credit_notes.count() + 1}",
        at=at,
        line=charged,
    )
    return note is not None
