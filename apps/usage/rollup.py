"""Batches into hours: each request is counted once, however often whoever counts dies.

1. Claim batches that are not rolled up, past those that others are at (SKIP LOCKED).
2. Add their requests to the hours, in the order of the keys.
3. Mark the batches. All of it in one transaction: a batch is in the sums exactly if it is marked.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from apps.kit.failpoints import reach
from apps.kit.locks import lock_name
from apps.usage.measures import BY_ALL, BY_PROPERTY, add
from apps.usage.models import Batch

LOCK = "usage roll-ups"  # shared by who adds batches, held alone by who changes what was added
MOST_BATCHES = 50
MOST_ROWS = 100_000
FOREVER = timedelta.max

IN_MEMORY = "SET LOCAL work_mem = '64MB'"
OF_BATCHES = "batch_id = ANY(%s) AND started_at BETWEEN %s AND %s"  # the dates leave out other months
ADD_BY_ALL = f"""
WITH added AS ({add(BY_ALL, OF_BATCHES)} RETURNING proxy_key_id, last_at),
used AS (SELECT proxy_key_id, max(last_at) AS last_at FROM added GROUP BY 1),
locked AS (
    SELECT id, last_at FROM keys_proxykey JOIN used ON id = proxy_key_id
    WHERE last_used_at IS NULL OR last_used_at < last_at ORDER BY id FOR NO KEY UPDATE OF keys_proxykey
)
UPDATE keys_proxykey SET last_used_at = GREATEST(last_used_at, last_at) FROM locked WHERE keys_proxykey.id = locked.id
"""  # noqa: S608 constants of ours
ADD_BY_PROPERTY = add(BY_PROPERTY, OF_BATCHES)


def roll_up(*, within: timedelta = FOREVER) -> int:
    """Roll up until nothing is left or the time is over. Returns how many requests were.

    What others are at is left to them. Killed or run beside others, it counts nothing twice.
    """
    ends_at = time.monotonic() + within.total_seconds()
    requests = 0
    while time.monotonic() < ends_at and (batches := roll_up_some(at=timezone.now())):
        requests += sum(batch.rows for batch in batches)
    return requests


@transaction.atomic
def roll_up_some(*, at: datetime) -> Sequence[Batch]:
    """Roll up the oldest batches that are waiting, and return them. None: nothing waits."""
    lock_name(LOCK, is_shared=True)
    batches = _claim()
    if not batches:
        return []
    reach("rollup_after_claim")
    first = min(batch.first_started_at for batch in batches)
    last = max(batch.last_started_at for batch in batches)
    ids = [batch.pk for batch in batches]
    with connection.cursor() as cursor:
        cursor.execute(IN_MEMORY)
        cursor.execute(ADD_BY_ALL, [ids, first, last])
        cursor.execute(ADD_BY_PROPERTY, [ids, first, last])
    Batch.objects.filter(pk__in=ids).update(rolled_up_at=at)
    reach("rollup_before_commit")
    return batches


def _claim() -> list[Batch]:
    waiting = Batch.objects.filter(rolled_up_at=None).order_by("pk").select_for_update(skip_locked=True)
    claimed: list[Batch] = []
    rows = 0
    for batch in waiting[:MOST_BATCHES]:
        rows += batch.rows
        if claimed and rows > MOST_ROWS:
            break
        claimed.append(batch)
    return claimed
