"""Disputes: what a bank takes back, holds, and gives again. How each stands is asked of the provider, in any order.

    opened   unused credit that the payment bought is held: it is not there to be used
    won      it is there again
    lost     the payment is taken back. Unused credit goes with it; what was used of it is owed: taken from other
             credit, and what is beyond all of it makes the balance negative, which the next credit pays first.
             Invoices that it paid are open again.

Each change is a transaction, under the customer, the payment, then wallet and lot; told twice, it is done once.
"""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from apps.accounts import audit
from apps.accounts.models import Role
from apps.billing.models import (
    AutoTopUp,
    CreditLot,
    Dispute,
    LedgerAccount,
    LedgerTransaction,
    LotUse,
    Payment,
    Wallet,
)
from apps.billing.payments.base import DisputeReading
from apps.billing.services.ledger import account_of, book
from apps.billing.services.lots import note_uses, take_credit
from apps.billing.services.refund_entries import credit_for, lots_of
from apps.billing.services.refunds import book_loss, undo_loss
from apps.billing.services.wallets import holding
from apps.customers.models import Customer
from apps.customers.services import lock as lock_customer
from apps.kit.failpoints import reach
from apps.kit.mail import mail_after_commit

State = Dispute.State
ZERO = Decimal(0)
USD = "USD"
TOLD = (Role.OWNER, Role.ADMIN, Role.BILLING)  # who hears of it
STOPPED = "A payment was disputed."


@transaction.atomic
def record_dispute(payment: Payment, told: DisputeReading, *, at: datetime) -> Dispute | None:
    """Put down how a dispute stands, and do what follows. None: of what was not paid there is nothing to dispute."""
    customer = lock_customer(payment.customer)
    payment = Payment.objects.select_for_update(of=("self",), no_key=True).get(pk=payment.pk)
    if payment.state != Payment.State.SUCCEEDED or not told.amount:
        return None
    payment.customer, payment.organization = customer, customer.organization
    found = Dispute.objects.filter(payment=payment, provider_id=told.provider_id).first()
    dispute = found or Dispute(payment=payment, provider_id=told.provider_id, amount=told.amount, opened_at=at)
    dispute.payment = payment
    before, after = (State(found.state) if found else None), State(told.state.value)
    if before == after:
        return dispute
    _undo(dispute, before, at)
    dispute.state, dispute.amount, dispute.changes = after, told.amount, dispute.changes + 1
    dispute.reason, dispute.answer_by = told.reason[:100], told.answer_by
    dispute.closed_at = at if after in (State.WON, State.LOST) else None
    _do(dispute, at)
    dispute.save()
    reach("dispute_recorded")
    Payment.objects.filter(pk=payment.pk, disputed_at=None).update(disputed_at=at)
    _tell(dispute, before, customer)
    return dispute


def _do(dispute: Dispute, at: datetime) -> None:
    """What follows from the state that it came to."""
    payment = dispute.payment
    if dispute.state == State.OPEN:
        _hold(dispute, at)
        # The same card would be charged, and that disputed, too.
        AutoTopUp.objects.filter(wallet__customer=payment.customer).update(is_on=False, last_error=STOPPED)
    elif dispute.state == State.LOST:
        reason = f"Disputed and lost: {dispute.reason}".removesuffix(": ")
        dispute.refund = book_loss(payment, dispute.amount, key=_key(dispute), reason=reason, at=at)


def _undo(dispute: Dispute, before: State | None, at: datetime) -> None:
    """What followed from the state that it had."""
    if before == State.OPEN:
        _release(dispute, at)
    elif before == State.LOST and dispute.refund is not None:
        undo_loss(dispute.refund, at=at)
        dispute.refund = None


def _hold(dispute: Dispute, at: datetime) -> None:
    """What is left of the credit that it bought, as far as it is disputed."""
    payment = dispute.payment
    lots = [lot for lot in lots_of(payment) if lot.expires_at is None or lot.expires_at > at]
    left = sum((lot.remaining for lot in lots), ZERO)
    held = min(credit_for(payment, min(dispute.amount, payment.refundable)), left)
    if held <= 0:
        return
    take_credit(
        lots[0].wallet,
        held,
        key=_key(dispute),
        at=at,
        kind=LedgerTransaction.Kind.DISPUTE,
        against={account_of(payment.organization, LedgerAccount.Kind.HELD, USD): held},
        lots=lots,
        told=_source(dispute),
    )
    dispute.held = held


def _release(dispute: Dispute, at: datetime) -> None:
    """It is back in its lots; what was used beyond the credit meanwhile is paid from it first."""
    if not dispute.held:
        return
    wallet_id = Wallet.objects.values_list("pk", flat=True).get(customer=dispute.payment.customer)
    with holding(wallet_id, at=at) as wallet:
        taken = LotUse.objects.filter(
            transaction__organization=dispute.payment.organization,
            transaction__key=f"taken:{wallet_id}:{_key(dispute)}",
        )
        booked, _is_new = book(
            dispute.payment.organization,
            LedgerTransaction.Kind.DISPUTE,
            key=f"released:{_key(dispute)}",
            at=at,
            customer=dispute.payment.customer,
            entries=_released(dispute, wallet),
            source=_source(dispute),
        )
        paid = left = min(dispute.held, wallet.overdrawn)
        back: list[tuple[CreditLot, Decimal]] = []
        for use in taken.select_related("lot").order_by("pk"):
            gone = min(left, use.amount)
            left -= gone
            if use.amount > gone:
                back.append((use.lot, gone - use.amount))
        note_uses(booked, back)
        wallet.overdrawn -= paid
    dispute.held = ZERO


def _released(dispute: Dispute, wallet: Wallet) -> dict[LedgerAccount, Decimal]:
    held = account_of(dispute.payment.organization, LedgerAccount.Kind.HELD, USD)
    return {wallet.account: dispute.held, held: -dispute.held}


def _key(dispute: Dispute) -> str:
    """Of what is booked for the state that it has; it may come to the same again."""
    return f"dispute:{dispute.pk}:{dispute.changes}"


def _source(dispute: Dispute) -> dict[str, str]:
    return {
        "dispute": str(dispute.pk),
        "disputed": str(dispute.payment_id),
        "reason": f"Dispute of a payment: {dispute.get_state_display()}",
    }


def _tell(dispute: Dispute, before: State | None, customer: Customer) -> None:
    """It is in the audit log, and whoever sees to money here gets an e-mail."""
    payment, organization = dispute.payment, customer.organization
    changes: audit.Changes = {
        "dispute": (before.value if before else None, dispute.state),
        "amount": (None, dispute.amount),
        "currency": (None, payment.currency),
    }
    audit.record(
        organization,
        "payment.dispute",
        payment,
        actor=None,
        changes=changes,
        customer=customer,
        actor_label=payment.provider,
    )
    link = f"{settings.PUBLIC_URL}{reverse('console:payment-detail', args=[payment.pk])}"
    context = {"dispute": dispute, "payment": payment, "customer": customer, "organization": organization, "link": link}
    for member in organization.members.filter(role__in=TOLD).select_related("user").order_by("created_at", "pk"):
        mail_after_commit("dispute", to=member.user.email, context=context)
