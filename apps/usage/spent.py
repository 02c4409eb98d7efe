"""What was spent, for counters that lost it: from the hourly sums, and what isn't in them yet from the requests."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from apps.customers.models import Customer

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)  # in every zone

# One statement, so that a batch is either in the hours or among the requests, never in both or in neither.
# Hours that are over before the boundary are whole in the sums, but for batches that aren't rolled up yet; of the
# boundary's own hour, the requests themselves are asked. Hours are those of the organization's zone; those that are
# not kept any longer are in the days, and of days that aren't, all that was ever spent is written down.
SUM = """
WITH known AS (
    SELECT coalesce(sum(price), 0) AS price FROM (
        SELECT price FROM usage_hourlyusage
        WHERE customer_id = %(customer)s AND hour >= %(begins)s AND hour >= %(kept)s AND hour < %(split)s {owned}
        UNION ALL
        SELECT price FROM usage_dailyusage
        WHERE customer_id = %(customer)s AND day >= %(begins)s AND day < %(kept)s AND day < %(split)s {owned}
          AND day >= coalesce((SELECT days_since FROM usage_keeping
              JOIN customers_customer AS owner USING (organization_id) WHERE owner.id = %(customer)s), '-infinity')
        UNION ALL
        SELECT price FROM usage_forgottenspend WHERE customer_id = %(customer)s AND %(begins)s = %(ever)s {forgotten}
    ) AS sums
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
# The same for many at once, of all that is shipped: periods begin with an hour of the zone, so whole hours are enough.
RECORDED = """
SELECT customer_id, owner, sum(price) FROM (
    SELECT customer_id, {owner} AS owner, price
    FROM usage_hourlyusage LEFT JOIN usage_keeping USING (organization_id)
    WHERE customer_id = ANY(%(customers)s) AND hour >= %(begins)s
      AND (hours_since IS NULL OR hour >= hours_since) {owned}
    UNION ALL
    SELECT customer_id, {owner}, price FROM usage_dailyusage JOIN usage_keeping USING (organization_id)
    WHERE customer_id = ANY(%(customers)s) AND day >= %(begins)s AND day < hours_since
      AND (days_since IS NULL OR day >= days_since) {owned}
    UNION ALL
    SELECT customer_id, {forgotten_owner}, price FROM usage_forgottenspend
    WHERE customer_id = ANY(%(customers)s) AND %(begins)s = %(ever)s {forgotten}
    UNION ALL
    SELECT customer_id, {owner}, price FROM usage_request
    WHERE customer_id = ANY(%(customers)s) AND started_at >= %(begins)s
      AND batch_id IN (SELECT id FROM usage_batch WHERE rolled_up_at IS NULL) {owned}
) AS charged GROUP BY customer_id, owner
"""
OWNERS = {UUID: "proxy_key_id", str: "end_user"}
OWNED = {UUID: "AND proxy_key_id = %(owner)s", str: "AND end_user = %(owner)s", type(None): ""}
NOBODYS = "AND false"  # what is forgotten is not known by end user


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
    of = Customer.objects.values_list("organization__time_zone", "organization__keeping__hours_since")
    zone, kept = of.get(pk=customer_id)
    split = max(begins, _hour_of(before.astimezone(ZoneInfo(zone))))
    values = {"customer": customer_id, "owner": owner, "ids": ids, "kept": kept or EPOCH}
    values |= {"begins": begins, "split": split, "before": before, "ever": EPOCH}
    forgotten = NOBODYS if isinstance(owner, str) else OWNED[type(owner)]
    with connection.cursor() as cursor:
        cursor.execute(SUM.format(owned=OWNED[type(owner)], forgotten=forgotten), values)
        price, landed = cursor.fetchone()
    return price, landed


Owner = UUID | str | None


def recorded(whose: Collection[tuple[UUID, Owner]], *, begins_at: datetime | None) -> dict[tuple[UUID, Owner], Decimal]:
    """What is shipped of what each of these spent from `begins_at` on (None: ever); a query for each kind of owner.

    whose: a customer's id, with an owner as in `spent`. begins_at: where an hour of the organization's zone begins.
    """
    found = dict.fromkeys(whose, Decimal(0))
    for kind in (UUID, str, type(None)):
        asked = [each for each in whose if isinstance(each[1], kind)]
        if not asked:
            continue
        column = OWNERS.get(kind)
        owned = f"AND {column} = ANY(%(owners)s)" if column else ""
        query = RECORDED.format(
            owner=column or "NULL",
            owned=owned,
            forgotten_owner="NULL" if kind is str else column or "NULL",
            forgotten=NOBODYS if kind is str else owned,
        )
        values: dict[str, Any] = {
            "customers": list({customer_id for customer_id, _ in asked}),
            "owners": list({owner for _, owner in asked}),
            "begins": begins_at or EPOCH,
            "ever": EPOCH,
        }
        with connection.cursor() as cursor:
            cursor.execute(query, values)
            found.update(((row[0], row[1]), row[2]) for row in cursor.fetchall() if row[:2] in found)
    return found


def _hour_of(local: datetime) -> datetime:
    """The instant at which that hour begins."""
    return local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
