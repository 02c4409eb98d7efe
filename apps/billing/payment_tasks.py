"""Payments in the background. Each is safe to be late, twice, at once, or killed."""

# Celery carries no types.
# mypy: disable-error-code="untyped-decorator"

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

from celery import shared_task
from django.db.models import Q
from django.utils import timezone

from apps.billing.errors import NotPossible, PaymentDeclined
from apps.billing.models import Dispute, Invoice, Payment, PaymentEvent, PaymentProviderSettings, Refund
from apps.billing.payments.base import ProviderError
from apps.billing.services.auto_top_up import due_wallet_ids, top_up_by_itself
from apps.billing.services.collecting import ask_about, collect_invoice
from apps.billing.services.payment_events import ask_about_dispute, process_event
from apps.billing.services.receipts import make_receipt
from apps.billing.services.refunds import note_refund, settle_refund
from apps.kit.errors import Refused

logger = logging.getLogger(__name__)

SETTLES_WITHIN = timedelta(minutes=2)  # before that, whoever began it is still at it
ASKED_FOR = timedelta(days=3)  # a checkout is open for a day, a transfer from an account takes longer
AT_ONCE = 200


@shared_task(name="billing.auto_top_up", acks_late=True, ignore_result=True)
def auto_top_up(wallet_id: str) -> None:
    """A wallet ran low. Ten at once buy once."""
    top_up_by_itself(UUID(wallet_id), at=timezone.now())


@shared_task(name="billing.top_up_what_is_low", acks_late=True, ignore_result=True)
def top_up_what_is_low() -> None:
    """Wallets that ran low while their card was declined, or nobody could be asked."""
    for wallet_id in due_wallet_ids(at=timezone.now()):
        _try(partial(top_up_by_itself, wallet_id, at=timezone.now()), f"wallet {wallet_id}")


@shared_task(name="billing.collect_invoice", acks_late=True, ignore_result=True)
def collect(invoice_id: str) -> None:
    """An invoice is final: charged or pushed, where the organization says so. Once."""
    invoice = Invoice.objects.select_related("customer__organization", "organization").get(pk=invoice_id)
    collect_invoice(invoice, at=timezone.now())


@shared_task(name="billing.make_receipt", acks_late=True, ignore_result=True)
def receipt(payment_id: str) -> None:
    """The invoice of a top-up that was paid. It has one, however often it is made."""
    make_receipt(Payment.objects.get(pk=payment_id), at=timezone.now())


@shared_task(name="billing.ask_about_payments", acks_late=True, ignore_result=True)
def ask_about_payments() -> None:
    """What nobody told us of: payments and refunds that are pending, events that failed, receipts that are missing."""
    now = timezone.now()
    before = now - SETTLES_WITHIN
    payments = Payment.objects.select_related("customer__organization", "organization", "invoice")
    pending = payments.filter(state=Payment.State.PENDING, created_at__range=(now - ASKED_FOR, before))
    for payment in pending.exclude(provider="manual").order_by("created_at")[:AT_ONCE]:
        _try(partial(ask_about, payment, at=now), f"payment {payment.pk}")
    refunds = Refund.objects.filter(state=Refund.State.PENDING, created_at__range=(now - ASKED_FOR, before))
    for refund in refunds.select_related("payment__organization", "payment__customer")[:AT_ONCE]:
        _try(partial(settle_refund, refund, at=now), f"refund {refund.pk}")
    unnoted = Refund.objects.filter(state=Refund.State.SUCCEEDED, payment__credit__gt=0, credit_note=None)
    for refund in unnoted.filter(created_at__lt=before).select_related("payment__customer")[:AT_ONCE]:
        _try(partial(note_refund, refund, at=now), f"credit note of refund {refund.pk}")
    for event in PaymentEvent.objects.filter(processed_at=None, received_at__lt=before).order_by("pk")[:AT_ONCE]:
        _try(partial(process_event, event, at=now), f"event {event.event_id}")
    paid = payments.filter(state=Payment.State.SUCCEEDED, credit__gt=0, amount__gt=0, invoice=None)
    for payment in paid.filter(paid_at__lt=before).order_by("paid_at")[:AT_ONCE]:
        _try(partial(make_receipt, payment, at=now), f"receipt of {payment.pk}")
    for invoice in _uncollected()[:AT_ONCE]:
        _try(partial(collect_invoice, invoice, at=now), f"invoice {invoice.number}")


@shared_task(name="billing.ask_about_disputes", acks_late=True, ignore_result=True)
def ask_about_disputes() -> None:
    """Disputes that nobody told us the end of: banks take weeks."""
    undecided = Dispute.objects.filter(state__in=(Dispute.State.INQUIRY, Dispute.State.OPEN))
    for dispute in undecided.select_related("payment__customer", "payment__organization").order_by("pk")[:AT_ONCE]:
        _try(partial(ask_about_dispute, dispute, at=timezone.now()), f"dispute {dispute.pk}")


def _uncollected() -> list[Invoice]:
    """Final invoices that are to be charged or pushed by themselves, and were not yet."""
    collecting = PaymentProviderSettings.objects.filter(is_on=True).exclude(
        collects=PaymentProviderSettings.Collects.LINK
    )
    owed = Invoice.objects.filter(state=Invoice.State.OPEN, stripe_id="", payments=None)
    owed = owed.filter(organization__in=collecting.values("organization"))
    owed = owed.filter(
        Q(organization__payment_providers__collects="push") | Q(customer__payment_methods__is_default=True)
    )
    return list(owed.select_related("customer__organization", "organization").distinct().order_by("finalized_at"))


def _try(action: Callable[[], object], what: str) -> None:
    """One that fails holds up none of the others; it is tried again next time."""
    try:
        action()
    except (Refused, ProviderError, NotPossible, PaymentDeclined) as error:
        logger.warning("%s: %s", what, error)
    except Exception:
        logger.exception("%s failed", what)
