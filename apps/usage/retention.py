"""What was shipped is kept for a while: a database restored from a backup gets from the spools what it lost."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings

from apps.kit.failpoints import reach
from apps.usage.models import Batch, Spool
from apps.usage.segment import segment_numbers, segment_path
from apps.usage.tail import is_abandoned, spool_id_of

A_DAY_MORE = timedelta(days=1)  # while a spool is kept, its batches tell what of it is needed


def forget_shipped(root: Path, *, at: datetime) -> None:
    """Remove the segments and spools that PostgreSQL has had for settings.SPOOL_RETENTION.

    What remains is enough to ship again from any position that a spool had in that time: a segment stays
    while one of its intents was waiting for its outcome then.
    """
    before = at - settings.SPOOL_RETENTION
    for directory in root.iterdir() if root.is_dir() else ():
        spool_id = spool_id_of(directory)
        if spool_id is not None:
            _forget_spool(directory, spool_id, before)
        elif directory.name.startswith(".") and directory.is_dir() and is_abandoned(directory):
            shutil.rmtree(directory)  # its process died before the spool had its name, and so anything in it


def forget_batches(*, at: datetime) -> int:
    """Delete the batches that are in the roll-ups and old. Returns how many they were."""
    old = Batch.objects.filter(shipped_at__lt=at - settings.SPOOL_RETENTION - A_DAY_MORE).exclude(rolled_up_at=None)
    return old.delete()[0]


def _forget_spool(directory: Path, spool_id: UUID, before: datetime) -> None:
    spool = Spool.objects.filter(pk=spool_id).first()
    if spool is None:
        return
    if spool.closed_at is not None:
        if spool.closed_at < before:
            reach("ship_before_delete")
            shutil.rmtree(directory)
        return
    keep_from = _needed_since(spool, before)
    for number in segment_numbers(directory):
        if number < keep_from:
            reach("ship_before_delete")
            segment_path(directory, number).unlink()


def _needed_since(spool: Spool, before: datetime) -> int:
    """The first segment that shipping again from where `spool` was at `before` needs."""
    batches = Batch.objects.filter(spool=spool)
    last = batches.filter(shipped_at__lt=before).order_by("-id").first()
    if last is not None:
        return last.keep_from
    return 1 if batches.exists() else spool.keep_from  # no batch: none yet, or all of them are long forgotten
