"""Money that comes in: asked for, recorded once, and what it does to wallets, invoices and the ledger.

A payment is a row of ours before its provider is asked, so that nothing that was paid is without one. What the
provider says is put down by `record_payment` and `record_failure`, which change nothing the second time,
whichever of them comes first. Locks: customer, payment, then wallet, lot, invoice.
"""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import User
from apps.billing.errors import NotPossible
from apps.billing.models import (
    AutoTopUp,
    CreditLot,
    Invoice,
    LedgerAccount,
    LedgerTransaction,
    Payment,
    PaymentAllocation,
    Refund,
    Wallet,
)
from apps.billing.models.parties import USD
from apps.billing.models.payments import MANUAL
from apps.billing.money import precise, round_half_away
from apps.billing.parties import details_of
from apps.billing.payments.base import Payer
from apps.billing.services.ledger import account_of, book
from apps.billing.services.lots import add_lot
from apps.billing.services.quotes import Quote
from apps.billing.services.receipts import make_receipt
from apps.billing.services.settling import settle_invoice
from apps.billing.services.wallets import open_wallet
from apps.customers.models import Customer
from apps.customers.services import lock as lock_customer
from apps.kit.after_commit import after_commit
from apps.kit.errors import Refused
from apps.kit.ids import uuid7

logger = logging.getLogger(__name__)

Kind = LedgerAccount.Kind
OWED = (Invoice.State.OPEN, Invoice.State.UNCOLLECTIBLE)  # what is paid after all, is paid
MOST_ERROR = 300
BACK_OFF = timedelta(hours=1)  # after a payment that was declined


@transaction.atomic
def add_top_up(
    customer: Customer,
    quote: Quote,
    *,
    provider: str,
    by: User | None,
    at: datetime,
    payment_id: UUID | None = None,
) -> Payment:
    """Credit that somebody wants to buy, and that is to be paid for."""
    payment = _add(customer, quote.total, quote.currency, provider, by, at, payment_id)
    payment.tax, payment.credit, payment.details = quote.tax, quote.credit, quote.as_details()
    payment.save(force_insert=True)
    changes: audit.Changes = {"credit": (None, quote.credit), "amount": (None, quote.total)}
    audit.record(customer.organization, "payment.start", payment, actor=by, changes=changes, customer=customer)
    return payment


@transaction.atomic
def add_invoice_payment(
    invoice: Invoice, *, provider: str, by: User | None, at: datetime, payment_id: UUID | None = None
) -> Payment:
    """What is due on an invoice is to be paid. Raises NotPossible when nothing is."""
    if invoice.state != Invoice.State.OPEN or not invoice.due:
        raise NotPossible(f"There is nothing to pay on {invoice}.")
    payment = _add(invoice.customer, invoice.due, invoice.currency, provider, by, at, payment_id)
    payment.invoice = invoice
    payment.save(force_insert=True)
    changes: audit.Changes = {"invoice": (None, invoice.number), "amount": (None, payment.amount)}
    customer = invoice.customer
    audit.record(customer.organization, "payment.start", payment, actor=by, changes=changes, customer=customer)
    return payment


@transaction.atomic
def record_payment(
    payment: Payment,
    *,
    at: datetime,
    provider_id: str = "",
    amount: Decimal | None = None,
    method: str = "",
    by: User | None = None,
) -> bool:
    """The money came in: book it, give the credit, settle the invoice. Returns False if that was done before.

    amount: what came in, in the payment's currency; None: what was asked for. provider_id: the provider's, once
    it is known. A payment that failed before may still succeed: a payer tries again with another card.
    """
    customer = lock_customer(payment.customer)
    payment = _locked(payment)
    if payment.state == Payment.State.SUCCEEDED:
        return False
    _put(payment, amount)
    payment.state, payment.paid_at, payment.error = Payment.State.SUCCEEDED, at, ""
    payment.provider_id, payment.method = provider_id or payment.provider_id, method or payment.method
    payment.save()
    if payment.is_top_up:
        _give_credit(payment, customer, at)
        _make_receipt(payment, at)
    else:
        _book_for_invoices(payment, customer, at)
        _allocate(payment, customer, at, by)
    changes: audit.Changes = {"amount": (None, payment.amount), "currency": (None, payment.currency)}
    who = {} if by else {"actor_label": payment.provider}
    audit.record(customer.organization, "payment.receive", payment, actor=by, changes=changes, customer=customer, **who)
    return True


