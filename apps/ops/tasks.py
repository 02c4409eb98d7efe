"""A worker's sign of life, which readiness asks for."""

from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from apps.ops.health import note_worker


@shared_task(name="ops.beat", ignore_result=True)
def beat() -> None:
    """Every ten seconds, by beat: a worker that does this takes work. Twice or late is harmless."""
    note_worker()


@worker_ready.connect
def _tell_at_once(**_: Any) -> None:
    note_worker()
