"""The page of one end user, as the console and the portal both show it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.http import QueryDict

from apps.customers.end_users import end_user_of
from apps.customers.models import Customer, EndUser
from apps.kit.templatetags.display import Bar
from apps.limits.models import EndUserLimit
from apps.usage.faces import LimitRow, NamedGroup, RequestRow, bars, limit_row, named_groups
from apps.usage.limit_faces import SetLimit, set_limits
from apps.usage.queries import Period, Scope, grouped_by, over_time, recent_requests
from apps.usage.queries.groups import by_every_property
from apps.usage.queries.periods import midnight
from apps.usage.queries.users import UserKey, UserRow, requests_by_day, user_row
from apps.usage.ranges import DAY, PeriodChoice, Range, chosen_range
from apps.usage.standing import limits_of_end_user, standings_of_end_users

WEEKS = 53  # of the calendar
LEVELS = 4  # of its shades, besides none
TOP = 8
NEWEST = 10


class CalendarDay(NamedTuple):
    """A square of the calendar. Level 0: no requests."""

    day: date
    requests: int
    level: int
    x: int
    y: int


class CalendarMonth(NamedTuple):
    """A month's name above the week that it begins in."""

    first: date
    x: int


@dataclass(frozen=True)
class Calendar:
    """A column for each week, Mondays on top."""

    days: list[CalendarDay]
    months: list[CalendarMonth]
    active_days: int
    cell: int = 12
    step: int = 14

    @property
    def width(self) -> int:
        return WEEKS * self.step

    @property
    def height(self) -> int:
        return 8 * self.step


class NamedProperty(NamedTuple):
    """A property, with a group for each of its values."""

    label: str
    groups: list[NamedGroup]


@dataclass(frozen=True)
class UserLimits:
    """What the user may use."""

    row: EndUserLimit | None  # None: it isn't limited
    set: list[SetLimit]
    limits: list[LimitRow] | None  # None: Redis is away, or there are none

    @property
    def is_default(self) -> bool:
        return self.row is not None and self.row.end_user is None


@dataclass(frozen=True)
class UserDetail:
    """Everything that the page shows of the user."""

    key: UserKey
    row: UserRow
    chosen: Range
    periods: list[PeriodChoice]
    requests_chart: list[Bar]
    cost_chart: list[Bar]
    price_chart: list[Bar]
    models: list[NamedGroup]
    properties: list[NamedProperty]
    requests: list[RequestRow]
    calendar: Calendar
    limits: UserLimits | None  # None: requests that name nobody have none of their own
    known: EndUser | None  # likewise; else whether it is blocked, and what was noted


def named(asked: QueryDict) -> str | None:
    """The user that a query string or a form names, as the proxy keeps such names; None: nobody."""
    return asked.get("id", "").replace("\x00", "").strip() or None


def user_detail(
    asked: QueryDict, customer: Customer, end_user: str | None, *, is_operator: bool, at: datetime
) -> UserDetail:
    """A user who never called has a page too: it may be limited or blocked before it does."""
    organization = customer.organization
    chosen = chosen_range(asked.dict(), at, ZoneInfo(organization.time_zone))
    zone, key = chosen.zone, UserKey(customer.pk, end_user)
    scope = Scope(organization.pk, *chosen.period, customer_id=customer.pk, end_user=end_user)
    row = user_row(scope, zone, key)
    points = over_time(scope, chosen.interval, zone)
    models = grouped_by(scope, "model" if is_operator else "sold_as", limit=TOP)
    others = {} if end_user is None else {"id": end_user}
    return UserDetail(
        key,
        row,
        chosen,
        chosen.choices(others),
        bars(points, chosen.interval, lambda figures: figures.requests, False),
        bars(points, chosen.interval, lambda figures: figures.cost, True) if is_operator else [],
        bars(points, chosen.interval, lambda figures: figures.price, True),
        named_groups(models),
        [NamedProperty(label, named_groups(groups[:TOP])) for label, groups in by_every_property(scope).items()],
        _newest(customer, row, chosen.zone),
        calendar(scope, chosen, at),
        None if end_user is None else _limits(customer, end_user, at),
        None if end_user is None else end_user_of(customer, end_user),
    )


def _newest(customer: Customer, row: UserRow, zone: ZoneInfo) -> list[RequestRow]:
    """The last requests in the range, looked for only where the sums say that they are."""
    first, last = row.figures.first_at, row.figures.last_at
    if first is None or last is None:
        return []
    period = Period(first, last + timedelta(microseconds=1))
    page = recent_requests(customer.organization_id, customer.pk, period=period, end_user=row.end_user, limit=NEWEST)
    return [RequestRow(request, zone) for request in page.requests]


def _limits(customer: Customer, end_user: str, at: datetime) -> UserLimits:
    row = limits_of_end_user(customer, end_user)
    if row is None:
        return UserLimits(None, [], [])
    standings = standings_of_end_users(customer, [(row, end_user)], at=at)
    states = None if standings is None else [limit_row(state) for state in standings[0].states]
    return UserLimits(row, set_limits(row), states)


def calendar(scope: Scope, chosen: Range, at: datetime) -> Calendar:
    """The weeks up to the one that the range ends in, or up to this one."""
    last = min(chosen.last, at.astimezone(chosen.zone).date())
    monday = last - last.weekday() * DAY - (WEEKS - 1) * 7 * DAY
    period = Period(midnight(monday, chosen.zone), midnight(last + DAY, chosen.zone))
    counts = requests_by_day(scope, period, chosen.zone)
    most = max(counts.values(), default=0)
    step = Calendar.step
    days = []
    for number in range((last - monday).days + 1):
        day, (week, weekday) = monday + number * DAY, divmod(number, 7)
        count = counts.get(day, 0)
        level = -(-count * LEVELS // most) if count else 0
        days.append(CalendarDay(day, count, level, week * step, (weekday + 1) * step))
    months = [CalendarMonth(day.day, day.x) for day in days if day.day.day <= 7 and day.day.weekday() == 0]
    return Calendar(days, months, len(counts))
