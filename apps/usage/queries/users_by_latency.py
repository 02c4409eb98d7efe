"""Users in the order of how long their calls took: a percentile of each, out of its histograms, for all of them."""

from collections.abc import Iterator
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import BigIntegerField, QuerySet
from django.db.models.functions import Cast

from apps.usage.histograms import COUNT, SHIFT

SHARES = {"latency_p50_ms": 0.5, "latency_p95_ms": 0.95}
AT_ONCE = 2000

# Nobody's name is empty, so an empty one may stand for none: what is equal can be joined fast, NULL cannot.
SQL = f"""
WITH found AS ({{found}}), kept AS ({{kept}}),
counts AS (
    SELECT customer_id, end_user, c >> {SHIFT} AS bucket, sum(c & {COUNT}) AS n
    FROM kept, unnest(counts) AS c GROUP BY 1, 2, 3
),
running AS (
    SELECT customer_id, end_user, bucket, sum(n) OVER whole AS everything, sum(n) OVER (whole ORDER BY bucket) AS upto
    FROM counts WINDOW whole AS (PARTITION BY customer_id, end_user)
),
told AS (
    SELECT customer_id, coalesce(end_user, '') AS name, min(bucket) AS bucket
    FROM running WHERE upto >= greatest(1, ceil(%s * everything)) GROUP BY 1, 2
)
SELECT found.*, count(*) OVER () AS users FROM found
LEFT JOIN told ON told.customer_id = found.customer_id AND told.name = coalesce(found.end_user, '')
ORDER BY bucket {{direction}} NULLS LAST, found.end_user, found.customer_id LIMIT %s OFFSET %s
"""  # noqa: S608 constants of ours


def ordered_by_latency(
    found: QuerySet[Any], rows: QuerySet[Any], order: str, *, limit: int | None = None, offset: int = 0
) -> Iterator[dict[str, Any]]:
    """The users of `found` (a query by customer and user), each with how many there are; slowest first with "-".

    rows: the sums that their histograms are in. Users without one come last either way.
    """
    counts = Cast("latencies", ArrayField(BigIntegerField()))
    kept, kept_values = rows.order_by().values_list("customer_id", "end_user", counts).query.sql_with_params()
    asked, asked_values = found.order_by().query.sql_with_params()
    sql = SQL.format(
        found=asked,
        kept=f"SELECT * FROM ({kept}) AS kept (customer_id, end_user, counts)",  # noqa: S608 ours
        direction="DESC" if order.startswith("-") else "ASC",
    )
    share = SHARES[order.removeprefix("-")]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*asked_values, *kept_values, share, limit, offset])
        names = [column.name for column in cursor.description]
        while some := cursor.fetchmany(AT_ONCE):
            for row in some:
                yield dict(zip(names, row, strict=True))
