"""Money that goes back. What was bought with it goes first: credit that is used already is not paid back.

A refund is booked before its provider is asked, so that the credit cannot be used meanwhile, and booked back if the
provider says no. Nobody knows whether it does when it cannot be reached: the refund waits, and is asked for again
under the same key. Locks: customer, payment, then wallet, lot, invoice.
"""

import logging
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import User
from apps.billing.errors import NotEnoughCredit, NotPossible
from apps.billing.models import (
    CreditLot,
    CreditNote,
    LedgerTransaction,
    Payment,
    PaymentAllocation,
    Refund,
)
from apps.billing.money import round_half_away
from apps.billing.payments.base import Declined, ProviderError, RefundReading, State
from apps.billing.payments.registry import provider_of
from apps.billing.services.credit_notes import credit_invoice
from apps.billing.services.ledger import book
from apps.billing.services.lots import add_lot, take_credit, take_owed
from apps.billing.services.payments import surplus_of, wallet_for
from apps.billing.services.receipts import make_receipt
from apps.billing.services.refund_entries import (
    Entries,
    credit_entries,
    credit_for,
    invoice_entries,
    lot_of,
    split,
    waiting_note,
)
from apps.billing.services.settling import settle_invoice
from apps.customers.models import Customer
from apps.customers.services import lock as lock_customer
from apps.kit.errors import Refused
from apps.kit.ids import uuid7

logger = logging.getLogger(__name__)


def refund_payment(
    payment: Payment, amount: Decimal, *, reason: str, by: User | None, at: datetime, refund_id: UUID | None = None
) -> Refund:
    """Pay `amount` of a payment back, in its currency. Raises NotPossible, NotEnoughCredit, nothing changed.

    refund_id: of whoever may ask twice: the second time gives the refund of the first, however that stands by then.

    Of a top-up no more than is left of its credit; of what paid invoices, these are open again by as much, unless a
    credit note took that off them. The refund is FAILED when the provider refused, PENDING when it could not be
    reached: `settle_refund` asks again.
    """
    refund = _begin(payment, amount, reason, by, at, refund_id or uuid7())
    return settle_refund(refund, at=at)


def settle_refund(refund: Refund, *, at: datetime) -> Refund:
    """Ask the provider for a refund that is pending, and put down what it says. Safe to do again."""
    if refund.state != Refund.State.PENDING:
        return refund
    payment = refund.payment
    provider = provider_of(payment.organization, payment.provider)
    try:
        told = provider.refund(payment.provider_id, refund.amount, payment.currency, str(refund.pk))
    except Declined as refusal:
        return _fail(refund, str(refusal), at)
    except ProviderError as error:
        Refund.objects.filter(pk=refund.pk, state=Refund.State.PENDING).update(error=str(error)[:300])
        return Refund.objects.get(pk=refund.pk)
    return put_down(refund, told, at=at)


def put_down(refund: Refund, told: RefundReading, *, at: datetime) -> Refund:
    """How the provider has it. Pending there: it has it, and tells later."""
    if told.state is State.FAILED:
        return _fail(refund, told.error or "The provider could not pay it back.", at)
    known = Refund.objects.filter(pk=refund.pk).exclude(state=Refund.State.FAILED)
    known.update(state=Refund.State(told.state.value), provider_id=told.provider_id, error="")
    refund = Refund.objects.select_related("payment__customer", "payment__organization").get(pk=refund.pk)
    if refund.state == Refund.State.SUCCEEDED:
        try:
            note_refund(refund, at=at)
        except Refused:  # the money is back all the same; `billing.ask_about_payments` tries again
            logger.warning("no credit note of refund %s yet", refund.pk, exc_info=True)
    return refund


@transaction.atomic
def note_refund(refund: Refund, *, at: datetime) -> None:
    """The credit note of a refund of credit: its receipt is taken back by as much. Once. Raises NotPossible."""
    lock_customer(refund.payment.customer)
    payment = _locked(refund.payment)
    refund.refresh_from_db()
    if not payment.is_top_up or refund.credit_note_id or refund.state != Refund.State.SUCCEEDED:
        return
    receipt = make_receipt(payment, at=at)
    if receipt is None:
        return
    (line,) = receipt.lines.all()
    refund.credit_note = credit_invoice(
        receipt,
        amounts={line.pk: refund.net},
        settlement=CreditNote.Settlement.REFUND,
        reason=refund.reason or "Refund",
        key=f"refund:{refund.pk}",
        by=refund.created_by,
        at=at,
    )
    refund.save(update_fields=["credit_note"])


