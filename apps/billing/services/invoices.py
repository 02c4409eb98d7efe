"""What people do to invoices: lines by hand, one-off invoices, void, uncollectible.

Each locks the customer, then the invoice, and looks at its state then: of two at once the second finds it changed.
`by` is who does it: a user, or None for a command.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import User
from apps.billing.errors import NotPossible
from apps.billing.invoicing.building import Built, CannotBuild, build_locked
from apps.billing.invoicing.composing import BY_HAND_FROM, compose
from apps.billing.invoicing.schedule import due_of
from apps.billing.invoicing.terms import TermsOf
from apps.billing.models import Invoice, InvoiceLine, InvoiceTransition, LedgerAccount, LedgerTransaction
from apps.billing.money import precise
from apps.billing.periods import day_of
from apps.billing.services.credit_notes import lock_invoice
from apps.billing.services.ledger import account_of, book
from apps.billing.taxes import Rounding
from apps.customers.models import Customer
from apps.customers.services import lock as lock_customer

State, Kind = Invoice.State, InvoiceLine.Kind
Account = LedgerAccount.Kind


class LineByHand(NamedTuple):
    """What the operator charges besides; below zero: takes off. Without tax where that is added."""

    description: str
    amount: Decimal
    quantity: Decimal | None = None


@transaction.atomic
def add_line(invoice: Invoice, line: LineByHand, *, by: User | None, at: datetime) -> InvoiceLine:
    """Put a line onto a draft, in its currency: it stays there when the draft is built anew. Raises NotPossible."""
    invoice = _locked_draft(invoice)
    added = _new_line(invoice, line)
    added.save(force_insert=True)
    _add_up(invoice, at)
    _record("invoice.add_line", invoice, by, {line.description[:60]: (None, line.amount)})
    return InvoiceLine.objects.get(pk=added.pk)


@transaction.atomic
def remove_line(line: InvoiceLine, *, by: User | None, at: datetime) -> None:
    """Take a line that was added by hand off a draft; twice is as good as once. Raises NotPossible."""
    invoice = _locked_draft(line.invoice)
    if not line.is_by_hand:
        raise NotPossible("Only lines that were added by hand can be removed.")
    if not InvoiceLine.objects.filter(pk=line.pk).delete()[0]:
        return
    _add_up(invoice, at)
    _record("invoice.remove_line", invoice, by, {line.description[:60]: (line.precise_amount, None)})


@transaction.atomic
def add_one_off_invoice(
    customer: Customer, lines: Sequence[LineByHand], *, key: str, memo: str = "", by: User | None, at: datetime
) -> Invoice:
    """A draft of what the operator says, besides the invoices of periods. A second call with the key gives the first's.

    Raises NotPossible, NotConfigured.
    """
    customer = lock_customer(customer)
    full_key = f"one_off:{key}"
    if known := Invoice.objects.filter(customer=customer, key=full_key).exclude(state=State.VOID).first():
        return known
    if not lines:
        raise NotPossible("An invoice has at least one line.")
    organization = customer.organization
    terms_of = TermsOf(organization)
    currency = terms_of.of([customer])[customer.pk].currency
    invoice = Invoice.objects.create(
        organization=organization,
        customer=customer,
        kind=Invoice.Kind.ONE_OFF,
        key=full_key,
        version=Invoice.objects.filter(customer=customer, key=full_key).count() + 1,
        currency=currency,
        per_dollar=terms_of.per_dollar(currency, day_of(at, organization.time_zone)),
        memo=memo,
        built_at=at,
        created_at=at,
    )
    InvoiceTransition.objects.create(invoice=invoice, after=State.DRAFT, at=at, by=by)
    for line in lines:
        _new_line(invoice, line).save(force_insert=True)
    _add_up(invoice, at)
    _record("invoice.add", invoice, by, {"total": (None, invoice.total)})
    return invoice


@transaction.atomic
def set_memo(invoice: Invoice, memo: str, *, by: User | None) -> Invoice:
    """The note that is printed on it. Raises NotPossible where it is final."""
    invoice = _locked_draft(invoice)
    if invoice.memo != memo:
        _record("invoice.set_memo", invoice, by, {"memo": (invoice.memo, memo)})
        invoice.memo = memo
        invoice.save(update_fields=["memo"])
    return invoice


@transaction.atomic
def delete_draft(invoice: Invoice, *, by: User | None) -> None:
    """A one-off draft goes, without a trace in the numbers. That of a period would only be built anew."""
    invoice = _locked_draft(invoice)
    if invoice.kind == Invoice.Kind.PERIOD:
        raise NotPossible("A period's draft is built anew by the next billing run: there is nothing to delete.")
    _record("invoice.delete", invoice, by, {"total": (invoice.total, None)})
    invoice.delete()


@transaction.atomic
def void_invoice(invoice: Invoice, *, reason: str, by: User | None, at: datetime) -> Invoice:
    """As if it had never been: it keeps its number, and the ledger is booked back. The next run makes it anew.

    Raises NotPossible where something was paid or credited: then a credit note takes it back.
    """
    invoice = lock_invoice(invoice)
    if invoice.state == State.VOID:
        return invoice
    was_never_due = invoice.state == State.PAID and not invoice.total
    if invoice.state not in (State.OPEN, State.UNCOLLECTIBLE) and not was_never_due:
        raise NotPossible("Only an invoice that is open can be voided. Issue a credit note instead.")
    if invoice.paid or invoice.credited:
        raise NotPossible("Something was paid or credited already. Issue a credit note for the rest instead.")
    for booked in ("write_off", "invoice"):
        _book_back(invoice, f"{booked}:{invoice.pk}", f"void:{booked}:{invoice.pk}", at)
    return _move(invoice, State.VOID, "invoice.void", reason, by, at)


@transaction.atomic
def mark_uncollectible(invoice: Invoice, *, reason: str, by: User | None, at: datetime) -> Invoice:
    """Nobody expects to be paid any more: what is due is written off. If it is paid after all, it is paid."""
    invoice = lock_invoice(invoice)
    if invoice.state == State.UNCOLLECTIBLE:
        return invoice
    if invoice.state != State.OPEN:
        raise NotPossible("Only an invoice that is open can be written off.")
    book(
        invoice.organization,
        LedgerTransaction.Kind.WRITE_OFF,
        key=f"write_off:{invoice.pk}",
        at=at,
        customer=invoice.customer,
        entries={
            account_of(invoice.organization, Account.WRITTEN_OFF, invoice.currency): -invoice.due,
            account_of(invoice.organization, Account.RECEIVABLE, invoice.currency, invoice.customer): invoice.due,
        },
        source={"invoice": str(invoice.pk), "number": invoice.number, "reason": reason},
    )
    return _move(invoice, State.UNCOLLECTIBLE, "invoice.write_off", reason, by, at)


@transaction.atomic
def rebuild_draft(invoice: Invoice, *, at: datetime) -> Built:
    """Build the draft of a period anew, now. Raises NotPossible."""
    draft = _locked_draft(invoice)
    return _built(draft, at)


def _locked_draft(invoice: Invoice) -> Invoice:
    locked = lock_invoice(invoice)
    if locked.state != State.DRAFT:
        raise NotPossible(f"Invoice {locked.number} is final.")
    return locked


def _new_line(invoice: Invoice, line: LineByHand) -> InvoiceLine:
    last = invoice.lines.filter(is_by_hand=True).order_by("-position").first()
    quantity = line.quantity
    return InvoiceLine(
        invoice=invoice,
        position=last.position + 1 if last else BY_HAND_FROM,
        kind=Kind.ADJUSTMENT,
        description=line.description[:300],
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        quantity=quantity,
        unit_price=precise(line.amount / quantity) if quantity else None,
        precise_amount=line.amount,
        is_by_hand=True,
    )


def _add_up(invoice: Invoice, at: datetime) -> None:
    """A draft's amounts, after its lines changed. Raises NotPossible: nothing is changed then."""
    if invoice.kind == Invoice.Kind.PERIOD:
        _built(invoice, at)
        return
    terms_of = TermsOf(invoice.organization)
    terms = terms_of.of([invoice.customer])[invoice.customer_id]
    tax = terms_of.tax(terms, day_of(at, invoice.organization.time_zone))
    invoice.taxes.all().delete()
    by_hand = list(invoice.lines.all())
    composed = compose(invoice, [], by_hand, tax=tax, rounding=Rounding(terms.seller.tax_rounding))
    invoice.save()
    InvoiceLine.objects.bulk_update(composed.by_hand, ["amount", "tax_percent", "details"])
    for each in composed.taxes:
        each.save(force_insert=True)


