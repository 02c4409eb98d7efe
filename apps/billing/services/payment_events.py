"""What payment providers tell us: kept first, then acted on, so that nothing that was told is lost.

An event only says where to look. What is put down is how the payment, invoice or card stands at the provider now:
so events may come twice, late, in any order, or not at all, and be gone through again whenever somebody likes.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.billing.errors import NotPossible
from apps.billing.models import BillingDetails, Dispute, Invoice, Payment, PaymentEvent
from apps.billing.payments.base import Event, InvoiceReading, PaymentProvider, Reading, State, Subject
from apps.billing.payments.registry import provider_of
from apps.billing.services.collecting import put_down
from apps.billing.services.disputes import record_dispute
from apps.billing.services.payment_methods import read_methods
from apps.billing.services.payments import record_payment
from apps.billing.services.refunds import record_refund
from apps.customers.models import Customer
from apps.kit.ids import uuid7

Outcome = PaymentEvent.Outcome
MOST_ERROR = 300


@dataclass(frozen=True)
class Received:
    """An event that is kept."""

    row: PaymentEvent
    is_new: bool


def keep_event(organization: Organization, provider: PaymentProvider, event: Event, *, at: datetime) -> Received:
    """Write down what was told. Told twice, it is one row."""
    row, is_new = PaymentEvent.objects.get_or_create(
        organization=organization,
        provider=provider.name,
        event_id=event.id,
        defaults={
            "kind": event.kind[:80],
            "received_at": at,
            "payload": {"subject": event.subject.value, "subject_id": event.subject_id, "event": event.payload},
        },
    )
    return Received(row, is_new)


def process_event(row: PaymentEvent, *, at: datetime, again: bool = False) -> PaymentEvent.Outcome:
    """Act on an event; again: one that was acted on before, too. Whatever fails is noted and raised."""
    if row.processed_at is not None and not again:
        return Outcome(row.outcome)
    PaymentEvent.objects.filter(pk=row.pk).update(attempts=F("attempts") + 1)
    try:
        outcome = _act(row, at)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"[:MOST_ERROR]
        PaymentEvent.objects.filter(pk=row.pk).update(error=told)
        raise
    PaymentEvent.objects.filter(pk=row.pk).update(outcome=outcome, processed_at=at, error="")
    return outcome


def _act(row: PaymentEvent, at: datetime) -> PaymentEvent.Outcome:
    provider = provider_of(row.organization, row.provider)
    subject, subject_id = Subject(row.payload["subject"]), row.payload["subject_id"]
    if not subject_id or subject is Subject.NOTHING:
        return Outcome.IGNORED
    if subject is Subject.METHODS:
        return _act_on_methods(row.organization, provider, subject_id)
    if subject is Subject.INVOICE:
        return _act_on_invoice(row.organization, provider, provider.read_invoice(subject_id), at)
    if subject is Subject.CHECKOUT:
        our_id, reading = provider.read_checkout(subject_id)
        if reading is None:
            return Outcome.IGNORED  # still being paid
        return _act_on_payment(row.organization, provider, reading, at, our_id or reading.our_id)
    reading = provider.read_payment(subject_id)
    return _act_on_payment(row.organization, provider, reading, at, reading.our_id)


def _act_on_payment(
    organization: Organization, provider: PaymentProvider, reading: Reading, at: datetime, our_id: str
) -> PaymentEvent.Outcome:
    payment = payment_of(organization, provider.name, reading.provider_id, our_id)
    if payment is None and reading.invoice_id:
        return _act_on_invoice(organization, provider, provider.read_invoice(reading.invoice_id), at)
    if payment is None:
        return Outcome.UNMATCHED if reading.state is State.SUCCEEDED else Outcome.IGNORED
    put_down(payment, reading, at=at)
    _put_down_what_went_back(payment, reading, at)
    return Outcome.DONE


def _put_down_what_went_back(payment: Payment, reading: Reading, at: datetime) -> None:
    for refund in reading.refunds:
        record_refund(payment, refund, at=at)
    for dispute in reading.disputes:
        record_dispute(payment, dispute, at=at)


def ask_about_dispute(dispute: Dispute, *, at: datetime) -> None:
    """Ask how its payment stands. Raises ProviderError."""
    payment = dispute.payment
    provider = provider_of(payment.organization, payment.provider)
    _put_down_what_went_back(payment, provider.read_payment(payment.provider_id), at)


def _act_on_invoice(
    organization: Organization, provider: PaymentProvider, reading: InvoiceReading, at: datetime
) -> PaymentEvent.Outcome:
    """An invoice that was pushed. Its payment is one of ours once it is paid."""
    invoices = Invoice.objects.filter(organization=organization)
    invoice = invoices.filter(stripe_id=reading.provider_id).first()
    if invoice is None and _is_uuid(reading.our_id):
        invoice = invoices.filter(pk=reading.our_id).first()
    if invoice is None:
        return Outcome.UNMATCHED if reading.is_paid else Outcome.IGNORED
    if not reading.is_paid:
        return Outcome.DONE  # the provider goes on trying
    paid = provider.read_payment(reading.payment_id) if reading.payment_id else None
    payment = _pushed_payment(invoice, provider, reading, paid)
    record_payment(payment, at=at, method=paid.method if paid else "")
    if paid:
        _put_down_what_went_back(payment, paid, at)
    return Outcome.DONE


@transaction.atomic
def _pushed_payment(
    invoice: Invoice, provider: PaymentProvider, reading: InvoiceReading, paid: Reading | None
) -> Payment:
    """The payment of a pushed invoice: one, whichever event tells of it first."""
    payment, _is_new = Payment.objects.get_or_create(
        organization=invoice.organization,
        provider=provider.name,
        provider_id=reading.payment_id or reading.provider_id,
        defaults={
            "id": uuid7(),
            "customer": invoice.customer,
            "invoice": invoice,
            "currency": paid.currency if paid else invoice.currency,
            "amount": paid.amount if paid else invoice.due,
        },
    )
    return payment


def take_as_payment(row: PaymentEvent, *, by: User | None, at: datetime) -> Payment:
    """Money that nobody here waited for is a payment of the customer that the provider knows as its payer: for
    whatever is due, the oldest first; what is more stays the customer's. Once.

    Raises NotPossible where no customer is known, or nothing came in.
    """
    provider = provider_of(row.organization, row.provider)
    if row.outcome != Outcome.UNMATCHED or Subject(row.payload["subject"]) is not Subject.PAYMENT:
        raise NotPossible("Only a payment that is not matched can be taken.")
    reading = provider.read_payment(row.payload["subject_id"])
    details = BillingDetails.objects.filter(customer__organization=row.organization, stripe_id=reading.payer_id)
    found = details.exclude(stripe_id="").select_related("customer").first()
    if found is None:
        raise NotPossible("Its payer is no customer here: refund it at the provider, or put it down as a transfer.")
    if reading.state is not State.SUCCEEDED:
        raise NotPossible("It was not paid.")
    with transaction.atomic():
        payment, _is_new = Payment.objects.get_or_create(
            organization=row.organization,
            provider=provider.name,
            provider_id=reading.provider_id,
            defaults={"customer": found.customer, "currency": reading.currency, "amount": reading.amount},
        )
        record_payment(payment, at=at, method=reading.method, by=by)
        PaymentEvent.objects.filter(pk=row.pk).update(outcome=Outcome.DONE, processed_at=at, error="")
    return payment


@transaction.atomic
def dismiss_event(row: PaymentEvent, *, by: User | None, at: datetime) -> None:
    """It was looked at, and has nothing to do with anything here."""
    open_ones = PaymentEvent.objects.filter(pk=row.pk).exclude(outcome__in=(Outcome.DONE, Outcome.IGNORED))
    if open_ones.update(outcome=Outcome.IGNORED, processed_at=at):
        audit.record(row.organization, "payment_event.dismiss", row, actor=by, changes={"event": (None, row.event_id)})


def payment_of(organization: Organization, provider: str, provider_id: str, our_id: str) -> Payment | None:
    """The payment of ours that the provider means: by the mark that we gave it, else by its own id."""
    payments = Payment.objects.filter(organization=organization, provider=provider)
    payments = payments.select_related("customer__organization", "invoice")
    if _is_uuid(our_id) and (marked := payments.filter(pk=our_id).first()):
        return marked
    return payments.filter(provider_id=provider_id).first()


def _act_on_methods(organization: Organization, provider: PaymentProvider, payer_id: str) -> PaymentEvent.Outcome:
    details = BillingDetails.objects.filter(customer__organization=organization, stripe_id=payer_id)
    found = details.select_related("customer__organization").first()
    if found is None:
        return Outcome.IGNORED
    customer: Customer = found.customer
    read_methods(customer, provider, at=timezone.now())
    return Outcome.DONE


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
