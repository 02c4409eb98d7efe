"""The page of one end user, as the console and the portal both show it."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.http import QueryDict

from apps.customers.end_users import end_user_of
from apps.customers.models import Customer, EndUser
from apps.kit.templatetags.display import Bar
from apps.limits.models import EndUserLimit
from apps.usage.cardinality import OTHER
from apps.usage.faces import LimitRow, NamedGroup, RequestRow, bars, limit_row, named_groups
from apps.usage.limit_faces import SetLimit, set_limits
from apps.usage.queries import Period, Point, Scope, grouped_by, over_time, recent_requests
from apps.usage.queries.figures import Figures, added_up
from apps.usage.queries.groups import Dimension, by_every_property
from apps.usage.queries.latency import Percentiles, latency_and_parts
from apps.usage.queries.periods import midnight
from apps.usage.queries.sessions import sessions_of_user
from apps.usage.queries.users import UserKey, UserRow, requests_by_day
from apps.usage.ranges import DAY, PeriodChoice, Range, chosen_range
from apps.usage.session_faces import SessionRow, SessionUrl, session_row
from apps.usage.standing import limits_of_end_user, standings_of_end_users

WEEKS = 53  # of the calendar
LEVELS = 4  # of its shades, besides none
TOP = 8
NEWEST = 10
NEWEST_SESSIONS = 6


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


class UsedModel(NamedTuple):
    """What the user has of a model: which of its operations are slow or dear."""

    name: str
    figures: Figures
    latency: Percentiles


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
    models: list[UsedModel]
    properties: list[NamedProperty]
    requests: list[RequestRow]
    sessions: list[SessionRow]  # the newest
    calendar: Calendar
    limits: UserLimits | None  # None: requests that name nobody have none of their own
    known: EndUser | None  # likewise; else whether it is blocked, and what was noted

    @property
    def is_other(self) -> bool:
        """Whether it is all those together that had no room of their own on a day."""
        return self.key.end_user == OTHER


def named(asked: QueryDict) -> str | None:
    """The user that a query string or a form names, as the proxy keeps such names; None: nobody."""
    return asked.get("id", "").replace("\x00", "").strip() or None


def of_name(key: UserKey) -> dict[str, str]:
    """What asks lists of requests and sessions for those of the user."""
    return {"no_user": "on"} if key.end_user is None else {"user": key.end_user}


def user_detail(
    asked: QueryDict,
    customer: Customer,
    end_user: str | None,
    *,
    is_operator: bool,
    at: datetime,
    session_url: SessionUrl,
) -> UserDetail:
    """A user who never called has a page too: it may be limited or blocked before it does."""
    organization = customer.organization
    chosen = chosen_range(asked.dict(), at, ZoneInfo(organization.time_zone))
    key = UserKey(customer.pk, end_user)
    scope = Scope(organization.pk, *chosen.period, customer_id=customer.pk, end_user=end_user)
    points, counts, monday, last = _time(scope, chosen, at)
    days = tuple((day, count) for day, count in counts.items() if chosen.first <= day <= chosen.last)
    by_model: Dimension = "model" if is_operator else "sold_as"
    latency, of_models = latency_and_parts(scope, by_model)
    row = UserRow(key, added_up(point.figures for point in points), days, latency)
    models = grouped_by(scope, by_model, limit=TOP)
    others = {} if end_user is None else {"id": end_user}
    return UserDetail(
        key,
        row,
        chosen,
        chosen.choices(others),
        bars(points, chosen.interval, lambda figures: figures.requests, False),
        bars(points, chosen.interval, lambda figures: figures.cost, True) if is_operator else [],
        bars(points, chosen.interval, lambda figures: figures.price, True),
        [UsedModel(str(each.value), each.figures, of_models.get(each.value, Percentiles())) for each in models],
        [NamedProperty(label, named_groups(groups[:TOP])) for label, groups in by_every_property(scope).items()],
        _newest(customer, row, chosen.zone),
        _sessions(customer, row, chosen.zone, session_url),
        calendar(counts, monday, last),
        None if end_user is None else _limits(customer, end_user, at),
        None if end_user is None else end_user_of(customer, end_user),
    )


def _newest(customer: Customer, row: UserRow, zone: ZoneInfo) -> list[RequestRow]:
    """The last requests in the range, looked for only where the sums say that they are."""
    period = _active(row)
    if period is None:
        return []
    page = recent_requests(customer.organization_id, customer.pk, period=period, end_user=row.end_user, limit=NEWEST)
    return [RequestRow(request, zone) for request in page.requests]


def _sessions(customer: Customer, row: UserRow, zone: ZoneInfo, url: SessionUrl) -> list[SessionRow]:
    """The last sessions that the user had a request of in the range; of requests that name nobody, none are told."""
    period = _active(row)
    if period is None or row.end_user is None:
        return []
    found = sessions_of_user(customer.organization_id, customer.pk, row.end_user, period=period, limit=NEWEST_SESSIONS)
    return [session_row(session, zone, url) for session in found]


def _active(row: UserRow) -> Period | None:
    first, last = row.figures.first_at, row.figures.last_at
    return None if first is None or last is None else Period(first, last + timedelta(microseconds=1))


def _limits(customer: Customer, end_user: str, at: datetime) -> UserLimits:
    row = limits_of_end_user(customer, end_user)
    if row is None:
        return UserLimits(None, [], [])
    standings = standings_of_end_users(customer, [(row, end_user)], at=at)
    states = None if standings is None else [limit_row(state) for state in standings[0].states]
    return UserLimits(row, set_limits(row), states)


def _time(scope: Scope, chosen: Range, at: datetime) -> tuple[list[Point], dict[date, int], date, date]:
    """The charts' points; requests by the day, of the range and of the calendar; and the calendar's first and last day.

    It has the weeks up to the one that the range ends in, or up to this one. One query where both are of days.
    """
    zone = chosen.zone
    last = min(chosen.last, at.astimezone(zone).date())
    monday = last - last.weekday() * DAY - (WEEKS - 1) * 7 * DAY
    period = Period(midnight(min(monday, chosen.first), zone), midnight(max(last, chosen.last) + DAY, zone))
    if chosen.interval != "day":
        return over_time(scope, chosen.interval, zone), requests_by_day(scope, period, zone), monday, last
    days = over_time(replace(scope, since=period.since, until=period.until), "day", zone)
    counts = {point.start.date(): point.figures.requests for point in days if point.figures.requests}
    return [point for point in days if chosen.first <= point.start.date() <= chosen.last], counts, monday, last


def calendar(counts: dict[date, int], monday: date, last: date) -> Calendar:
    """From a Monday on, shaded by how much the most was."""
    counts = {day: count for day, count in counts.items() if monday <= day <= last}
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