def _built(invoice: Invoice, at: datetime) -> Built:
    try:
        return build_locked(invoice.organization, [due_of(invoice)], at)
    except CannotBuild as cannot:
        raise NotPossible(" ".join(cannot.reasons.values())) from cannot


def _book_back(invoice: Invoice, booked: str, key: str, at: datetime) -> None:
    """The reverse of what was booked under `booked`, if anything was."""
    organization = invoice.organization
    first = LedgerTransaction.objects.filter(organization=organization, key=booked).first()
    if first is None:
        return
    entries = {entry.account: -entry.amount for entry in first.entries.select_related("account")}
    book(
        organization,
        LedgerTransaction.Kind.VOID,
        key=key,
        at=at,
        customer=invoice.customer,
        entries=entries,
        source={"invoice": str(invoice.pk), "number": invoice.number, "reverses": str(first.pk)},
    )


def _move(invoice: Invoice, state: Invoice.State, action: str, reason: str, by: User | None, at: datetime) -> Invoice:
    before, invoice.state = invoice.state, state
    invoice.save(update_fields=["state"])
    InvoiceTransition.objects.create(invoice=invoice, before=before, after=state, at=at, by=by, reason=reason[:300])
    _record(action, invoice, by, {"state": (before, state.value), "reason": (None, reason)})
    return invoice


def _record(action: str, invoice: Invoice, by: User | None, changes: audit.Changes) -> None:
    audit.record(invoice.organization, action, invoice, actor=by, changes=changes, customer=invoice.customer)
