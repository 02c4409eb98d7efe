"""What workers do for alerts. Each may come late, twice or be killed: PostgreSQL knows what is done."""

from datetime import timedelta

from celery import shared_task

from apps.alerts import delivering, evaluation

EVALUATE_WITHIN = timedelta(seconds=18)  # the next comes after 20
DELIVER_WITHIN = timedelta(seconds=5)


@shared_task(name="alerts.evaluate", ignore_result=True)
def evaluate() -> None:
    """Every 20 seconds, by beat. Several at once share the rules."""
    evaluation.evaluate_due(within=EVALUATE_WITHIN)


@shared_task(name="alerts.deliver", ignore_result=True)
def deliver() -> None:
    """Every 5 seconds, by beat, and when something was put into the outbox."""
    delivering.deliver(within=DELIVER_WITHIN)
