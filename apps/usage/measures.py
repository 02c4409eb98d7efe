"""What is summed, and by what: the SQL that the roll-up, rebuilding, repricing and the audit share.

Requests are gathered first: summed by everything at once, their properties as they are, which leaves a few
rows of each session. What was gathered is summed by hours, and by values of properties in hours; all roll-ups are
sums of these few, so that the requests are read once, and what was gathered twice.

Its parts are constants of ours, no values. The tables are named `request` and `organization` in them.
"""

from collections.abc import Iterable
from typing import NamedTuple

from apps.usage.histograms import counted, listed, merged
from apps.usage.models import (
    TOKEN_KINDS,
    DailyCustomer,
    DailyModel,
    DailyPropertyUsage,
    DailyTotal,
    DailyUsage,
    HourlyPropertyUsage,
    HourlyUsage,
    Result,
    UsageSource,
)

FAILED, REFUSED, UNFINISHED = Result.FAILED.value, Result.REFUSED.value, Result.UNFINISHED.value
UNPRICED = f"cost IS NULL AND NOT result IN ({REFUSED}, {UNFINISHED})"
IS_CLIENTS = f"result = {FAILED} AND status BETWEEN 400 AND 499"
HAS_LATENCY = f"NOT result IN ({REFUSED}, {UNFINISHED})"
HAS_FIRST_TOKEN = f"result <> {REFUSED} AND first_token_ms IS NOT NULL"

SUMS = {
    "requests": "count(*)",
    "refused": f"count(*) FILTER (WHERE result = {REFUSED})",
    "failed": f"count(*) FILTER (WHERE result = {FAILED})",
    "client_errors": f"count(*) FILTER (WHERE {IS_CLIENTS} AND status <> 429)",
    "rate_limited": f"count(*) FILTER (WHERE result = {FAILED} AND status = 429)",
    "server_errors": f"count(*) FILTER (WHERE result = {FAILED} AND NOT status BETWEEN 400 AND 499)",
    "cancelled": f"count(*) FILTER (WHERE result = {Result.CANCELLED.value})",
    "unfinished": f"count(*) FILTER (WHERE result = {UNFINISHED})",
    "streamed": f"count(*) FILTER (WHERE is_streamed AND result <> {REFUSED})",
    "unpriced": f"count(*) FILTER (WHERE {UNPRICED})",
    "estimated": f"count(*) FILTER (WHERE usage_source = {UsageSource.ESTIMATED.value})",
    **{f"{kind}_tokens": f"sum({kind}_tokens)::bigint" for kind in TOKEN_KINDS},
    "cost": "coalesce(sum(cost), 0)",
    "price": "coalesce(sum(price), 0)",
    "latency_ms": f"coalesce(sum(latency_ms) FILTER (WHERE {HAS_LATENCY}), 0)::bigint",
    "first_token_ms": f"coalesce(sum(first_token_ms) FILTER (WHERE {HAS_FIRST_TOKEN}), 0)::bigint",
    "first_tokens": f"count(*) FILTER (WHERE {HAS_FIRST_TOKEN})",
}
AMOUNTS = ("cost", "price")
EXTREMES = {"first_at": ("min", "LEAST"), "last_at": ("max", "GREATEST")}
TIMES = {
    "latencies": listed("latency_ms", HAS_LATENCY),
    "first_token_times": listed("first_token_ms", HAS_FIRST_TOKEN),
}

# Requests of which the roll-ups know. A batch that is forgotten was rolled up long ago.
IS_ROLLED_UP = "NOT EXISTS (SELECT FROM usage_batch WHERE usage_batch.id = batch_id AND rolled_up_at IS NULL)"
KEYS = {
    "organization_id": "organization_id",
    "hour": "date_trunc('hour', started_at, organization.time_zone)",
    "day": "date_trunc('day', started_at, organization.time_zone)",
    "customer_id": "customer_id",
    "proxy_key_id": "proxy_key_id",
    "provider": "provider",
    "model": "model_served",
    "sold_as": "coalesce(alias, model_served)",
    "end_user": "end_user",
    "properties": "properties",
}
REQUESTS = "usage_request AS request JOIN accounts_organization AS organization ON organization.id = organization_id"


class Rollup(NamedTuple):
    """A table of sums: what its rows are told apart by, and which of the CONDENSED they are sums of."""

    table: str
    keys: tuple[str, ...]
    source: str
    has_times: bool

    @property
    def moment(self) -> str:
        """The column that says of when its rows are."""
        return "hour" if "hour" in self.keys else "day"

    @property
    def measures(self) -> tuple[str, ...]:
        return (*SUMS, *EXTREMES, *TIMES) if self.has_times else (*SUMS, *EXTREMES)


def _by(table: str, moment: str, *names: str) -> Rollup:
    return Rollup(table, ("organization_id", moment, *names), "by_hour", has_times=True)