@transaction.atomic
def record_failure(payment: Payment, error: str, *, at: datetime, provider_id: str = "") -> bool:
    """It was not paid. Of what was paid already that is no news: returns False."""
    lock_customer(payment.customer)
    payment = _locked(payment)
    if payment.state != Payment.State.PENDING:
        return False
    payment.state, payment.error = Payment.State.FAILED, error[:MOST_ERROR]
    payment.provider_id = provider_id or payment.provider_id
    payment.save(update_fields=["state", "error", "provider_id"])
    if payment.is_automatic:
        _back_off(payment, at)
    return True


@transaction.atomic
def cancel_payment(payment: Payment, *, by: User | None, at: datetime) -> None:
    """A transfer that was announced is not sent after all. Raises NotPossible for what a provider tells of."""
    if payment.provider != MANUAL or not record_failure(payment, "Cancelled.", at=at):
        raise NotPossible("Only a transfer that has not come in yet can be cancelled.")
    customer = payment.customer
    audit.record(customer.organization, "payment.cancel", payment, actor=by, customer=customer)


def allocated(payment: Payment) -> Decimal:
    """What of it went to invoices."""
    return sum(payment.allocations.values_list("amount", flat=True), Decimal(0))


def surplus_of(payment: Payment) -> Decimal:
    """What of a payment nothing was owed for: it is the customer's, until it is refunded or used.

    What goes back for a credit note is not taken from the invoice, which stays paid.
    """
    if payment.is_top_up or payment.state != Payment.State.SUCCEEDED:
        return Decimal(0)
    gone = payment.refunds.exclude(state=Refund.State.FAILED).filter(credit_note=None)
    return payment.amount - sum(gone.values_list("amount", flat=True), Decimal(0)) - allocated(payment)


@transaction.atomic
def apply_surplus(payment: Payment, *, by: User | None, at: datetime) -> Decimal:
    """Pay other open invoices of the customer with what is over. Returns what was used."""
    customer = lock_customer(payment.customer)
    payment = _locked(payment)
    before = surplus_of(payment)
    _allocate(payment, customer, at, by)
    used = before - surplus_of(payment)
    if used:
        changes: audit.Changes = {"surplus": (before, before - used)}
        audit.record(customer.organization, "payment.apply", payment, actor=by, changes=changes, customer=customer)
    return used


def wallet_for(customer: Customer, *, at: datetime) -> Wallet:
    """The customer's wallet. Who has none and buys credit gets one that pays first, and the rest is invoiced."""
    known = Wallet.objects.filter(customer=customer).first()
    return known or open_wallet(customer, by=None, at=at, settlement=Wallet.Settlement.CREDIT_FIRST)


def key_of_lot(payment: Payment) -> str:
    """What the wallet calls the credit that the payment bought."""
    return f"top_up:{payment.pk}"


def payer_of(customer: Customer) -> Payer:
    """The customer as a provider is told of it."""
    details = details_of(customer)
    return Payer(str(customer.pk), str(details), details.email or customer.email, details.stripe_id)


def _add(
    customer: Customer,
    amount: Decimal,
    currency: str,
    provider: str,
    by: User | None,
    at: datetime,
    payment_id: UUID | None,
) -> Payment:
    own_id = payment_id or uuid7()
    return Payment(
        id=own_id,
        organization=customer.organization,
        customer=customer,
        provider=provider,
        provider_id=str(own_id),  # until the provider has one
        currency=currency,
        amount=amount,
        created_by=by,
        created_at=at,
    )


def _locked(payment: Payment) -> Payment:
    rows = Payment.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("customer__organization", "invoice").get(pk=payment.pk)


def _put(payment: Payment, received: Decimal | None) -> None:
    """What came in, if it is not what was asked for: credit and tax in proportion, so that nothing is given away."""
    if received is None or received == payment.amount:
        return
    if not received:  # a coupon of the provider's paid all of it: the credit is given away
        payment.details = payment.details | {"asked": payment.amount}
        payment.tax = Decimal(0)
    elif payment.is_top_up and payment.amount:
        share = Fraction(received) / Fraction(payment.amount)
        payment.details = payment.details | {"asked": payment.amount}
        payment.tax = round_half_away(Fraction(payment.tax) * share, payment.currency)
        payment.credit = precise(Fraction(payment.credit) * share)
    payment.amount = received


