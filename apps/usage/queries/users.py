"""End users: who they are, how much and how often they call, what they cost (docs/user-metrics.md, figure by figure).

A user is a name at a customer: the same name at two customers is two users, and the requests of a customer that
name nobody are a row of their own. Pages are made in two steps, so that many users cost little: one sum for all of
them, the one that they are ordered by; then all figures, of just those that are shown.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum, Window
from django.db.models.functions import Coalesce, TruncDay

from apps.customers.models import Customer
from apps.usage.queries.figures import Figures, Scope, figure_sums
from apps.usage.queries.latency import Percentiles, latency_in
from apps.usage.queries.measures import MEASURES, measured
from apps.usage.queries.periods import Period
from apps.usage.queries.users_by_latency import SHARES, ordered_by_latency

NO_FIGURES, UNKNOWN = Figures(), Percentiles()
AT_ONCE = 500  # of an export
FIRST, LAST = Min("first_at"), Max("last_at")


class UserKey(NamedTuple):
    """An end user of a customer. `end_user` None: those requests of it that name nobody."""

    customer_id: UUID
    end_user: str | None


@dataclass(frozen=True)
class UserFilter:
    """Which users, besides the scope. A property goes with no key, provider or model: the sums don't have both."""

    search: str = ""  # part of the name, whatever its case; requests that name nobody match nothing
    property: tuple[str, str] | None = None  # name and value; only their requests with it are counted
    min_cost: Decimal | None = None  # USD in the scope
    min_price: Decimal | None = None

    def rows(self, scope: Scope) -> QuerySet[Any]:
        """The rows of sums that are meant. Raises ValueError for what the sums cannot tell."""
        rows: QuerySet[Any]
        if self.property is None:
            rows = scope.sum_rows("user")
        elif any((scope.proxy_key_id, scope.provider, scope.model, scope.sold_as)):
            raise ValueError("by a property or by a model, not by both")
        else:
            name, value = self.property
            rows = scope.property_rows(name).filter(value=value)
        return rows.filter(end_user__icontains=self.search) if self.search else rows

    def has_latency(self, scope: Scope) -> bool:
        """Whether those rows have histograms: by a property, days have."""
        return self.property is None or scope.is_of_days


EVERYBODY = UserFilter()


@dataclass(frozen=True)
class UserRow:
    """An end user with its figures in a scope."""

    key: UserKey
    figures: Figures
    days: tuple[tuple[date, int], ...]  # those with a request, in order, with how many
    latency: Percentiles  # by a property, not known of hours

    @property
    def customer_id(self) -> UUID:
        return self.key.customer_id

    @property
    def end_user(self) -> str | None:
        return self.key.end_user

    @property
    def active_days(self) -> int:
        """Days of the organization's zone with a request, refused ones too."""
        return len(self.days)

    @property
    def requests_per_active_day(self) -> float | None:
        return self.figures.answered / self.active_days if self.active_days else None


class UserPage(NamedTuple):
    """Some users, and how many there are on all pages together."""

    rows: list[UserRow]
    total: int


def users(
    scope: Scope,
    zone: ZoneInfo,
    *,
    order: str = "-cost",
    narrowed: UserFilter = EVERYBODY,
    limit: int = 50,
    offset: int = 0,
) -> UserPage:
    """A page of the users who called in the scope.

    order: one of ORDERS, with "-" before it largest first. Users of which the figure isn't known come last either
    way; equals come by name. Raises ValueError for another.
    """
    found = _grouped(scope, narrowed)
    if order.removeprefix("-") in SHARES and narrowed.has_latency(scope):
        page = list(ordered_by_latency(found, narrowed.rows(scope), order, limit=limit, offset=offset))
    else:
        counted = found.annotate(users=Window(Count("*")))
        page = list(_put_in_order(counted, order, scope, zone)[offset : offset + limit])
    total = page[0]["users"] if page else (found.count() if offset else 0)
    return UserPage(user_rows(scope, zone, [_key(row) for row in page], narrowed=narrowed), total)


def user_rows(
    scope: Scope, zone: ZoneInfo, keys: Iterable[UserKey], *, narrowed: UserFilter = EVERYBODY
) -> list[UserRow]:
    """These users, in this order; zeros for one who didn't call in the scope."""
    keys = list(keys)
    rows = narrowed.rows(scope).filter(_any_of(keys)) if keys else None
    if rows is None:
        return []
    by_user = rows.values("customer_id", "end_user")
    sums = by_user.annotate(**figure_sums(), on=ArrayAgg(_day(scope, zone)), counts=ArrayAgg("requests")).order_by()
    found = {_key(row): (Figures.of(row), requests_on(row["on"], row["counts"], zone)) for row in sums}
    latencies = _latencies(scope, keys, narrowed)
    return [UserRow(key, *found.get(key, (NO_FIGURES, ())), latencies.get(key, UNKNOWN)) for key in keys]


def requests_on(days: Iterable[datetime], counts: Iterable[int], zone: ZoneInfo) -> tuple[tuple[date, int], ...]:
    """How many requests there were on each day, in order; of rows, of which a day has several."""
    found: dict[date, int] = {}
    for day, requests in sorted(zip(days, counts, strict=True)):
        on = day.astimezone(zone).date()
        found[on] = found.get(on, 0) + requests
    return tuple(found.items())


