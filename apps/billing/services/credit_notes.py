"""Credit notes: what is final is not edited, part of it is taken back. All notes of an invoice never pass its total.

Net and tax are rounded apart and the total is their sum; the note that takes back the last of an invoice takes what
is left of both, so that all of them together are the invoice to the last cent. Source: BILLING.md 2.8.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from apps.accounts import audit
from apps.accounts.models import User
from apps.billing.errors import NotPossible
from apps.billing.models import (
    CreditLot,
    CreditNote,
    CreditNoteLine,
    Invoice,
    InvoiceLine,
    InvoiceTransition,
    LedgerAccount,
    LedgerTransaction,
    NumberSeries,
    Wallet,
)
from apps.billing.models.parties import USD
from apps.billing.money import Exact, precise, round_half_away
from apps.billing.parties import seller_of
from apps.billing.periods import day_of
from apps.billing.services.ledger import account_of, book
from apps.billing.services.lots import add_lot
from apps.billing.services.numbers import take_number
from apps.billing.services.wallets import open_wallet
from apps.customers.services import lock as lock_customer

Settlement, State = CreditNote.Settlement, Invoice.State
Account = LedgerAccount.Kind
ZERO = Decimal(0)


@dataclass(frozen=True)
class Back:
    """What of an invoice is taken back, without tax. line: None for what is of no one line."""

    line: InvoiceLine | None
    description: str
    amount: Decimal


def credit_invoice(
    invoice: Invoice,
    *,
    amounts: Mapping[UUID, Decimal] | None = None,
    settlement: CreditNote.Settlement,
    reason: str,
    key: str,
    by: User | None,
    at: datetime,
) -> CreditNote:
    """Take back all that is left of an invoice, or so much of each of these lines, without tax.

    key: made when the form was shown; a second call with it gives the first's note and changes nothing.
    settlement: OFFSET takes it off what is due, CREDIT puts it into the wallet, REFUND leaves it to be paid back.
    Raises NotPossible.
    """
    with transaction.atomic():
        invoice = lock_invoice(invoice)
        if known := invoice.credit_notes.filter(key=key).first():
            return known
        left = creditable(invoice)
        wanted = {line.pk: amount for line, amount in left.items()} if amounts is None else amounts
        by_id = {line.pk: line for line in left}
        if unknown := wanted.keys() - by_id.keys():
            raise NotPossible(f"The invoice has no such line: {', '.join(map(str, unknown))}.")
        backs = [
            Back(by_id[pk], by_id[pk].description, _whole(amount, invoice)) for pk, amount in wanted.items() if amount
        ]
        for back in backs:
            assert back.line is not None
            if amounts is not None and not 0 < back.amount <= left[back.line]:
                raise NotPossible(f"At most {left[back.line]:f} can be taken back of “{back.description}”.")
        return _issue(invoice, backs, settlement, reason=reason, key=key, by=by, at=at)


def credit_amount(
    invoice: Invoice,
    exact: Exact,
    *,
    description: str,
    reason: str,
    key: str,
    at: datetime,
    line: InvoiceLine | None = None,
) -> CreditNote | None:
    """Take back so much, without tax, of an invoice that is locked; at most what is left. None: nothing is left.

    line: that it is taken back of. Off what is due where that is enough; else as credit in the wallet.
    """
    amount = min(round_half_away(exact, invoice.currency), _net_left(invoice))
    if amount <= 0:
        return None
    back = [Back(line, description, amount)]
    total = amount + _tax_on(invoice, back)
    settlement = Settlement.OFFSET if total <= invoice.due else Settlement.CREDIT
    return _issue(invoice, back, settlement, reason=reason, key=key, by=None, at=at)


def lock_invoice(invoice: Invoice) -> Invoice:
    """As it is now, held until the transaction ends: its customer's row first."""
    customer = lock_customer(invoice.customer)
    locked = Invoice.objects.select_for_update(no_key=True).get(pk=invoice.pk)
    locked.customer, locked.organization = customer, customer.organization
    return locked


def creditable(invoice: Invoice) -> dict[InvoiceLine, Decimal]:
    """What is left to be taken back of each line, without tax; lines of which nothing is left are not in it."""
    given = dict(
        CreditNoteLine.objects.filter(credit_note__invoice=invoice)
        .exclude(line=None)
        .values_list("line")
        .annotate(Sum("amount"))
        .values_list("line", "amount__sum")
    )
    left = {line: net_of(line) - given.get(line.pk, ZERO) for line in invoice.lines.all()}
    return {line: amount for line, amount in left.items() if amount}


def net_of(line: InvoiceLine) -> Decimal:
    """A line's amount without discount and tax."""
    return Decimal(line.details.get("net", line.amount))


def _whole(amount: Decimal, invoice: Invoice) -> Decimal:
    if round_half_away(amount, invoice.currency) != amount:
        raise NotPossible(f"{invoice.currency} has no smaller parts than that.")
    return amount


def _net_left(invoice: Invoice) -> Decimal:
    return invoice.total - invoice.tax - _given(invoice)[0]


def _given(invoice: Invoice) -> tuple[Decimal, Decimal]:
    """Net and tax of its credit notes."""
    given = invoice.credit_notes.aggregate(net=Sum("subtotal", default=ZERO), tax=Sum("tax", default=ZERO))
    return given["net"], given["tax"]


