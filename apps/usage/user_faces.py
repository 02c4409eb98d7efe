"""The users' table as the console and the portal both show it: chosen by a form, ordered, paged, and as CSV."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import QueryDict, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.customers.models import Customer, EndUser
from apps.kit.sparks import Spark, sparkline
from apps.usage.cardinality import OTHER
from apps.usage.queries import Scope, property_names
from apps.usage.queries.groups import models_used, properties_used
from apps.usage.queries.measures import rounded
from apps.usage.queries.snapshot_users import every_user_of, users_of
from apps.usage.queries.users import ExportedUser, UserKey, UserPage, UserRow, every_user, users
from apps.usage.ranges import PeriodChoice, Range, chosen_range
from apps.usage.snapshots import kept_if_slow, snapshot_to_show
from apps.usage.tables import csv_lines
from apps.usage.user_filter import UsersFilter

PAGE = 50
MOST_MODELS = 200
UrlOf = Callable[[UserKey], str]  # of a user's page


class Column(NamedTuple):
    """A column of the table: by what it is ordered, and what it says."""

    order: str
    label: Any
    is_number: bool = True
    help: Any = ""


COLUMNS = (
    Column("user", _("User"), is_number=False),
    Column("customer", _("Customer"), is_number=False),
    Column("growth", _("Trend"), is_number=False, help=_("Requests by the day. Ordered by second half less first")),
    Column("requests", _("Requests")),
    Column("cost", _("Cost")),
    Column("price", _("Price")),
    Column("margin", _("Margin")),
    Column("active_days", _("Active days"), help=_("Days with a request")),
    Column("requests_per_active_day", _("A day"), help=_("Requests let in, by active day")),
    Column("tokens_per_request", _("Tokens each"), help=_("Tokens by request that was let in")),
    Column("input_tokens", _("Tokens in")),
    Column("output_tokens", _("Tokens out")),
    Column("cost_per_request", _("Cost each"), help=_("By request whose cost is known")),
    Column("error_rate", _("Errors"), help=_("Of the requests that were let in")),
    Column("refused", _("Refused"), help=_("By limits and rules, before a provider was called")),
    Column("latency_p50_ms", _("Latency"), help=_("Half of the requests took at most this long")),
    Column("latency_p95_ms", _("p95"), help=_("95% of the requests took at most this long")),
    Column("first_at", _("First active")),
    Column("last_at", _("Last active")),
)
OPERATORS = frozenset(("customer", "cost", "margin", "cost_per_request"))
CUSTOMERS = {  # in the place of what they don't see
    "price": Column("price", _("Spend")),
    "cost_per_request": Column("price_per_request", _("Spend each"), help=_("By request whose price is known")),
}
SPREAD_BY = ("customer", "model", "period", "since", "until")  # what a page of distributions is narrowed by
EXPORTED = (
    "customer",
    "user",
    "first_active",
    "last_active",
    "active_days",
    "requests",
    "refused",
    "requests_per_active_day",
    "tokens_per_request",
    "input_tokens",
    "output_tokens",
    "cost",
    "price",
    "margin",
    "cost_per_request",
    "price_per_request",
    "error_rate",
    "average_latency_ms",
    "latency_p50_ms",
    "latency_p95_ms",
    "unpriced",
)


class Header(NamedTuple):
    """A column's head: the link that orders by it."""

    label: Any
    query: str
    is_number: bool
    help: Any
    sorted: str  # "ascending", "descending", or ""


class ShownUser(NamedTuple):
    """A user, as a row of the table."""

    row: UserRow
    customer: str
    url: str
    trend: Spark
    is_blocked: bool

    @property
    def is_other(self) -> bool:
        """Whether it is all those together that had no room of their own on a day."""
        return self.row.end_user == OTHER


@dataclass(frozen=True)
class UserTable:
    """The table, and what stands around it."""

    form: UsersFilter
    chosen: Range
    headers: list[Header]
    rows: list[ShownUser]
    total: int
    first: int  # the number of the first row that is shown
    last: int
    previous: str | None  # the query strings of the pages beside this one
    next: str | None
    order: str
    query: str  # of this table in this order, from its first page
    cleared: str  # likewise, of all users
    periods: list[PeriodChoice]
    spreads_query: str  # likewise, of how its users are spread
    models: list[str]  # that can be chosen
    as_of: datetime | None  # in the organization's zone; None: as of now

    @property
    def is_narrowed(self) -> bool:
        return bool(self.form.asked())

    @property
    def has_others(self) -> bool:
        return any(user.is_other for user in self.rows)


def columns_for(customer: Customer | None) -> list[Column]:
    """customer: whose portal it is; None: the console."""
    if customer is None:
        return list(COLUMNS)
    shown = [CUSTOMERS.get(column.order, column) for column in COLUMNS]
    return [column for column in shown if column.order not in OPERATORS]


def user_table(
    asked: QueryDict, organization: Organization, customer: Customer | None, *, at: datetime, url: UrlOf
) -> UserTable:
    """A page of it. A form that makes no sense shows nothing, and says why."""
    chosen, form, order = chosen_users(asked, organization, customer, at)
    number = _number(asked.get("page"))
    found, as_of = UserPage([], 0), None
    if form.is_valid():
        found, as_of = _found(form, organization, chosen, order, number, at)
    everything = form.asked() | chosen.query()

    def query(**changes: str) -> str:
        return urlencode(everything | {"sort": order} | changes)

    first = (number - 1) * PAGE
    return UserTable(
        form,
        chosen,
        [_header(column, order, query) for column in columns_for(customer)],
        _shown(found, form.names, url, chosen),
        found.total,
        first + 1,
        first + len(found.rows),
        query(page=str(number - 1)) if number > 1 else None,
        query(page=str(number + 1)) if found.total > number * PAGE else None,
        order,
        query(),
        urlencode(chosen.query() | {"sort": order}),
        chosen.choices(form.asked() | {"sort": order}),
        urlencode({name: value for name, value in everything.items() if name in SPREAD_BY}),
        _models(organization, customer, chosen),
        as_of,
    )


