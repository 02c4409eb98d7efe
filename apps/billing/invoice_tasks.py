"""Invoices in the background. Late, twice, at once or killed is harmless: there is one for a customer and period."""

import logging
from collections.abc import Callable

from celery import shared_task
from django.utils import timezone

from apps.accounts.models import Organization
from apps.billing.invoicing.runs import Run, billing_run, finalize_due
from apps.billing.models import Seller

logger = logging.getLogger(__name__)


@shared_task(name="billing.build_invoices", acks_late=True, ignore_result=True)
def build_invoices() -> None:
    """Every hour, by beat: what is over gets its draft, and drafts what came since."""
    _for_each(lambda organization: billing_run(organization, at=timezone.now()))


@shared_task(name="billing.finalize_invoices", acks_late=True, ignore_result=True)
def finalize_invoices() -> None:
    """Every hour, by beat: drafts that have waited long enough, of those who let it happen by itself."""
    by_hand = set(Seller.objects.filter(finalizes=False).values_list("organization_id", flat=True))
    _for_each(
        lambda organization: Run() if organization.pk in by_hand else finalize_due(organization, at=timezone.now())
    )


def _for_each(action: Callable[[Organization], Run]) -> None:
    """One whose run fails holds up none of the others; the next run tries again."""
    for organization in Organization.objects.order_by("pk"):
        try:
            run = action(organization)
        except Exception:
            logger.exception("the billing run of %s failed", organization.slug)
            continue
        for each in run.refused:
            logger.warning("no invoice for %s of %s: %s", each["customer"], organization.slug, each["reason"])
