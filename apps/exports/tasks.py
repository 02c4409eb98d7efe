"""What workers do for exports. Each may come late, twice or be killed: see services.write_export."""

from datetime import timedelta
from uuid import UUID

from celery import current_app, shared_task
from django.utils import timezone

from apps.exports import services

TURN = timedelta(seconds=20)  # then it is somebody else's: a large export holds up nobody


@shared_task(name=services.RUN, ignore_result=True)
def run(export_id: str) -> None:
    """Write some of it, and have the rest written."""
    try:
        has_more = services.write_export(UUID(export_id), within=TURN)
    except Exception:
        services.note_failure(UUID(export_id), at=timezone.now())
        raise
    if has_more:
        current_app.send_task(services.RUN, args=(export_id,))


@shared_task(name="exports.resume", ignore_result=True)
def resume() -> None:
    """Every minute, by beat: what was left lying is taken up again."""
    for export_id in services.stale_exports(at=timezone.now()):
        current_app.send_task(services.RUN, args=(str(export_id),))


@shared_task(name="exports.forget", ignore_result=True)
def forget() -> None:
    """Every hour, by beat."""
    services.forget_exports(at=timezone.now())
