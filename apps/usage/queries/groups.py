"""Usage by something: customer, user, model, key, provider, or the value of a property."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, F, Func, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast, Coalesce

from apps.accounts.models import Organization
from apps.usage.models import PropertyName
from apps.usage.queries.figures import Figures, Scope, figure_sums, summed

Dimension = Literal["customer", "user", "model", "sold_as", "key", "provider"]
COLUMNS: dict[Dimension, str] = {
    "customer": "customer_id",
    "user": "end_user",
    "model": "model",  # as the provider calls it: not for customers' eyes
    "sold_as": "sold_as",
    "key": "proxy_key_id",
    "provider": "provider",
}


class Group(NamedTuple):
    """What was used under one value of a dimension. None: the requests that name no user."""

    value: UUID | str | None
    figures: Figures


def totals(scope: Scope) -> Figures:
    """All of the scope together."""
    return summed(scope.sum_rows())


def grouped_by(
    scope: Scope, dimension: Dimension, *, order: str = "-price", limit: int | None = None, offset: int = 0
) -> list[Group]:
    """A group for each value that occurs, ordered by a sum of Figures ("-" before it: largest first)."""
    rows, column = scope.sum_rows(dimension), COLUMNS[dimension]
    if limit is None or dimension != "customer":
        return _groups(rows, column, order, limit, offset)
    # There may be so many that just those on a page are added up.
    ordered = _in_order(rows.values(group=F(column)), order)
    shown = [group for group, _ in ordered.values_list("group", "ordered_by")[offset : offset + limit]]
    found = {group.value: group for group in _groups(rows.filter(**{f"{column}__in": shown}), column, order, None, 0)}
    return [found[value] for value in shown]


def tops(scope: Scope, *dimensions: Dimension, limit: int) -> dict[Dimension, list[Group]]:
    """As `grouped_by` of each, the dearest of them, in one query."""
    each = [
        _in_order(
            _dearest_rows(scope, dimension, limit).values(
                of=Value(dimension, TextField()), group=Cast(COLUMNS[dimension], TextField())
            ),
            "-price",
        ).annotate(**figure_sums())[:limit]
        for dimension in dimensions
    ]
    found: dict[Dimension, list[Group]] = {dimension: [] for dimension in dimensions}
    for row in each[0].union(*each[1:], all=True):
        is_id = row["group"] is not None and COLUMNS[row["of"]].endswith("_id")
        found[row["of"]].append(Group(UUID(row["group"]) if is_id else row["group"], Figures.of(row)))
    return {dimension: sorted(groups, key=_dearest) for dimension, groups in found.items()}


class _IsOneOf(Func):
    """Whether an array has it: unlike the rows of a subquery, these are looked up in an index."""

    arity = 2
    template = "(%(expressions)s))"
    arg_joiner = " = ANY("
    output_field = BooleanField()


def _dearest_rows(scope: Scope, dimension: Dimension, limit: int) -> QuerySet[Any]:
    """The rows of at least the `limit` dearest: of users there may be so many that all sums of just these are made."""
    rows = scope.sum_rows(dimension)
    if dimension != "user":
        return rows
    named = _in_order(rows.exclude(end_user=None).values("end_user").annotate(group=F("end_user")), "-price")
    return rows.filter(Q(_IsOneOf("end_user", ArraySubquery(named.values("end_user")[:limit]))) | Q(end_user=None))


def _dearest(group: Group) -> tuple[Any, ...]:
    return -group.figures.price, group.value is None, str(group.value)


def grouped_by_property(
    scope: Scope, name: str, *, order: str = "-price", limit: int | None = None, offset: int = 0
) -> list[Group]:
    """A group for each value of a property. Requests without the property are in none of them."""
    return _groups(scope.property_rows(name), "value", order, limit, offset)


def property_names(organization: Organization) -> list[str]:
    """The properties that requests ever had, as first written."""
    names = PropertyName.objects.filter(organization=organization).order_by("name")
    return list(names.values_list("label", flat=True))


def properties_used(scope: Scope, *, most: int = 100) -> list[str]:
    """The properties that requests in the scope have, as first written: what a customer may know of."""
    used = list(scope.all_property_rows().values_list("name", flat=True).distinct().order_by("name")[:most])
    labels = _labels(scope, used)
    return [labels.get(name, name) for name in used]


def by_every_property(scope: Scope, *, most: int = 100) -> dict[str, list[Group]]:
    """For each property, by its name as first written, a group for each value; the `most` dearest values of all."""
    names = PropertyName.objects.filter(organization_id=scope.organization_id, name=OuterRef("name"))
    rows = scope.all_property_rows().values("name", "value").annotate(**figure_sums())
    rows = rows.annotate(label=Coalesce(Subquery(names.values("label")[:1]), F("name")))
    found: dict[str, list[Group]] = {}
    for row in rows.order_by("-sum_price", "-sum_requests", "name", "value")[:most]:
        found.setdefault(row["label"], []).append(Group(row["value"], Figures.of(row)))
    return {label: found[label] for label in sorted(found, key=str.lower)}


def _labels(scope: Scope, names: Iterable[str]) -> dict[str, str]:
    known = PropertyName.objects.filter(organization_id=scope.organization_id, name__in=list(names))
    return dict(known.values_list("name", "label"))


def models_used(scope: Scope, column: Literal["model", "sold_as"], *, most: int) -> list[str]:
    """The models that requests in the scope have, as the operator or as customers know them."""
    return list(scope.sum_rows(column).values_list(column, flat=True).distinct().order_by(column)[:most])


def by_customer(
    organization: Organization, customer_ids: Iterable[UUID], since: datetime, until: datetime
) -> dict[UUID, Figures]:
    """The figures of each of these customers, in one query; zeros for those without requests."""
    wanted = list(customer_ids)
    scope = Scope(organization.pk, since, until)
    rows = scope.sum_rows("customer").filter(customer_id__in=wanted).values("customer_id")
    rows = rows.annotate(**figure_sums()).order_by()
    return dict.fromkeys(wanted, Figures()) | {row["customer_id"]: Figures.of(row) for row in rows}


def _groups(rows: QuerySet[Any], column: str, order: str, limit: int | None, offset: int) -> list[Group]:
    groups = _in_order(rows.values(group=F(column)), order).annotate(**figure_sums())
    end = None if limit is None else offset + limit
    return [Group(row["group"], Figures.of(row)) for row in groups[offset:end]]


def _in_order(groups: QuerySet[Any], order: str) -> QuerySet[Any]:
    key = F("ordered_by")
    ordering = key.desc(nulls_last=True) if order.startswith("-") else key.asc(nulls_first=True)
    return groups.annotate(ordered_by=figure_sums()[f"sum_{order.removeprefix('-')}"]).order_by(ordering, "group")