def _issue(
    invoice: Invoice,
    backs: Sequence[Back],
    settlement: CreditNote.Settlement,
    *,
    reason: str,
    key: str,
    by: User | None,
    at: datetime,
) -> CreditNote:
    net = sum((back.amount for back in backs), ZERO)
    tax = _tax_on(invoice, backs)
    _check(invoice, net + tax, settlement)
    organization = invoice.organization
    taken = take_number(organization, NumberSeries.Kind.CREDIT_NOTE, seller_of(organization).credit_note_prefix)
    note = CreditNote.objects.create(
        organization=organization,
        invoice=invoice,
        key=key,
        sequence=taken.sequence,
        number=taken.number,
        issued_on=day_of(at, organization.time_zone),
        reason=reason[:300],
        settlement=settlement,
        subtotal=net,
        tax=tax,
        total=net + tax,
        created_by=by,
        created_at=at,
    )
    CreditNoteLine.objects.bulk_create(
        [
            CreditNoteLine(credit_note=note, line=back.line, description=back.description, amount=back.amount)
            for back in backs
        ]
    )
    _book(note, invoice, at)
    _take_off(note, invoice, by, at)
    changes: audit.Changes = {"total": (None, note.total), "settlement": (None, settlement), "reason": (None, reason)}
    audit.record(organization, "credit_note.issue", note, actor=by, changes=changes, customer=invoice.customer)
    return note


def _tax_on(invoice: Invoice, backs: Iterable[Back]) -> Decimal:
    """In proportion to the lines' own; with the last of the net, all the tax that is left."""
    backs = list(backs)
    net_given, tax_given = _given(invoice)
    net, left = invoice.total - invoice.tax, invoice.tax - tax_given
    if net_given + sum((back.amount for back in backs), ZERO) == net:
        return left
    exact = sum((_share(invoice, back, net) for back in backs), Fraction())
    return min(round_half_away(exact, invoice.currency), left)


def _share(invoice: Invoice, back: Back, net: Decimal) -> Fraction:
    line = back.line
    if line is None:
        return Fraction(invoice.tax) * Fraction(back.amount) / Fraction(net)
    exact = Fraction(back.amount) * Fraction(line.tax_percent) / 100
    return exact if Decimal(line.details.get("tax", 0)) or not invoice.tax else Fraction()


def _check(invoice: Invoice, total: Decimal, settlement: CreditNote.Settlement) -> None:
    if invoice.state not in (State.OPEN, State.PAID, State.UNCOLLECTIBLE):
        raise NotPossible("Only an invoice that is final can be credited.")
    if total <= 0:
        raise NotPossible("There is nothing left of it to take back.")
    if total > invoice.total - invoice.credited:
        raise NotPossible(f"At most {invoice.total - invoice.credited:f} {invoice.currency} of it can be taken back.")
    if settlement == Settlement.OFFSET and total > invoice.due:
        raise NotPossible(f"Only {invoice.due:f} {invoice.currency} is due: give the rest as credit, or pay it back.")
    if settlement != Settlement.OFFSET and total > (most := paid_back_at_most(invoice)):
        raise NotPossible(f"Only {most:f} {invoice.currency} was paid: take the rest off what is due.")


def paid_back_at_most(invoice: Invoice) -> Decimal:
    """What was paid of it, less what went back as credit or is to be paid back."""
    notes = invoice.credit_notes.exclude(settlement=Settlement.OFFSET)
    back: Decimal = notes.aggregate(back=Sum("total", default=ZERO))["back"]
    return max(invoice.paid - back, ZERO)


def _book(note: CreditNote, invoice: Invoice, at: datetime) -> None:
    organization, customer, currency = invoice.organization, invoice.customer, invoice.currency
    entries = {
        account_of(organization, Account.REVENUE, currency): -note.subtotal,
        account_of(organization, Account.TAX, currency): -note.tax,
    }
    told = {"credit_note": str(note.pk), "invoice": str(invoice.pk)}
    if note.settlement == Settlement.CREDIT:
        usd = precise(Fraction(note.total) / Fraction(invoice.per_dollar))
        if currency != USD:
            entries[account_of(organization, Account.EXCHANGE, currency)] = note.total
            entries[account_of(organization, Account.EXCHANGE, USD)] = -usd
        # Whoever has no wallet yet gets one that pays first what it can; calls are never refused for it.
        wallet = open_wallet(customer, by=None, at=at, settlement=Wallet.Settlement.CREDIT_FIRST)
        add_lot(
            wallet,
            usd,
            key=f"credit_note:{note.pk}",
            at=at,
            source=CreditLot.Source.CREDIT_NOTE,
            against=entries,
            note=note.number,
            told=told,
        )
        return
    entries[account_of(organization, Account.RECEIVABLE, currency, customer)] = note.total
    book(
        organization,
        LedgerTransaction.Kind.CREDIT_NOTE,
        key=f"credit_note:{note.pk}",
        at=at,
        entries=entries,
        customer=customer,
        source=told,
    )


def _take_off(note: CreditNote, invoice: Invoice, by: User | None, at: datetime) -> None:
    """What is taken off what is due settles the invoice, once nothing is left of that."""
    before = invoice.state
    invoice.credited += note.total
    if before == State.OPEN and not invoice.due:
        invoice.state = State.PAID
    invoice.save(update_fields=["credited", "state"])
    if invoice.state != before:
        InvoiceTransition.objects.create(
            invoice=invoice, before=before, after=invoice.state, at=at, by=by, reason=f"Credit note {note.number}"
        )
