"""End users: who they are, how much and how often they call, what they cost (docs/user-metrics.md, figure by figure).

A user is a name at a customer: the same name at two customers is two users, and the requests of a customer that
name nobody are a row of their own. Pages are made in two steps, so that many users cost little: one sum for all of
them, the one that they are ordered by; then all figures, of just those that are shown.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Count, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum, Window
from django.db.models.functions import Coalesce, TruncDay

from apps.customers.models import Customer
from apps.usage.queries.figures import Figures, Scope, figure_sums
from apps.usage.queries.measures import MEASURES, measured
from apps.usage.queries.periods import Period

NO_FIGURES = Figures()
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
            rows = scope.rows()
        elif any((scope.proxy_key_id, scope.provider, scope.model, scope.sold_as)):
            raise ValueError("by a property or by a model, not by both")
        else:
            name, value = self.property
            rows = scope.property_rows(name).filter(value=value)
        return rows.filter(end_user__icontains=self.search) if self.search else rows


EVERYBODY = UserFilter()


@dataclass(frozen=True)
class UserRow:
    """An end user with its figures in a scope."""

    key: UserKey
    figures: Figures
    days: tuple[tuple[date, int], ...]  # those with a request, in order, with how many

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
    found = _ordered(scope, zone, order, narrowed)
    page = list(found[offset : offset + limit])
    total = page[0]["users"] if page else (found.count() if offset else 0)
    keys = [UserKey(row["customer_id"], row["end_user"]) for row in page]
    return UserPage(user_rows(scope, zone, keys, narrowed=narrowed), total)


def user_rows(
    scope: Scope, zone: ZoneInfo, keys: Iterable[UserKey], *, narrowed: UserFilter = EVERYBODY
) -> list[UserRow]:
    """These users, in this order; zeros for one who didn't call in the scope."""
    keys = list(keys)
    rows = narrowed.rows(scope).filter(_any_of(keys)) if keys else None
    if rows is None:
        return []
    by_user = rows.values("customer_id", "end_user")
    figures = {_key(row): Figures.of(row) for row in by_user.annotate(**figure_sums()).order_by()}
    days: dict[UserKey, list[tuple[date, int]]] = {}
    by_day = by_user.annotate(day=TruncDay("hour", tzinfo=zone), on_day=measured("requests")).order_by("day")
    for row in by_day:
        days.setdefault(_key(row), []).append((row["day"].date(), row["on_day"]))
    return [UserRow(key, figures.get(key, NO_FIGURES), tuple(days.get(key, ()))) for key in keys]


def user_row(scope: Scope, zone: ZoneInfo, key: UserKey) -> UserRow:
    """One user."""
    return user_rows(scope, zone, [key])[0]


def requests_by_day(scope: Scope, period: Period, zone: ZoneInfo) -> dict[date, int]:
    """How many requests there were on each day of the period that has any; of scope, only whose they are counts."""
    rows = replace(scope, since=period.since, until=period.until).rows()
    by_day = rows.values(day=TruncDay("hour", tzinfo=zone)).annotate(on_day=measured("requests")).order_by("day")
    return {row["day"].date(): row["on_day"] for row in by_day}


class ExportedUser(NamedTuple):
    """As UserRow, for files: without its days."""

    key: UserKey
    figures: Figures
    active_days: int

    @property
    def requests_per_active_day(self) -> float | None:
        return self.figures.answered / self.active_days if self.active_days else None


def every_user(
    scope: Scope, zone: ZoneInfo, *, order: str = "-cost", narrowed: UserFilter = EVERYBODY
) -> Iterator[ExportedUser]:
    """All of them, one after the other, however many there are."""
    found = _grouped(scope, narrowed).annotate(
        **figure_sums(), sum_days=Count(TruncDay("hour", tzinfo=zone), distinct=True)
    )
    for row in _put_in_order(found, order, scope, zone).iterator(chunk_size=2000):
        yield ExportedUser(_key(row), Figures.of(row), row["sum_days"])


def _ordered(scope: Scope, zone: ZoneInfo, order: str, narrowed: UserFilter) -> QuerySet[Any]:
    found = _grouped(scope, narrowed).annotate(users=Window(Count("*")))
    return _put_in_order(found, order, scope, zone)


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
        case "growth":
            middle = scope.since + (scope.until - scope.since) / 2
            then, now = Q(hour__lt=middle), Q(hour__gte=middle)
            return Coalesce(Sum("requests", filter=now), 0) - Coalesce(Sum("requests", filter=then), 0)
        case "active_days":
            return Count(TruncDay("hour", tzinfo=zone), distinct=True)
        case "requests_per_active_day":
            return measured("answered") * 1.0 / Count(TruncDay("hour", tzinfo=zone), distinct=True)
        case _ if name in MEASURES:
            return measured(name)
        case _:
            raise ValueError(f"no such order: {order_name(name)}")


def order_name(name: str) -> str:
    """As it is told to whoever asked for it."""
    return ascii(name[:40])


ORDERS = frozenset(
    ("user", "customer", "first_at", "last_at", "growth", "active_days", "requests_per_active_day", *MEASURES)
)


def _any_of(keys: list[UserKey]) -> Q:
    """All that is needed of these, and little more: what isn't asked for is left out afterwards."""
    named = [key.end_user for key in keys if key.end_user is not None]
    whose = Q(end_user__in=named)
    if len(named) < len(keys):
        whose |= Q(end_user=None)
    return whose & Q(customer_id__in={key.customer_id for key in keys})


def _key(row: dict[str, Any]) -> UserKey:
    return UserKey(row["customer_id"], row["end_user"])
