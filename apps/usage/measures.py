"""What is summed, and by what: the SQL that the roll-up, rebuilding, repricing and the audit share.

Requests are read once: those of an hour that nothing tells apart are summed, and all roll-ups are sums of these few,
each of the finest that has what it is told apart by.

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
    "estimated": f"count(*) FILTER (WHERE usage_source >= {UsageSource.ESTIMATED.value})",
    **{f"{kind}_tokens": f"usage_total({kind}_tokens)" for kind in TOKEN_KINDS},
    "cost": "coalesce(sum(cost), 0)",
    "price": "coalesce(sum(price), 0)",
    "latency_ms": f"coalesce(sum(latency_ms) FILTER (WHERE {HAS_LATENCY}), 0)",
    "first_token_ms": f"coalesce(sum(first_token_ms) FILTER (WHERE {HAS_FIRST_TOKEN}), 0)",
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
DAY = "date_trunc('day', hour, organization.time_zone)"  # an hour of the zone is in one day of it
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
MEASURED = (  # of a request, and in SUMS, EXTREMES and TIMES
    *("started_at", "result", "status", "is_streamed", "usage_source", "cost", "price", "latency_ms", "first_token_ms"),
    *(f"{kind}_tokens" for kind in TOKEN_KINDS),
)


class Rollup(NamedTuple):
    """A table of sums: what its rows are told apart by, and which of the CONDENSED they are sums of."""

    table: str
    keys: tuple[str, ...]
    source: str
    times: tuple[str, ...] = tuple(TIMES)  # which histograms it has

    @property
    def moment(self) -> str:
        """The column that says of when its rows are."""
        return "hour" if "hour" in self.keys else "day"

    @property
    def measures(self) -> tuple[str, ...]:
        return (*SUMS, *EXTREMES, *self.times)


MODEL = ("provider", "model", "sold_as")
TOTAL = ("customer_id", "proxy_key_id", *MODEL)
VALUE = ("customer_id", "name", "value", "end_user")
# There are as many rows of values as requests, nearly: days have the one histogram that is asked for most, hours none.
OF_VALUES = ("latencies",)
OF_HOUR = ("organization_id", "hour")
OF_DAY = ("organization_id", "day")
HOURS = Rollup(HourlyUsage._meta.db_table, (*OF_HOUR, *TOTAL, "end_user"), "by_hour")
DAYS = Rollup(DailyUsage._meta.db_table, (*OF_DAY, *TOTAL, "end_user"), "by_day")
DAY_TOTALS = Rollup(DailyTotal._meta.db_table, (*OF_DAY, *TOTAL), "by_total")
CUSTOMER_DAYS = Rollup(DailyCustomer._meta.db_table, (*OF_DAY, "customer_id"), "by_total")
MODEL_DAYS = Rollup(DailyModel._meta.db_table, (*OF_DAY, *MODEL), "by_total")
PROPERTY_HOURS = Rollup(HourlyPropertyUsage._meta.db_table, (*OF_HOUR, *VALUE), "by_value", times=())
PROPERTY_DAYS = Rollup(DailyPropertyUsage._meta.db_table, (*OF_DAY, *VALUE), "by_value", times=OF_VALUES)
ROLLUPS = (HOURS, DAYS, DAY_TOTALS, CUSTOMER_DAYS, MODEL_DAYS, PROPERTY_HOURS, PROPERTY_DAYS)
OF_DAYS = tuple(rollup for rollup in ROLLUPS if rollup.moment == "day")


def asked(where: str) -> str:
    """SELECT: the requests for which `where` holds, with all that they are told apart by. Who reads it reads them."""
    columns = [f"{expression} AS {name}" for name, expression in KEYS.items()]
    return (
        f"SELECT {', '.join([*columns, *MEASURED])} FROM usage_request AS request "  # noqa: S608 ours
        f"JOIN accounts_organization AS organization ON organization.id = organization_id WHERE {where}"
    )


def _counted(keys: Iterable[str], source: str) -> str:
    """SELECT: the sums of requests of hours, with the day that each hour is in; histograms as lists of bytes."""
    measures = [f"{expression} AS {name}" for name, expression in (SUMS | TIMES).items()]
    measures += [f"{pick}(started_at) AS {name}" for name, (pick, _) in EXTREMES.items()]
    names = list(keys)
    group = ", ".join(str(number + 1) for number in range(len(names)))
    return (
        f"SELECT counted.*, {DAY} AS day FROM (SELECT {', '.join([*names, *measures])} FROM {source} GROUP BY {group}) "  # noqa: S608 ours
        "AS counted JOIN accounts_organization AS organization ON organization.id = organization_id"
    )


def _summed(keys: Iterable[str], source: str, where: str = "TRUE", times: Iterable[str] = TIMES) -> str:
    """SELECT: the sums of sums."""
    names = list(keys)
    measures = [f"{'sum' if name in AMOUNTS else 'usage_total'}({name}) AS {name}" for name in SUMS]
    measures += [f"{pick}({name}) AS {name}" for name, (pick, _) in EXTREMES.items()]
    lists = [f"string_agg({name}, ''::bytea) AS {name}" for name in times]
    group = ", ".join(str(number + 1) for number in range(len(names)))
    return f"SELECT {', '.join([*names, *measures, *lists])} FROM {source} WHERE {where} GROUP BY {group}"  # noqa: S608 ours


WHO_AND_WHAT = ("alike", "by_hour", "by_value")  # in order; the cap on end users and values goes by these
OF_THOSE = ("by_day", "by_total")  # likewise


def condensed(requests: str) -> dict[str, str]:
    """What roll-ups are sums of: by name, a SELECT from the table `requests`, or from others of these before it."""
    values = "alike CROSS JOIN LATERAL jsonb_each_text(properties) AS property (name, value)"
    return {
        "alike": _counted((*HOURS.keys, "properties"), requests),
        "by_hour": _summed((*HOURS.keys, "day"), "alike"),
        "by_value": _summed((*PROPERTY_HOURS.keys, "day"), values, times=OF_VALUES),
        "by_day": _summed(DAYS.keys, "by_hour"),
        "by_total": _summed(DAY_TOTALS.keys, "by_day"),
    }


def sums(rollup: Rollup, where: str = "TRUE") -> str:
    """SELECT: the rows of a roll-up that the requests make, where it is of an hour or day that `where` names."""
    if rollup in (HOURS, DAYS, DAY_TOTALS, PROPERTY_HOURS):  # what is condensed has a row for each
        summed = f"SELECT * FROM {rollup.source} WHERE {where}"  # noqa: S608 ours
    else:
        summed = _summed(rollup.keys, rollup.source, where, rollup.times)
    columns = [f"{counted(name)} AS {name}" if name in TIMES else name for name in (*rollup.keys, *rollup.measures)]
    return f"SELECT {', '.join(columns)} FROM ({summed}) AS summed"  # noqa: S608 ours


def add(rollup: Rollup, where: str = "TRUE") -> str:
    """INSERT: add the requests to a roll-up.

    In the order of the keys: whoever else adds to the same rows waits, and none waits in a circle.
    """
    table = rollup.table
    added = [f"{name} = {table}.{name} + excluded.{name}" for name in SUMS]
    added += [f"{name} = {pick}({table}.{name}, excluded.{name})" for name, (_, pick) in EXTREMES.items()]
    added += [f"{name} = {merged(f'{table}.{name}', f'excluded.{name}')}" for name in rollup.times]
    keys = ", ".join(rollup.keys)
    return (
        f"INSERT INTO {table} ({keys}, {', '.join(rollup.measures)}) {sums(rollup, where)} ORDER BY {keys} "
        f"ON CONFLICT ({keys}) DO UPDATE SET {', '.join(added)}"
    )
