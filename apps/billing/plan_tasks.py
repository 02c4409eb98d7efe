"""What workers do for plans. Each may come late, twice or be killed: PostgreSQL knows what is done."""

import logging

from celery import shared_task
from django.utils import timezone

from apps.billing.errors import NotConfigured
from apps.billing.services.beginnings import begin, beginnings_due, fit_rate_card, left_on_cards
from apps.billing.services.included import allowances_due, grant_allowance

logger = logging.getLogger(__name__)


@shared_task(name="billing.begin_subscriptions", ignore_result=True)
def begin_subscriptions() -> None:
    """Every minute, by beat: what begins at midnight begins then, and what ended is over. A transaction for each."""
    at = timezone.now()
    for subscription in beginnings_due(at=at):
        try:
            begin(subscription, by=None, at=at)
        except NotConfigured as missing:  # the others begin all the same, and this one once it is set
            logger.warning("%s does not begin: %s", subscription.pk, missing)
    for customer in left_on_cards(at=at):
        fit_rate_card(customer, by=None, at=at)


@shared_task(name="billing.grant_allowances", ignore_result=True)
def grant_allowances() -> None:
    """Every minute, by beat: what plans include of money, at the start of each period."""
    at = timezone.now()
    for subscription in allowances_due(at=at):
        try:
            grant_allowance(subscription, at=at)
        except NotConfigured as missing:
            logger.warning("%s has no allowance: %s", subscription.pk, missing)