def _latencies(scope: Scope, keys: list[UserKey], narrowed: UserFilter) -> dict[UserKey, Percentiles]:
    """Of each; none where their sums have no histograms."""
    if not narrowed.has_latency(scope):
        return {}
    found = latency_in(narrowed.rows(scope).filter(_any_of(keys)), keys)
    return {UserKey(*key): latency for key, latency in found.items()}


def user_row(scope: Scope, zone: ZoneInfo, key: UserKey) -> UserRow:
    """One user."""
    return user_rows(scope, zone, [key])[0]


def requests_by_day(scope: Scope, period: Period, zone: ZoneInfo) -> dict[date, int]:
    """How many requests there were on each day of the period that has any; of scope, only whose they are counts."""
    scope = replace(scope, since=period.since, until=period.until)
    rows = scope.sum_rows().values(on=_day(scope, zone)).annotate(on_day=measured("requests")).order_by("on")
    return {row["on"].astimezone(zone).date(): row["on_day"] for row in rows}


class ExportedUser(NamedTuple):
    """As UserRow, for files: without its days."""

    key: UserKey
    figures: Figures
    active_days: int
    latency: Percentiles

    @property
    def requests_per_active_day(self) -> float | None:
        return self.figures.answered / self.active_days if self.active_days else None


def every_user(
    scope: Scope, zone: ZoneInfo, *, order: str = "-cost", narrowed: UserFilter = EVERYBODY
) -> Iterator[ExportedUser]:
    """All of them, one after the other, however many there are."""
    found = _grouped(scope, narrowed).annotate(**figure_sums(), sum_days=Count(_day(scope, zone), distinct=True))
    rows: Iterator[dict[str, Any]]
    if order.removeprefix("-") in SHARES and narrowed.has_latency(scope):
        rows = ordered_by_latency(found, narrowed.rows(scope), order)
    else:
        rows = _put_in_order(found, order, scope, zone).iterator(chunk_size=AT_ONCE)
    while some := list(islice(rows, AT_ONCE)):
        latencies = _latencies(scope, [_key(row) for row in some], narrowed)
        for row in some:
            yield ExportedUser(_key(row), Figures.of(row), row["sum_days"], latencies.get(_key(row), UNKNOWN))


def _grouped(scope: Scope, narrowed: UserFilter) -> QuerySet[Any]:
    """A row for each user, of those who cost enough."""
    found = narrowed.rows(scope).values("customer_id", "end_user").annotate(called=Count("*"))  # which groups them
    for name, least in (("cost", narrowed.min_cost), ("price", narrowed.min_price)):
        if least is not None:
            found = found.annotate(**{f"least_{name}": measured(name)}).filter(**{f"least_{name}__gte": least})
    return found


def _put_in_order(found: QuerySet[Any], order: str, scope: Scope, zone: ZoneInfo) -> QuerySet[Any]:
    by = F("ordered_by")
    first = by.desc(nulls_last=True) if order.startswith("-") else by.asc(nulls_last=True)
    return found.annotate(ordered_by=_order_of(order.removeprefix("-"), scope, zone)).order_by(
        first, "end_user", "customer_id"
    )


def _order_of(name: str, scope: Scope, zone: ZoneInfo) -> Any:
    """What users are ordered by, as SQL has it."""
    match name:
        case "user":
            return F("end_user")
        case "customer":
            return Subquery(Customer.objects.filter(pk=OuterRef("customer_id")).values("name"))
        case "first_at":
            return FIRST
        case "last_at":
            return LAST
        case "latency_p50_ms" | "latency_p95_ms":  # where they are not known, the average stands in
            return measured("average_latency_ms")
        case "growth":
            return growth(scope)
        case "active_days":
            return Count(_day(scope, zone), distinct=True)
        case "requests_per_active_day":
            return measured("answered") * 1.0 / Count(_day(scope, zone), distinct=True)
        case _ if name in MEASURES:
            return measured(name)
        case _:
            raise ValueError(f"no such order: {order_name(name)}")


def growth(scope: Scope) -> Any:
    """Requests of the second half of the scope, less those of the first."""
    middle = scope.since + (scope.until - scope.since) / 2
    then, now = Q(**{f"{scope.moment}__lt": middle}), Q(**{f"{scope.moment}__gte": middle})
    return Coalesce(Sum("requests", filter=now), 0) - Coalesce(Sum("requests", filter=then), 0)


def _day(scope: Scope, zone: ZoneInfo) -> Any:
    """When the day of a row begins."""
    return F("day") if scope.is_of_days else TruncDay("hour", tzinfo=zone)


def order_name(name: str) -> str:
    """As it is told to whoever asked for it."""
    return ascii(name[:40])


OTHER_ORDERS = ("user", "customer", "first_at", "last_at", "growth", "active_days", "requests_per_active_day")
ORDERS = frozenset((*OTHER_ORDERS, *SHARES, *MEASURES))


def _any_of(keys: list[UserKey]) -> Q:
    """All that is needed of these, and little more: what isn't asked for is left out afterwards."""
    named = [key.end_user for key in keys if key.end_user is not None]
    whose = Q(end_user__in=named)
    if len(named) < len(keys):
        whose |= Q(end_user=None)
    return whose & Q(customer_id__in={key.customer_id for key in keys})


def _key(row: dict[str, Any]) -> UserKey:
    return UserKey(row["customer_id"], row["end_user"])
