"""Usage by something, the most of any measure first."""

from django.db.models import F

from apps.usage.queries.figures import Figures, Scope, figure_sums
from apps.usage.queries.grouped_series import By
from apps.usage.queries.groups import Group
from apps.usage.queries.measures import measured


def ranked(scope: Scope, by: By, measure: str, *, most: int) -> list[Group]:
    """The groups that have the most of it, and how much; those of which it isn't known last, equals by name.

    measure: one of MEASURES; raises ValueError for another.
    """
    sums = by.rows(scope).values(group=F(by.column)).annotate(**figure_sums(), by_measure=measured(measure))
    rows = sums.order_by(F("by_measure").desc(nulls_last=True), F("group").asc(nulls_last=True))[:most]
    return [Group(row["group"], Figures.of(row)) for row in rows]