def _found(
    form: UsersFilter, organization: Organization, chosen: Range, order: str, number: int, at: datetime
) -> tuple[UserPage, datetime | None]:
    """A page of users, and as of when; None: as of now."""
    asked, narrowed, offset = form.in_snapshot(organization, chosen), form.narrowed(), (number - 1) * PAGE
    if snapshot := snapshot_to_show(asked, at=at):
        page = users_of(snapshot, order=order, narrowed=narrowed, limit=PAGE, offset=offset)
        return page, snapshot.as_of_in(chosen.zone)
    with kept_if_slow(asked):
        page = users(asked.scope, chosen.zone, order=order, narrowed=narrowed, limit=PAGE, offset=offset)
    return page, None


def users_csv(
    asked: QueryDict, organization: Organization, customer: Customer | None, *, at: datetime
) -> StreamingHttpResponse:
    """All users that are chosen, in the table's order, as a file that is written while it is read. Times are in UTC."""
    chosen, form, order = chosen_users(asked, organization, customer, at)
    rows: Iterator[dict[str, object]] = iter(())
    if form.is_valid():
        snapshot = snapshot_to_show(form.in_snapshot(organization, chosen), at=at)
        if snapshot:  # as on the page that it is asked from
            found = every_user_of(snapshot, order=order, narrowed=form.narrowed())
        else:
            found = every_user(form.scope(organization, chosen), chosen.zone, order=order, narrowed=form.narrowed())
        rows = (_cells(user, form.names) for user in found)
    hidden = OPERATORS if customer else frozenset()
    columns = [name for name in EXPORTED if name not in hidden]
    response = StreamingHttpResponse(csv_lines(columns, rows), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="users.csv"'
    return response


def chosen_users(
    asked: QueryDict, organization: Organization, customer: Customer | None, at: datetime
) -> tuple[Range, UsersFilter, str]:
    """The days, the form and the order that a query string asks for."""
    chosen = chosen_range(asked.dict(), at, ZoneInfo(organization.time_zone))
    order, orders = asked.get("sort", ""), {column.order for column in columns_for(customer)}
    if order.removeprefix("-") not in orders:
        order = "-price" if customer else "-cost"
    return chosen, UsersFilter(asked, organization, customer, _properties(organization, customer, chosen)), order


def _properties(organization: Organization, customer: Customer | None, chosen: Range) -> list[str]:
    """Those that can be chosen: a customer doesn't see which ones others have."""
    if customer is None:
        return property_names(organization)
    return properties_used(Scope(organization.pk, *chosen.period, customer_id=customer.pk))


def _header(column: Column, order: str, query: Callable[..., str]) -> Header:
    """A first click shows the largest on top, of names the first; the next one turns it around."""
    falling, rising = f"-{column.order}", column.order
    usual, other = (falling, rising) if column.is_number or column.order == "growth" else (rising, falling)
    sort = other if order == usual else usual
    state = {falling: "descending", rising: "ascending"}.get(order, "")
    return Header(column.label, query(sort=sort), column.is_number, column.help, state)


def _shown(found: UserPage, names: dict[UUID, str], url: UrlOf, chosen: Range) -> list[ShownUser]:
    whose = {row.customer_id for row in found.rows}
    known = EndUser.objects.filter(customer__in=whose, name__in=[row.end_user for row in found.rows if row.end_user])
    blocked = set(known.exclude(blocked_at=None).values_list("customer_id", "name"))
    return [
        ShownUser(row, names.get(row.customer_id, ""), url(row.key), _trend(row, chosen), row.key in blocked)
        for row in found.rows
    ]


def _trend(row: UserRow, chosen: Range) -> Spark:
    return sparkline([(day.toordinal() - chosen.first.toordinal(), count) for day, count in row.days], chosen.days)


def _models(organization: Organization, customer: Customer | None, chosen: Range) -> list[str]:
    scope = Scope(organization.pk, *chosen.period, customer_id=customer.pk if customer else None)
    return models_used(scope, "sold_as" if customer else "model", most=MOST_MODELS)


def _number(text: str | None) -> int:
    return max(1, min(int(text), 10**6)) if text and text.isascii() and text.isdigit() and len(text) < 8 else 1


def _cells(user: ExportedUser, names: dict[UUID, str]) -> dict[str, object]:
    figures = user.figures
    values: dict[str, object] = {
        "customer": names.get(user.key.customer_id, ""),
        "user": user.key.end_user,
        "first_active": figures.first_at.astimezone(UTC) if figures.first_at else None,
        "last_active": figures.last_at.astimezone(UTC) if figures.last_at else None,
        "active_days": user.active_days,
        "requests_per_active_day": user.requests_per_active_day,
        "latency_p50_ms": user.latency.p50,
        "latency_p95_ms": user.latency.p95,
    }
    values |= {name: getattr(figures, name) for name in EXPORTED if name not in values}
    return {name: rounded(name, value) for name, value in values.items()}
