"""Usage as a table, for the command and for exports: a row for each customer, user, model, key, day or value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.keys.models import ProxyKey
from apps.usage.queries import Figures, Scope, grouped_by, grouped_by_property, over_time, totals
from apps.usage.queries.measures import rounded
from apps.usage.queries.users import every_user
from apps.usage.record import SENT_KEY

DIMENSIONS = ("customer", "user", "model", "key", "provider")
FIGURES = (
    "requests",
    "refused",
    "failed",
    "cancelled",
    "unfinished",
    "input_tokens",
    "cache_read_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost",
    "price",
    "unpriced",
    "estimated",
    "average_latency_ms",
    "average_first_token_ms",
)

OF_FIGURES = ("first_at", "last_at", "tokens_per_request", "cost_per_request", "error_rate")  # more of users
OF_USERS = ("active_days", "requests_per_active_day")

Row = dict[str, object]


@dataclass(frozen=True)
class Report:
    """Rows that have the same columns, and their sum. Amounts are in USD."""

    columns: Sequence[str]
    rows: list[Row]
    total: Row


def usage_report(scope: Scope, by: str | None, *, organization: Organization) -> Report:
    """The usage in the scope by one of DIMENSIONS, "day" or "property:NAME"; None: one row, all together.

    Days are the organization's. Rows are ordered by price, days by date. Raises ValueError for another `by`.
    """
    zone = ZoneInfo(organization.time_zone)
    total = totals(scope)
    if by is None:
        return _report((), [({}, total)], total)
    if by == "day":
        points = over_time(scope, "day", zone)
        return _report(("day",), [({"day": point.start.date()}, point.figures) for point in points], total)
    kind, _, name = by.partition(":")
    if kind == "property" and name:
        groups = grouped_by_property(scope, name)
        return _report(("value",), [({"value": group.value}, group.figures) for group in groups], total)
    if by not in DIMENSIONS:
        raise ValueError(f"no such grouping: {by}")
    if by == "user":
        return _users(scope, zone, _customer_names(organization), total)
    groups = grouped_by(scope, by)
    if by in ("customer", "key"):
        names = _customer_names(organization) if by == "customer" else _key_names(organization)
        rows = [({by: group.value, "name": names.get(group.value, "")}, group.figures) for group in groups]
        return _report((by, "name"), rows, total)
    return _report((by,), [({by: group.value}, group.figures) for group in groups], total)


def _users(scope: Scope, zone: ZoneInfo, names: Mapping[object, str], total: Figures) -> Report:
    """A row for each user: a name at a customer."""
    rows = [
        {"user": user.key.end_user, **_figures(user.figures), "customer": names.get(user.key.customer_id, "")}
        | {name: rounded(name, getattr(user.figures, name)) for name in OF_FIGURES}
        | {name: getattr(user, name) for name in OF_USERS}
        | {"latency_p50_ms": user.latency.p50, "latency_p95_ms": user.latency.p95}
        for user in every_user(scope, zone, order="-price")
    ]
    columns = ("user", *FIGURES, "customer", *OF_FIGURES, *OF_USERS, "latency_p50_ms", "latency_p95_ms")
    return Report(columns, rows, _figures(total))


def _report(keys: Sequence[str], rows: Sequence[tuple[Row, Figures]], total: Figures) -> Report:
    columns = (*keys, *FIGURES)
    return Report(columns, [key | _figures(figures) for key, figures in rows], _figures(total))


def _figures(figures: Figures) -> Row:
    return {name: getattr(figures, name) for name in FIGURES}


def _customer_names(organization: Organization) -> Mapping[object, str]:
    return dict(Customer.objects.filter(organization=organization).values_list("pk", "name"))


def _key_names(organization: Organization) -> Mapping[object, str]:
    names: dict[object, str] = {SENT_KEY: "Sent by API"}
    return names | dict(ProxyKey.objects.filter(organization=organization).values_list("pk", "name"))
