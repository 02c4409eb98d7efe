"""What workers do for usage. Each may come late, twice or be killed: PostgreSQL knows what is done."""

from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from apps.kit.after_commit import after_commit
from apps.usage import expiry, partitions, rebuild, retention, rollup, snapshots

ROLL_UP_WITHIN = timedelta(seconds=30)


@shared_task(name="usage.roll_up", ignore_result=True)
def roll_up() -> None:
    """Every two seconds, by beat. Several at once share the work."""
    rollup.roll_up(within=ROLL_UP_WITHIN)


@shared_task(name="usage.align_hours", ignore_result=True)
def align_hours(organization_id: str) -> None:
    """After an organization's time zone was changed: where its hours begin elsewhere now, they are made anew."""
    rebuild.align_hours(UUID(organization_id))
    after_commit("billing.follow_zone", organization_id)


@shared_task(name="usage.make_partitions", ignore_result=True)
def make_partitions() -> None:
    """Every hour, by beat: the months ahead, so that the shipper finds its table."""
    partitions.make_partitions(at=timezone.now())


@shared_task(name="usage.forget_batches", ignore_result=True)
def forget_batches() -> None:
    """Every hour, by beat."""
    retention.forget_batches(at=timezone.now())


@shared_task(name="usage.forget_old", ignore_result=True)
def forget_old() -> None:
    """Every six hours, by beat: what is older than it is to be kept. Late, twice or killed: the next one goes on."""
    expiry.drop_months(at=timezone.now())
    expiry.forget_sums(at=timezone.now())


@shared_task(name="usage.take_snapshot", ignore_result=True)
def take_snapshot(asked: str) -> None:
    """After a page whose figures took long. What is there already, or being made, is not made again."""
    snapshots.take_snapshot(snapshots.Asked.of_text(asked))


@shared_task(name="usage.keep_snapshots", ignore_result=True)
def keep_snapshots() -> None:
    """Every minute, by beat: what somebody looked at is up to date on its next visit, and the rest goes."""
    snapshots.keep_snapshots(at=timezone.now())
