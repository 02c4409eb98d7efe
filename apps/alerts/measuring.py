"""What a rule measures: over hours and days out of the roll-ups, over less out of the requests themselves.

Roll-ups know no less than an hour. A window shorter than that is read from the requests, by the index on
their time: at most that many minutes of them. A longer one begins and, in the past, ends within an hour (from
three days on: within a day); that one counts by the part of it that lies in the window, as if its calls were
spread over it evenly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import (
    Aggregate,
    Case,
    Count,
    DecimalField,
    F,
    FloatField,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from apps.alerts.models import AlertRule
from apps.alerts.terms import MOST_GROUPS, PERCENTILES, Direction, Grouping, Metric
from apps.usage.models import (
    DailyPropertyUsage,
    DailyTotal,
    DailyUsage,
    HourlyPropertyUsage,
    HourlyUsage,
    Request,
    Result,
)
from apps.usage.queries.figures import INPUT_COLUMNS, OUTPUT_COLUMNS
from apps.usage.queries.latency import Times, percentiles_of_rows
from apps.usage.queries.periods import midnight

HOUR = timedelta(hours=1)
LONG = timedelta(days=3)
UNFINISHED = (Result.REFUSED, Result.UNFINISHED)  # they have no latency
WEIGHT = DecimalField(max_digits=20, decimal_places=12)
AMOUNT = DecimalField(max_digits=40, decimal_places=12)

GROUP_COLUMNS: dict[str, tuple[str, ...]] = {  # an end user is one of a customer: two of a name are two
    Grouping.NONE: (),
    Grouping.CUSTOMER: ("customer_id",),
    Grouping.KEY: ("customer_id", "proxy_key_id"),
    Grouping.USER: ("customer_id", "end_user"),
    Grouping.MODEL: ("model_name",),
    Grouping.PROPERTY: ("property_value",),
}
Group = tuple[Any, ...]
SUMS: dict[tuple[str, bool], Any] = {  # by unit, and whether end users have to be told apart
    ("hour", False): HourlyUsage,
    ("hour", True): HourlyUsage,
    ("day", False): DailyTotal,
    ("day", True): DailyUsage,
}
PROPERTY_SUMS: dict[str, Any] = {"hour": HourlyPropertyUsage, "day": DailyPropertyUsage}


class Percentile(Aggregate):
    """The value that a share of all is at or below."""

    name = "Percentile"
    template = "percentile_disc(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True)
class Measured:
    """Of one group in one window."""

    value: Decimal | None
    requests: int


@dataclass(frozen=True)
class Window:
    """From `since` up to, not including, `until`."""

    since: datetime
    until: datetime

    @property
    def is_long(self) -> bool:
        """Whether it is made up of days."""
        return self.until - self.since >= LONG

    @property
    def is_short(self) -> bool:
        return self.until - self.since < HOUR

    def moved(self, by: timedelta) -> "Window":
        return Window(self.since + by, self.until + by)


def window_of(rule: AlertRule, at: datetime) -> Window:
    """The window that ends at `at`."""
    return Window(at - timedelta(minutes=rule.window_minutes), at)


def measure(
    rule: AlertRule, window: Window, *, at: datetime, only: list[Group] | None = None
) -> Mapping[Group, Measured]:
    """What the rule measures of each group that it looks at: those with the most of it, MOST_GROUPS at most.

    only: of these groups, however little was requested; else of those with the rule's least requests.
    """
    rows, sums = _of_requests(rule, window) if window.is_short else _of_sums(rule, window, at)
    columns = GROUP_COLUMNS[rule.group_by]
    if only is not None and columns:
        rows = rows.filter(**{f"{columns[-1]}__in": {group[-1] for group in only}})
    if rule.group_by == Grouping.USER:
        rows = rows.exclude(end_user=None)  # who isn't named is nobody
    if not columns:
        measured = {(): _measured(rule.metric, rows.aggregate(**sums))}
    else:
        measured = _by_group(rule, rows, sums, only)
    return measured if window.is_short or rule.metric not in PERCENTILES else _with_latencies(rule, rows, measured)


def _by_group(
    rule: AlertRule, rows: QuerySet[Any], sums: dict[str, Any], only: list[Group] | None
) -> Mapping[Group, Measured]:
    columns = GROUP_COLUMNS[rule.group_by]
    found = rows.values(*columns).annotate(**sums)
    if only is None:
        found = found.filter(sum_requests__gte=rule.min_requests)
        key = F(_ordering(rule.metric))
        found = found.order_by(key.desc(nulls_last=True) if rule.direction == Direction.ABOVE else key.asc())[
            :MOST_GROUPS
        ]
    else:
        found = found.order_by()
    return {tuple(row[column] for column in columns): _measured(rule.metric, row) for row in found}


def _with_latencies(
    rule: AlertRule, rows: QuerySet[Any], measured: Mapping[Group, Measured]
) -> Mapping[Group, Measured]:
    """Percentiles within 5 %, out of the histograms of whole hours or days: those at the edges are in it whole."""
    columns = GROUP_COLUMNS[rule.group_by]
    if columns:
        rows = rows.filter(**{f"{columns[-1]}__in": {group[-1] for group in measured}})
    times = percentiles_of_rows(rows, columns)

    def latency(group: Group) -> Decimal | None:
        found = times.get(group, Times()).latency
        told = found.p50 if rule.metric == Metric.LATENCY_P50 else found.p95
        return None if told is None else Decimal(str(told))

    return {group: Measured(latency(group), found.requests) for group, found in measured.items()}


def hour_of(at: datetime, zone: ZoneInfo) -> datetime:
    """The beginning of the hour of the zone that `at` lies in, as the roll-ups have it."""
    local = at.astimezone(zone)
    return local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)


def _of_requests(rule: AlertRule, window: Window) -> tuple[QuerySet[Any], dict[str, Any]]:
    rows: QuerySet[Any] = Request.objects.filter(
        organization_id=rule.organization_id, started_at__gte=window.since, started_at__lt=window.until
    )
    rows = rows.annotate(model_name=Coalesce("alias", "model_served") if rule.is_customers else F("model_served"))
    if rule.property_name:
        rows = rows.annotate(property_value=KeyTextTransform(rule.property_name.lower(), "properties"))
        rows = rows.exclude(property_value=None)
    ended = ~Q(result__in=UNFINISHED)
    sums: dict[str, Any] = {
        "sum_requests": Count("*"),
        "sum_refused": Count("id", filter=Q(result=Result.REFUSED)),
        "sum_errors": Count("id", filter=Q(result__in=[Result.FAILED, Result.UNFINISHED])),
        **{f"sum_{name}": Sum(columns) for name, columns in _amounts().items()},
    }
    if rule.metric in PERCENTILES:
        sums["sum_latency"] = Percentile("latency_ms", share=PERCENTILES[Metric(rule.metric)], filter=ended)
    return _filtered(rule, rows), sums


def _of_sums(rule: AlertRule, window: Window, at: datetime) -> tuple[QuerySet[Any], dict[str, Any]]:
    """Out of the roll-ups by the hour, or, for long windows, by the day."""
    zone = ZoneInfo(rule.organization.time_zone)
    unit = "day" if window.is_long else "hour"
    first, last = _span_of(window.since, unit, zone), _span_of(window.until, unit, zone)
    within = {"organization_id": rule.organization_id, f"{unit}__gte": first.since, f"{unit}__lt": window.until}
    rows: QuerySet[Any]
    if rule.property_name:
        rows = PROPERTY_SUMS[unit].objects.filter(**within, name=rule.property_name.lower())
        rows = rows.annotate(property_value=F("value"))
    else:
        needs_users = rule.group_by == Grouping.USER or bool(rule.end_user)
        rows = SUMS[unit, needs_users].objects.filter(**within)
        rows = rows.annotate(model_name=F("sold_as" if rule.is_customers else "model"))
    parts = [When(**{unit: first.since}, then=_share(window.since, first.until, first))]
    if window.until < at:  # else all there is of the last one is in the window
        parts.append(When(**{unit: last.since}, then=_share(last.since, window.until, last)))
    weight = Case(*parts, default=Value(Decimal(1)), output_field=WEIGHT)

    def weighed(columns: Any) -> Any:
        return Sum(columns * weight, output_field=AMOUNT)

    sums = {
        "sum_requests": weighed(F("requests")),
        "sum_refused": weighed(F("refused")),
        "sum_errors": weighed(F("failed") + F("unfinished")),
        **{f"sum_{name}": weighed(columns) for name, columns in _amounts().items()},
    }
    return _filtered(rule, rows), sums


def _span_of(at: datetime, unit: str, zone: ZoneInfo) -> Window:
    """The hour or day of the zone that `at` lies in, as the roll-ups have it."""
    if unit == "hour":
        since = hour_of(at, zone)
        return Window(since, since + HOUR)
    day = at.astimezone(zone).date()
    begins, ends = midnight(day, zone), midnight(day + timedelta(days=1), zone)
    return Window(begins.astimezone(UTC), ends.astimezone(UTC))


def _share(since: datetime, until: datetime, span: Window) -> Value:
    """How much of the span lies between the two."""
    return Value(Decimal((until - since) / (span.until - span.since)).quantize(Decimal("1e-12")))


def _filtered(rule: AlertRule, rows: QuerySet[Any]) -> QuerySet[Any]:
    if rule.customer_id is not None:
        rows = rows.filter(customer_id=rule.customer_id)
    if rule.end_user:
        rows = rows.filter(end_user=rule.end_user)
    if rule.property_name:
        return rows.filter(property_value=rule.property_value) if rule.property_value else rows
    if rule.model:
        rows = rows.filter(model_name=rule.model)
    return rows.filter(proxy_key_id=rule.proxy_key_id) if rule.proxy_key_id else rows


def _amounts() -> dict[str, Any]:
    """What is summed besides counts: in a request and in an hour, the columns have the same names."""
    return {
        "price": F("price"),
        "cost": F("cost"),
        "input_tokens": _added(INPUT_COLUMNS),
        "output_tokens": _added(OUTPUT_COLUMNS),
        "cache_read_tokens": F("cache_read_tokens"),
        "reasoning_tokens": F("reasoning_tokens"),
    }


def _added(columns: tuple[str, ...]) -> Any:
    first, *rest = columns
    total: Any = F(first)
    for column in rest:
        total += F(column)
    return total


def _ordering(metric: str) -> str:
    """The sum by which the groups that matter come first."""
    return {
        **dict.fromkeys(PERCENTILES, "sum_requests"),
        Metric.ERROR_RATE: "sum_errors",
        Metric.MARGIN: "sum_price",
        Metric.TOKENS: "sum_input_tokens",
    }.get(Metric(metric), f"sum_{metric}")


def _measured(metric: str, row: Mapping[str, Any]) -> Measured:
    """The metric, from its sums. A group without requests has none of anything, and no rate or latency."""

    def summed(name: str) -> Decimal:
        return Decimal(row[f"sum_{name}"] or 0)

    value: Decimal | None
    requests = summed("requests")
    if metric in PERCENTILES:
        latency = row.get("sum_latency")  # none in the sums of hours: see _with_latencies
        value = None if latency is None else Decimal(latency)
    elif metric == Metric.ERROR_RATE:
        answered = requests - summed("refused")
        value = 100 * summed("errors") / answered if answered else None
    elif metric == Metric.MARGIN:
        value = summed("price") - summed("cost")
    elif metric == Metric.TOKENS:
        value = summed("input_tokens") + summed("output_tokens")
    else:
        value = summed(metric)
    return Measured(value, round(requests))
