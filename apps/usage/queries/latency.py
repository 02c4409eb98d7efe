"""How long calls took, and how long until their first token: percentiles out of the histograms of the roll-ups."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import BigIntegerField, F, QuerySet, TextField, Value
from django.db.models.functions import Cast

from apps.usage.histograms import COUNT, SHIFT, percentile
from apps.usage.queries.figures import Scope
from apps.usage.queries.groups import COLUMNS, Dimension


class Percentiles(NamedTuple):
    """In milliseconds, each within 5 % of some request's. None: there are no such requests."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    requests: int = 0  # of how many


class Times(NamedTuple):
    """Of some requests; those that we refused, or whose end is not known, have no latency."""

    latency: Percentiles = Percentiles()
    first_token: Percentiles = Percentiles()


Buckets = list[tuple[int, int]]


def percentiles(scope: Scope) -> Times:
    """Of all requests in the scope together."""
    return _times(scope.sum_rows().annotate(value=Value(None, TextField()))).get(None, Times())


def percentiles_by(
    scope: Scope, dimension: Dimension, values: Collection[UUID | str | None] | None = None
) -> dict[UUID | str | None, Times]:
    """For each value of a dimension that occurs; values: only of these, as of the rows that a page shows."""
    column = COLUMNS[dimension]
    rows = scope.sum_rows(dimension)
    if values is not None:
        named = [value for value in values if value is not None]
        wanted = rows.filter(**{f"{column}__in": named})
        rows = wanted if len(named) == len(values) else wanted | rows.filter(**{column: None})
    return _times(rows.annotate(value=F(column)))


def percentiles_of_users(
    scope: Scope, users: Collection[tuple[UUID, str | None]]
) -> dict[tuple[UUID, str | None], Times]:
    """For each of these end users; a name is one of a customer's."""
    rows = _rows_of_users(scope, users).annotate(value=Cast("customer_id", TextField()), other=F("end_user"))
    found = _times(rows, "other")
    return {(customer_id, name): found.get((str(customer_id), name), Times()) for customer_id, name in users}


def latency_in(
    rows: QuerySet[Any], users: Collection[tuple[UUID, str | None]]
) -> dict[tuple[UUID, str | None], Percentiles]:
    """The same of rows that have them, without the times to the first token: one query."""
    found = _buckets(rows, "latencies", ("customer_id", "end_user"))
    return {key: _percentiles(found.get(key, [])) for key in map(tuple, users)}


def latency_and_parts(scope: Scope, dimension: Dimension) -> tuple[Percentiles, dict[UUID | str | None, Percentiles]]:
    """Of all requests in the scope together, and of each value of a dimension: one query."""
    parts = _buckets(scope.sum_rows(dimension), "latencies", (COLUMNS[dimension],))
    whole: Counter[int] = Counter()
    for buckets in parts.values():
        whole.update(dict(buckets))
    return _percentiles(sorted(whole.items())), {value: _percentiles(buckets) for value, buckets in parts.items()}


def latency_of_values(scope: Scope, name: str, values: Collection[str]) -> dict[str, Percentiles]:
    """For each of these values of a property: of whole days, else not known."""
    if not values or not scope.is_of_days:
        return {}
    found = _buckets(scope.property_rows(name).filter(value__in=values), "latencies", ("value",))
    return {value: _percentiles(buckets) for value, buckets in found.items()}


def _rows_of_users(scope: Scope, users: Collection[tuple[UUID, str | None]]) -> QuerySet[Any]:
    rows = scope.sum_rows("user").filter(customer_id__in={customer_id for customer_id, _ in users})
    names = {name for _, name in users if name is not None}
    of_these = rows.filter(end_user__in=names)
    if any(name is None for _, name in users):
        of_these |= rows.filter(end_user=None)
    return of_these


def percentiles_of_rows(rows: QuerySet[Any], columns: Sequence[str]) -> dict[tuple[Any, ...], Times]:
    """Of any rows with histograms, by the values of up to two of their columns (none: of all together)."""
    first, *others = columns or [None]
    rows = rows.annotate(value=F(first) if first else Value(None, TextField()))
    if not others:
        return {((key,) if first else ()): times for key, times in _times(rows).items()}
    return _times(rows.annotate(other=F(others[0])), "other")


def _times(rows: QuerySet[Any], *more: str) -> dict[Any, Times]:
    """By the annotation `value`, and `more` of them."""
    both = [_buckets(rows, column, ("value", *more)) for column in ("latencies", "first_token_times")]
    keys = dict.fromkeys((*both[0], *both[1]))
    return {key: Times(*(_percentiles(found.get(key, [])) for found in both)) for key in keys}


def _buckets(rows: QuerySet[Any], column: str, names: tuple[str, ...]) -> dict[Any, Buckets]:
    """By the values of fields or annotations: of one, by itself; of several, as a tuple."""
    counts = Cast(column, ArrayField(BigIntegerField()))
    query, values = rows.order_by().values_list(*names, counts).query.sql_with_params()
    keys = ", ".join(names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {keys}, c >> {SHIFT}, sum(c & {COUNT})::bigint FROM ({query}) AS kept ({keys}, counts), "  # noqa: S608 ours
            f"unnest(counts) AS c GROUP BY {keys}, c >> {SHIFT} ORDER BY c >> {SHIFT}",
            values,
        )
        rows_found = cursor.fetchall()
    found: dict[Any, Buckets] = {}
    for *key, bucket, count in rows_found:
        found.setdefault(tuple(key) if len(names) > 1 else key[0], []).append((bucket, count))
    return found


def _percentiles(buckets: Buckets) -> Percentiles:
    p50, p95, p99 = (percentile(buckets, share) for share in (0.5, 0.95, 0.99))
    return Percentiles(p50, p95, p99, sum(count for _, count in buckets))