def _give_credit(payment: Payment, customer: Customer, at: datetime) -> None:
    """Cash against what the customer owes, as for any invoice; and the revenue of its receipt is set aside as credit.

    Tax that prices contain stays in the credit: it pays gross prices.
    """
    organization = customer.organization
    against: dict[LedgerAccount, Decimal] = {}
    if not payment.amount:  # a coupon paid all of it
        against[account_of(organization, Kind.PROMOTION, USD)] = -payment.credit
    else:
        against[account_of(organization, Kind.CASH, payment.currency)] = -payment.amount
        against[account_of(organization, Kind.RECEIVABLE, payment.currency, customer)] = payment.amount
        against |= set_aside(payment, payment.amount - payment.tax_on_top, payment.credit)
    add_lot(
        wallet_for(customer, at=at),
        payment.credit,
        key=key_of_lot(payment),
        at=at,
        source=CreditLot.Source.TOP_UP,
        against=against,
        note=payment.provider_id[:200] if payment.provider == MANUAL else "",
        told=_source(payment),
    )


def set_aside(payment: Payment, amount: Decimal, credit: Decimal) -> dict[LedgerAccount, Decimal]:
    """Against `credit` dollars on the wallet's account: `amount` of revenue that is earned once the credit is used."""
    organization, currency = payment.organization, payment.currency
    entries = {account_of(organization, Kind.REVENUE, currency): -amount}
    if currency != USD:
        entries[account_of(organization, Kind.EXCHANGE, currency)] = amount
        entries[account_of(organization, Kind.EXCHANGE, USD)] = -credit
    elif amount != credit:
        entries[account_of(organization, Kind.EXCHANGE, USD)] = amount - credit
    return entries


def _book_for_invoices(payment: Payment, customer: Customer, at: datetime) -> None:
    """Cash against what the customer owes; what is more than that, we owe the customer."""
    entries = {
        account_of(customer.organization, Kind.CASH, payment.currency): -payment.amount,
        account_of(customer.organization, Kind.RECEIVABLE, payment.currency, customer): payment.amount,
    }
    book(
        customer.organization,
        LedgerTransaction.Kind.PAYMENT,
        key=f"payment:{payment.pk}",
        at=at,
        entries=entries,
        customer=customer,
        source=_source(payment),
    )


def _source(payment: Payment) -> dict[str, str]:
    """What the ledger says that it goes back to."""
    return {"payment": str(payment.pk), "provider": payment.provider, "provider_id": payment.provider_id}


def _make_receipt(payment: Payment, at: datetime) -> None:
    """Now if it can be; if not, the money came in all the same, and `billing.make_receipt` tries again."""
    try:
        with transaction.atomic():
            make_receipt(payment, at=at)
    except Refused:
        logger.warning("no receipt of payment %s yet", payment.pk, exc_info=True)
        after_commit("billing.make_receipt", str(payment.pk))


def _back_off(payment: Payment, at: datetime) -> None:
    """No automatic top-up for a while: a card that was declined is not tried every minute."""
    rules = AutoTopUp.objects.filter(wallet__customer_id=payment.customer_id)
    rules.update(backs_off_until=at + BACK_OFF, last_error=payment.error[:200])


def _allocate(payment: Payment, customer: Customer, at: datetime, by: User | None) -> None:
    """To the invoice that it was for, then to the others that are due, the oldest first."""
    left = surplus_of(payment)
    due = Invoice.objects.filter(customer=customer, state=Invoice.State.OPEN, currency=payment.currency)
    ids = list(due.order_by("due_on", "sequence").values_list("pk", flat=True))
    if (named := payment.invoice) and named.state in OWED and named.currency == payment.currency:
        ids = [named.pk, *(each for each in ids if each != named.pk)]
    for invoice_id in ids:
        if left <= 0:
            return
        invoice = Invoice.objects.select_for_update(no_key=True).get(pk=invoice_id)
        if part := min(left, invoice.due):
            settle_invoice(invoice, part, at=at, by=by)
            PaymentAllocation.objects.create(payment=payment, invoice=invoice, amount=part, created_at=at)
            left -= part