def _by_property(table: str, moment: str) -> Rollup:
    return Rollup(table, ("organization_id", moment, *VALUE), "by_value", has_times=False)


MODEL = ("provider", "model", "sold_as")
TOTAL = ("customer_id", "proxy_key_id", *MODEL)
VALUE = ("customer_id", "name", "value", "end_user")
HOURS = _by(HourlyUsage._meta.db_table, "hour", *TOTAL, "end_user")
DAYS = _by(DailyUsage._meta.db_table, "day", *TOTAL, "end_user")
DAY_TOTALS = _by(DailyTotal._meta.db_table, "day", *TOTAL)
CUSTOMER_DAYS = _by(DailyCustomer._meta.db_table, "day", "customer_id")
MODEL_DAYS = _by(DailyModel._meta.db_table, "day", *MODEL)
PROPERTY_HOURS = _by_property(HourlyPropertyUsage._meta.db_table, "hour")
PROPERTY_DAYS = _by_property(DailyPropertyUsage._meta.db_table, "day")
ROLLUPS = (HOURS, DAYS, DAY_TOTALS, CUSTOMER_DAYS, MODEL_DAYS, PROPERTY_HOURS, PROPERTY_DAYS)
OF_DAYS = tuple(rollup for rollup in ROLLUPS if rollup.moment == "day")


def gather(where: str) -> str:
    """SELECT: the sums of the requests for which `where` holds, by everything. The rest takes it for `gathered`."""
    columns = [f"{expression} AS {name}" for name, expression in (KEYS | SUMS | TIMES).items()]
    columns += [f"{pick}(started_at) AS {name}" for name, (pick, _) in EXTREMES.items()]
    group = ", ".join(str(number + 1) for number in range(len(KEYS)))
    return f"SELECT {', '.join(columns)} FROM {REQUESTS} WHERE {where} GROUP BY {group}"  # noqa: S608 ours


def _summed(keys: Iterable[str], source: str, where: str, *, has_times: bool) -> str:
    """SELECT: the sums of sums, histograms as lists of bytes."""
    names = list(keys)
    measures = [f"sum({name}){'' if name in AMOUNTS else '::bigint'} AS {name}" for name in SUMS]
    measures += [f"{pick}({name}) AS {name}" for name, (pick, _) in EXTREMES.items()]
    lists = [f"string_agg({name}, ''::bytea) AS {name}" for name in TIMES] if has_times else []
    group = ", ".join(str(number + 1) for number in range(len(names)))
    return f"SELECT {', '.join([*names, *measures, *lists])} FROM {source} WHERE {where} GROUP BY {group}"  # noqa: S608 ours


MOMENTS = ("organization_id", "hour", "day")
OF_VALUES = ("customer_id", "property.key AS name", "property.value AS value", "end_user")
CONDENSED = {  # what was gathered, by name of the table that it makes
    "by_hour": _summed((*MOMENTS, *TOTAL, "end_user"), "gathered", "TRUE", has_times=True),
    "by_value": _summed(
        (*MOMENTS, *OF_VALUES),
        "gathered CROSS JOIN LATERAL jsonb_each_text(properties) AS property",
        "TRUE",
        has_times=False,
    ),
}


def sums(rollup: Rollup, where: str = "TRUE") -> str:
    """SELECT: the rows of a roll-up that what was gathered makes, where it is of an hour or day that `where` names."""
    if rollup.moment == "hour":  # what is condensed has a row for each
        summed = f"SELECT * FROM {rollup.source} WHERE {where}"  # noqa: S608 ours
    else:
        summed = _summed(rollup.keys, rollup.source, where, has_times=rollup.has_times)
    columns = [f"{counted(name)} AS {name}" if name in TIMES else name for name in (*rollup.keys, *rollup.measures)]
    return f"SELECT {', '.join(columns)} FROM ({summed}) AS summed"  # noqa: S608 ours


def add(rollup: Rollup, where: str = "TRUE") -> str:
    """INSERT: add what was gathered to a roll-up.

    In the order of the keys: whoever else adds to the same rows waits, and none waits in a circle.
    """
    table = rollup.table
    added = [f"{name} = {table}.{name} + excluded.{name}" for name in SUMS]
    added += [f"{name} = {pick}({table}.{name}, excluded.{name})" for name, (_, pick) in EXTREMES.items()]
    if rollup.has_times:
        added += [f"{name} = {merged(f'{table}.{name}', f'excluded.{name}')}" for name in TIMES]
    keys = ", ".join(rollup.keys)
    return (
        f"INSERT INTO {table} ({keys}, {', '.join(rollup.measures)}) {sums(rollup, where)} ORDER BY {keys} "
        f"ON CONFLICT ({keys}) DO UPDATE SET {', '.join(added)}"
    )
