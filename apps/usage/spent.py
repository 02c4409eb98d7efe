"""What was spent, for counters that lost it: from the hourly sums, and what isn't in them yet from the requests."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)
HOUR_US = 3_600_000_000

# One statement, so that a batch is either in the hours or among the requests, never in both or in neither.
# Hours that are over before the boundary are whole in the sums, but for batches that aren't rolled up yet; of what
# comes after, the requests themselves are asked. Hours begin on the quarter in some zones: hence the day's margin.
SUM = """
WITH known AS (
    SELECT coalesce(sum(price), 0) AS price FROM usage_hourlyusage
    WHERE customer_id = %(customer)s AND hour >= %(begins)s AND hour < %(split)s {owned}
), fresh AS (
    SELECT coalesce(sum(price), 0) AS price FROM usage_request
    WHERE customer_id = %(customer)s AND started_at >= %(begins)s AND started_at < %(split)s
      AND batch_id IN (SELECT id FROM usage_batch WHERE rolled_up_at IS NULL) {owned}
), last AS (
    SELECT coalesce(sum(price), 0) AS price FROM usage_request
    WHERE customer_id = %(customer)s AND started_at >= %(split)s AND started_at >= %(begins)s
      AND started_at < %(before)s {owned}
)
SELECT known.price + fresh.price + last.price,
       ARRAY(SELECT id FROM usage_request WHERE id = ANY(%(ids)s) AND customer_id = %(customer)s
             AND started_at < %(before)s)
FROM known, fresh, last
"""
OWNED = {UUID: "AND proxy_key_id = %(owner)s", str: "AND end_user = %(owner)s", type(None): ""}


def spent(
    customer_id: UUID,
    owner: UUID | str | None,
    *,
    begins_at: datetime | None,
    ends_at: datetime | None,
    before_us: int,
    ids: list[UUID],
) -> tuple[Decimal, list[UUID]]:
    """The price of all calls that began from `begins_at` on (None: ever) and before `ends_at` and `before_us`.

    owner: a proxy key's id, an end user's name, or None for all of the customer's.
    before_us: µs of Unix time, as the records have them.
    Gives also which of the calls `ids` are in the database, and so in the sum.
    """
    before = min(EPOCH + timedelta(microseconds=before_us), ends_at or FOR_EVER)
    begins = begins_at or EPOCH
    split = max(begins, _hour_of(before))
    values = {"customer": customer_id, "owner": owner, "begins": begins, "split": split, "before": before, "ids": ids}
    with connection.cursor() as cursor:
        cursor.execute(SUM.format(owned=OWNED[type(owner)]), values)
        price, landed = cursor.fetchone()
    return price, landed


def _hour_of(at: datetime) -> datetime:
    """An instant at which an hour begins in every zone, an hour before `at` at most."""
    return at.replace(minute=0, second=0, microsecond=0)
