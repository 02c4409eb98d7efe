"""Documents in the background: e-mails and reminders. Late, twice, at once or killed is harmless."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

from celery import current_app, shared_task
from django.utils import timezone

from apps.accounts.models import Organization
from apps.billing.models import Seller
from apps.billing.services import mailing
from apps.billing.services.dunning import reinstate_customer, run_dunning, suspended_by_dunning
from apps.customers.models import Customer

logger = logging.getLogger(__name__)

LATELY = timedelta(days=7)  # who begins to have invoices sent has not those of years sent


@shared_task(name=mailing.SEND, ignore_result=True)  # type: ignore[untyped-decorator]
def send_mailing(mailing_id: str) -> None:
    """One e-mail. Not `acks_late`: what was claimed by a worker that died is not sent by another."""
    mailing.send_mailing(UUID(mailing_id), at=timezone.now())


@shared_task(name="billing.send_invoices", acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator]
def send_invoices() -> None:
    """Every minute, by beat: invoices that became final, of those who have them sent by themselves; and retries."""
    now = timezone.now()
    for seller in Seller.objects.filter(sends=True).select_related("organization").order_by("pk"):
        _try(partial(mailing.queue_unsent, seller.organization, at=now, since=now - LATELY), seller)
    for mailing_id in mailing.waiting_mailing_ids(at=now):
        current_app.send_task(mailing.SEND, args=(str(mailing_id),))


@shared_task(name="billing.remind", acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator]
def remind() -> None:
    """Every hour, by beat: days begin at other hours in other zones."""
    for organization in Organization.objects.order_by("pk"):
        _try(partial(run_dunning, organization, at=timezone.now()), organization)


@shared_task(name="billing.reinstate", acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator]
def reinstate(customer_id: str) -> None:
    """An invoice was paid: whom dunning suspended is let in again."""
    reinstate_customer(Customer.objects.select_related("organization").get(pk=customer_id), at=timezone.now())


@shared_task(name="billing.reinstate_all", acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator]
def reinstate_all() -> None:
    """Every minute, by beat: those of whose payment the message was lost, and who were credited instead."""
    for customer in suspended_by_dunning():
        _try(partial(reinstate_customer, customer, at=timezone.now()), customer)


def _try(action: Callable[[], object], whose: object) -> None:
    """One that fails holds up none of the others."""
    try:
        action()
    except Exception:
        logger.exception("%s: failed, and is tried again", whose)
