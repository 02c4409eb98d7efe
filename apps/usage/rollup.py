"""Batches into hours and days: each request is counted once, however often whoever counts dies.

1. Claim batches that are not rolled up, past those that others are at (SKIP LOCKED).
2. Gather their requests, and add what was gathered to the hours and days, in the order of the keys.
3. Mark the batches. All of it in one transaction: a batch is in the sums exactly if it is marked.
"""

import logging
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from django.db import DataError, IntegrityError, transaction
from django.db.models import QuerySet, Sum
from django.db.models.functions import TruncDay
from django.utils import timezone

from apps.kit.failpoints import reach
from apps.kit.locks import lock_name, try_lock_name
from apps.usage.gathering import gathered
from apps.usage.measures import ROLLUPS, add
from apps.usage.models import Batch

logger = logging.getLogger(__name__)

LOCK = "usage roll-ups"  # shared by who adds batches, held alone by who changes what was added
MOST_BATCHES = 50
MOST_ROWS = 100_000
FOREVER = timedelta.max
A_DAY = timedelta(days=1)

OF_BATCHES = "batch_id = ANY(%s) AND started_at BETWEEN %s AND %s"  # the dates leave out other months
LAST_USED = """
WITH used AS (SELECT proxy_key_id, max(last_at) AS last_at FROM by_hour GROUP BY 1),
locked AS (
    SELECT id, last_at FROM keys_proxykey JOIN used ON id = proxy_key_id
    WHERE last_used_at IS NULL OR last_used_at < last_at ORDER BY id FOR NO KEY UPDATE OF keys_proxykey
)
UPDATE keys_proxykey SET last_used_at = GREATEST(last_used_at, last_at) FROM locked WHERE keys_proxykey.id = locked.id
"""


class NotCounted(Exception):
    """PostgreSQL refuses to add these batches."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        super().__init__(", ".join(map(str, batches)))
        self.batches = batches


def roll_up(*, within: timedelta = FOREVER) -> int:
    """Roll up until nothing is left or the time is over. Returns how many requests were.

    What others are at is left to them. Killed or run beside others, it counts nothing twice. A batch that
    cannot be added is left, and told: it does not hold up the others.
    """
    ends_at = time.monotonic() + within.total_seconds()
    requests, most = 0, MOST_BATCHES
    left: set[int] = set()
    while time.monotonic() < ends_at:
        try:
            batches = roll_up_some(at=timezone.now(), most=most, without=left)
        except NotCounted as error:
            if most == 1:
                left.add(error.batches[0].pk)
                logger.error("not rolled up: %s: %s", error, error.__cause__)
            most = 1  # and so find out which
            continue
        if not batches:
            break
        requests += sum(batch.rows for batch in batches)
    return requests


@transaction.atomic
def roll_up_some(*, at: datetime, most: int, without: Collection[int] = ()) -> Sequence[Batch]:
    """Roll up the oldest batches that are waiting, `most` of them at most. None: nothing waits.

    Raises NotCounted, nothing changed.
    """
    lock_name(LOCK, is_shared=True)
    batches = _claim(most, without)
    if not batches:
        return []
    reach("rollup_after_claim")
    try:
        _add(batches)
    except (DataError, IntegrityError) as error:
        raise NotCounted(batches) from error
    Batch.objects.filter(pk__in=[batch.pk for batch in batches]).update(rolled_up_at=at)
    reach("rollup_before_commit")
    return batches


def _claim(most: int, without: Collection[int]) -> list[Batch]:
    """The oldest of days that nobody is at, so that workers with much to do don't wait for each other's rows;
    where they are at all of them, the oldest that are free.
    """
    waiting = Batch.objects.filter(rolled_up_at=None).exclude(pk__in=without).order_by("pk")
    if days := _free_days(waiting):
        of_days = waiting.filter(first_started_at__gte=days[0], first_started_at__lt=days[-1] + A_DAY)
        if claimed := _lock_some(of_days, most):
            return claimed
    return _lock_some(waiting, most)


def _free_days(waiting: QuerySet[Batch]) -> list[datetime]:
    """Days (UTC) one after the other that we have alone now, with the next: batches reach into that."""
    days = waiting.order_by().values_list(TruncDay("first_started_at", tzinfo=UTC)).annotate(Sum("rows"))
    free: list[datetime] = []
    rows = 0
    for day, more in sorted(days):
        if all(try_lock_name(f"usage day {each:%Y-%m-%d}") for each in (day, day + A_DAY)):
            free.append(day)
            rows += more
        elif free:
            break
        if rows >= MOST_ROWS:
            break
    return free


def _lock_some(waiting: QuerySet[Batch], most: int) -> list[Batch]:
    claimed: list[Batch] = []
    rows = 0
    for batch in waiting.select_for_update(skip_locked=True)[:most]:
        rows += batch.rows
        if claimed and rows > MOST_ROWS:
            break
        claimed.append(batch)
    return claimed


def _add(batches: Sequence[Batch]) -> None:
    first = min(batch.first_started_at for batch in batches)
    last = max(batch.last_started_at for batch in batches)
    with gathered(OF_BATCHES, [[batch.pk for batch in batches], first, last]) as cursor:
        for rollup in ROLLUPS:
            cursor.execute(add(rollup))
        cursor.execute(LAST_USED)
