"""What is summed, and by what: the SQL that the roll-up, rebuilding, repricing and the audit share.

Its parts are constants of ours, no values. The tables are named `request` and `organization` in them.
"""

from typing import NamedTuple

from apps.usage.models import TOKEN_KINDS, HourlyPropertyUsage, HourlyUsage, Result, UsageSource

REFUSED, UNFINISHED = Result.REFUSED.value, Result.UNFINISHED.value
UNPRICED = f"cost IS NULL AND NOT result IN ({REFUSED}, {UNFINISHED})"

SUMS = {
    "requests": "count(*)",
    "refused": f"count(*) FILTER (WHERE result = {REFUSED})",
    "failed": f"count(*) FILTER (WHERE result = {Result.FAILED.value})",
    "cancelled": f"count(*) FILTER (WHERE result = {Result.CANCELLED.value})",
    "unfinished": f"count(*) FILTER (WHERE result = {UNFINISHED})",
    "streamed": f"count(*) FILTER (WHERE is_streamed AND result <> {REFUSED})",
    "unpriced": f"count(*) FILTER (WHERE {UNPRICED})",
    "estimated": f"count(*) FILTER (WHERE usage_source = {UsageSource.ESTIMATED.value})",
    **{f"{kind}_tokens": f"sum({kind}_tokens)::bigint" for kind in TOKEN_KINDS},
    "cost": "coalesce(sum(cost), 0)",
    "price": "coalesce(sum(price), 0)",
    "latency_ms": f"coalesce(sum(latency_ms) FILTER (WHERE NOT result IN ({REFUSED}, {UNFINISHED})), 0)::bigint",
    "first_token_ms": f"coalesce(sum(first_token_ms) FILTER (WHERE result <> {REFUSED}), 0)::bigint",
    "first_tokens": f"count(first_token_ms) FILTER (WHERE result <> {REFUSED})",
}
EXTREMES = {"first_at": ("min(started_at)", "LEAST"), "last_at": ("max(started_at)", "GREATEST")}
MEASURES = (*SUMS, *EXTREMES)

# Requests of which the hours know. A batch that is forgotten was rolled up long ago.
IS_ROLLED_UP = "NOT EXISTS (SELECT FROM usage_batch WHERE usage_batch.id = batch_id AND rolled_up_at IS NULL)"
HOUR = "date_trunc('hour', started_at, organization.time_zone)"


class Rollup(NamedTuple):
    """A table of hourly sums: what its rows are told apart by, and how that is found in a request."""

    table: str
    keys: dict[str, str]
    source: str
    only: str  # of which requests


REQUESTS = "usage_request AS request JOIN accounts_organization AS organization ON organization.id = organization_id"
BY_ALL = Rollup(
    HourlyUsage._meta.db_table,
    {
        "organization_id": "organization_id",
        "hour": HOUR,
        "customer_id": "customer_id",
        "proxy_key_id": "proxy_key_id",
        "provider": "provider",
        "model": "model_served",
        "sold_as": "coalesce(alias, model_served)",
        "end_user": "end_user",
    },
    REQUESTS,
    "TRUE",
)
BY_PROPERTY = Rollup(
    HourlyPropertyUsage._meta.db_table,
    {
        "organization_id": "organization_id",
        "hour": HOUR,
        "customer_id": "customer_id",
        "name": "property.key",
        "value": "property.value",
        "end_user": "end_user",
    },
    f"{REQUESTS} CROSS JOIN LATERAL jsonb_each_text(properties) AS property",
    "properties <> '{}'",  # the others have no rows anyway; told so, PostgreSQL is done with them sooner
)
ROLLUPS = (BY_ALL, BY_PROPERTY)


def sums(rollup: Rollup, where: str) -> str:
    """SELECT: the keys and measures of the requests for which `where` holds."""
    keys = ", ".join(f"{expression} AS {name}" for name, expression in rollup.keys.items())
    measures = [f"{expression} AS {name}" for name, expression in SUMS.items()]
    measures += [f"{expression} AS {name}" for name, (expression, _) in EXTREMES.items()]
    group = ", ".join(str(number + 1) for number in range(len(rollup.keys)))
    return f"SELECT {keys}, {', '.join(measures)} FROM {rollup.source} WHERE {rollup.only} AND {where} GROUP BY {group}"  # noqa: S608 ours


def add(rollup: Rollup, where: str) -> str:
    """INSERT: add the requests for which `where` holds to the hours.

    In the order of the keys: whoever else adds to the same hours waits, and none waits in a circle.
    """
    columns = ", ".join((*rollup.keys, *MEASURES))
    added = [f"{name} = {rollup.table}.{name} + excluded.{name}" for name in SUMS]
    added += [f"{name} = {pick}({rollup.table}.{name}, excluded.{name})" for name, (_, pick) in EXTREMES.items()]
    keys = ", ".join(rollup.keys)
    return (
        f"INSERT INTO {rollup.table} ({columns}) {sums(rollup, where)} ORDER BY {keys} "
        f"ON CONFLICT ({keys}) DO UPDATE SET {', '.join(added)}"
    )