@transaction.atomic
def record_refund(payment: Payment, told: RefundReading, *, at: datetime) -> Refund | None:
    """A refund that was made at the provider, not here. Once, whoever tells of it. None: it came to nothing.

    What it should have taken from the credit, and was used by then, is noted: it cannot be had back.
    """
    if told.our_id and (ours := Refund.objects.filter(payment=payment, pk=told.our_id).first()):
        return put_down(ours, told, at=at)
    customer = lock_customer(payment.customer)
    payment = _locked(payment)
    if known := Refund.objects.filter(payment=payment, provider_id=told.provider_id).first():
        return put_down(known, told, at=at)
    amount = min(told.amount, payment.refundable)
    if told.state is State.FAILED or amount <= 0:
        return None
    refund = Refund(payment=payment, provider_id=told.provider_id, amount=amount, created_at=at)
    refund.reason = "Made at the payment provider."
    _book(refund, payment, customer, at, takes_what_is_left=True)
    _record(refund, "payment.refund", None, payment)
    return put_down(refund, told, at=at)


@transaction.atomic
def book_loss(payment: Payment, amount: Decimal, *, key: str, reason: str, at: datetime) -> Refund | None:
    """What a bank took back, in the payment's currency: a refund that nobody was asked for. None: all is back already.

    Of a top-up all of its credit goes with it, also what is used: that is owed. key: whatever it is taken back for.
    """
    customer = lock_customer(payment.customer)
    payment = _locked(payment)
    payment.customer = customer
    amount = min(amount, payment.refundable)
    if amount <= 0:
        return None
    refund = Refund(payment=payment, provider_id=key, amount=amount, reason=reason[:300], created_at=at)
    refund.state = Refund.State.SUCCEEDED
    if payment.is_top_up:
        refund.credit, (refund.net, refund.tax) = credit_for(payment, amount), split(payment, amount)
    refund.save(force_insert=True)
    payment.refunded += amount
    payment.save(update_fields=["refunded"])
    told = _source(refund, payment)
    if payment.is_top_up and refund.credit:
        wallet, against = wallet_for(customer, at=at), credit_entries(refund, payment)
        take_owed(wallet, refund.credit, key=key, at=at, against=against, lot=lot_of(payment), told=told)
    elif not payment.is_top_up:
        entries = invoice_entries(refund, payment, customer)
        _in_ledger(f"lost:{refund.pk}", refund, payment, customer, at, entries, LedgerTransaction.Kind.DISPUTE)
        _unsettle(refund, payment, at)
    _record(refund, "payment.refund", None, payment)
    return put_down(refund, RefundReading(key, amount), at=at)


def undo_loss(refund: Refund, *, at: datetime) -> None:
    """The bank gave it back after all."""
    _fail(refund, "It was given back.", at)


@transaction.atomic
def _begin(payment: Payment, amount: Decimal, reason: str, by: User | None, at: datetime, refund_id: UUID) -> Refund:
    customer = lock_customer(payment.customer)
    payment = _locked(payment)
    refunds = payment.refunds.select_related("payment__customer", "payment__organization")
    if known := refunds.filter(pk=refund_id).first():
        return known
    if payment.state != Payment.State.SUCCEEDED:
        raise NotPossible("Only what was paid can be paid back.")
    if amount != round_half_away(amount, payment.currency):
        raise NotPossible(f"{payment.currency} has no smaller parts than that.")
    if not 0 < amount <= payment.refundable:
        raise NotPossible(f"At most {payment.refundable.normalize():f} {payment.currency} of it can be paid back.")
    refund = Refund(id=refund_id, payment=payment, amount=amount, reason=reason[:300], created_by=by, created_at=at)
    refund.provider_id = str(refund.pk)
    _book(refund, payment, customer, at, takes_what_is_left=False)
    _record(refund, "payment.refund", by, payment)
    return refund


def _book(refund: Refund, payment: Payment, customer: Customer, at: datetime, *, takes_what_is_left: bool) -> None:
    """Save the refund, with all that follows from it."""
    credit = credit_for(payment, refund.amount)
    if payment.is_top_up:
        refund.net, refund.tax = split(payment, refund.amount)
    payment.refunded += refund.amount
    if payment.is_top_up:
        lot = lot_of(payment)
        left = lot.remaining if lot else Decimal(0)
        if credit > left and not takes_what_is_left:
            raise NotEnoughCredit("Of its credit too much is used already: pay back less.")
        refund.credit = min(credit, left)
        refund.unrecovered = credit - refund.credit
        refund.save(force_insert=True)
        _take_back(refund, payment, customer, lot, at)
    else:
        refund.credit_note = waiting_note(payment, refund.amount)
        refund.save(force_insert=True)
        key, entries = f"refund:{refund.pk}", invoice_entries(refund, payment, customer)
        _in_ledger(key, refund, payment, customer, at, entries)
        _unsettle(refund, payment, at)
    payment.save(update_fields=["refunded"])


