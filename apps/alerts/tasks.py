"""What workers do for alerts. Each may come late, twice or be killed: PostgreSQL knows what is done."""

import logging
from datetime import timedelta

from celery import shared_task
from django.db import DatabaseError
from django.utils import timezone

from apps.accounts.models import Organization
from apps.alerts import delivering, evaluation, happenings, money_happenings, retention
from apps.alerts.anomalies.looking import look
from apps.alerts.anomalies.networks import note_networks
from apps.kit.after_commit import after_commit
from apps.usage.models import HourlyUsage

logger = logging.getLogger(__name__)

EVALUATE_WITHIN = timedelta(seconds=18)  # the next comes after 20
DELIVER_WITHIN = timedelta(seconds=5)
LATELY = timedelta(hours=2)


@shared_task(name="alerts.evaluate", ignore_result=True)
def evaluate() -> None:
    """Every 20 seconds, by beat. Several at once share the rules."""
    evaluation.evaluate_due(within=EVALUATE_WITHIN)


@shared_task(name="alerts.deliver", ignore_result=True)
def deliver() -> None:
    """Every 5 seconds, by beat, and when somebody waits for a message."""
    delivering.deliver(within=DELIVER_WITHIN)


@shared_task(name="alerts.tell_happenings", ignore_result=True)
def tell_happenings() -> None:
    """Every 10 seconds, by beat."""
    happenings.tell_happenings(at=timezone.now())
    money_happenings.tell_of_money(at=timezone.now())


@shared_task(name="alerts.look_for_abuse", ignore_result=True)
def look_for_abuse() -> None:
    """Every 5 minutes, by beat: a task for each organization that had calls lately."""
    at = timezone.now()
    note_networks(at)
    for organization_id in HourlyUsage.objects.filter(hour__gte=at - LATELY).values_list("organization_id").distinct():
        after_commit("alerts.look_at", str(organization_id[0]))


@shared_task(name="alerts.look_at", ignore_result=True)
def look_at(organization_id: str) -> None:
    """For abuse, in one organization."""
    organization = Organization.objects.filter(pk=organization_id).first()
    if organization is None:
        return
    try:
        look(organization, at=timezone.now())
    except DatabaseError:  # the others are looked at all the same, and this one in five minutes
        logger.exception("not looked at for abuse: %s", organization.pk)


@shared_task(name="alerts.forget", ignore_result=True)
def forget() -> None:
    """Every hour, by beat."""
    retention.forget(timezone.now())
