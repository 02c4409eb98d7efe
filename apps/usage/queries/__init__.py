"""Every figure of every page, command and export: asked here, once, of the roll-ups."""

from apps.usage.queries.figures import ANY, Figures, Scope
from apps.usage.queries.groups import (
    Dimension,
    Group,
    by_customer,
    grouped_by,
    grouped_by_property,
    property_names,
    totals,
)
from apps.usage.queries.latency import Percentiles, Times, percentiles, percentiles_by, percentiles_of_users
from apps.usage.queries.periods import PERIODS, Period, named_period
from apps.usage.queries.refusals import Refusals, refusals
from apps.usage.queries.requests import Page, recent_requests
from apps.usage.queries.series import Point, over_time
from apps.usage.queries.users import UserFilter, UserKey, UserPage, UserRow, users

__all__ = [
    "ANY",
    "PERIODS",
    "Dimension",
    "Figures",
    "Group",
    "Page",
    "Percentiles",
    "Period",
    "Point",
    "Refusals",
    "Scope",
    "Times",
    "UserFilter",
    "UserKey",
    "UserPage",
    "UserRow",
    "by_customer",
    "grouped_by",
    "grouped_by_property",
    "named_period",
    "over_time",
    "percentiles",
    "percentiles_by",
    "percentiles_of_users",
    "property_names",
    "recent_requests",
    "refusals",
    "totals",
    "users",
]