def _take_back(refund: Refund, payment: Payment, customer: Customer, lot: CreditLot | None, at: datetime) -> None:
    against, told = credit_entries(refund, payment), _source(refund, payment)
    if refund.credit:
        take_credit(
            wallet_for(customer, at=at),
            refund.credit,
            key=f"refund:{refund.pk}",
            at=at,
            kind=LedgerTransaction.Kind.REFUND,
            against=against,
            lots=None if lot is None else [lot],
            told=told,
        )
    else:  # all of it was used
        _in_ledger(f"refund:{refund.pk}", refund, payment, customer, at, against)


def _unsettle(refund: Refund, payment: Payment, at: datetime) -> None:
    """What is over goes first; then the invoices that were paid with it are open again, the last one first."""
    left = max(-surplus_of(payment), Decimal(0))  # what is over counts this refund already
    paid: dict[UUID, Decimal] = {}
    for allocation in payment.allocations.order_by("pk"):
        paid[allocation.invoice_id] = paid.get(allocation.invoice_id, Decimal(0)) + allocation.amount
    invoices = {each.invoice_id: each.invoice for each in payment.allocations.select_related("invoice")}
    for invoice_id in reversed(list(paid)):
        part = min(left, paid[invoice_id])
        if part > 0:
            settle_invoice(invoices[invoice_id], -part, at=at, by=refund.created_by)
            PaymentAllocation.objects.create(payment=payment, invoice_id=invoice_id, amount=-part, created_at=at)
            left -= part


@transaction.atomic
def _fail(refund: Refund, error: str, at: datetime) -> Refund:
    """Nothing went back: what was booked is booked back, and the credit is there again."""
    customer = lock_customer(refund.payment.customer)
    payment = _locked(refund.payment)
    refund = Refund.objects.select_for_update(of=("self",), no_key=True).get(pk=refund.pk)
    if refund.state == Refund.State.FAILED:
        return refund
    refund.state, refund.error = Refund.State.FAILED, error[:300]
    refund.save(update_fields=["state", "error"])
    payment.refunded -= refund.amount
    payment.save(update_fields=["refunded"])
    key = f"refund_failed:{refund.pk}"
    if payment.is_top_up:
        back = {account: -amount for account, amount in credit_entries(refund, payment).items()}
        if refund.credit:
            source, told = CreditLot.Source.TOP_UP, _source(refund, payment)
            wallet = wallet_for(customer, at=at)
            add_lot(wallet, refund.credit, key=key, at=at, source=source, against=back, told=told)
        else:
            _in_ledger(key, refund, payment, customer, at, back)
    else:
        back = {account: -amount for account, amount in invoice_entries(refund, payment, customer).items()}
        _in_ledger(key, refund, payment, customer, at, back)
        _settle_again(refund, payment, at)
    _record(refund, "payment.refund_failed", None, payment)
    return refund


def _settle_again(refund: Refund, payment: Payment, at: datetime) -> None:
    """The invoices that the refund opened are paid again."""
    left = surplus_of(payment)
    for allocation in payment.allocations.filter(amount__lt=0).order_by("-pk").select_related("invoice"):
        invoice = allocation.invoice
        invoice.refresh_from_db()
        if part := min(left, -allocation.amount, invoice.due, refund.amount):
            settle_invoice(invoice, part, at=at, by=None)
            PaymentAllocation.objects.create(payment=payment, invoice=invoice, amount=part, created_at=at)
            left -= part


def _locked(payment: Payment) -> Payment:
    rows = Payment.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("customer", "organization").get(pk=payment.pk)


def _in_ledger(
    key: str,
    refund: Refund,
    payment: Payment,
    customer: Customer,
    at: datetime,
    entries: Entries,
    kind: LedgerTransaction.Kind = LedgerTransaction.Kind.REFUND,
) -> None:
    book(
        customer.organization,
        kind,
        key=key,
        at=at,
        entries=entries,
        customer=customer,
        source=_source(refund, payment),
    )


def _source(refund: Refund, payment: Payment) -> dict[str, str]:
    return {"refund": str(refund.pk), "payment": str(payment.pk), "reason": refund.reason}


def _record(refund: Refund, action: str, by: User | None, payment: Payment) -> None:
    changes: audit.Changes = {
        "amount": (None, refund.amount),
        "currency": (None, payment.currency),
        "credit": (None, refund.credit),
        "reason": (None, refund.reason or refund.error),
    }
    who = {} if by else {"actor_label": payment.provider}
    customer = payment.customer
    audit.record(customer.organization, action, payment, actor=by, changes=changes, customer=customer, **who)
