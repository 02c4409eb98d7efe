"""What the console and the portal both show of usage, made ready for their templates."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

from apps.kit.templatetags.display import Bar, date_label, money
from apps.limits.state import LimitState
from apps.limits.terms import LimitName, Scope
from apps.usage.models import Request, Result
from apps.usage.queries import Figures, Group, Period, Point, named_period
from apps.usage.queries.cursors import microseconds
from apps.usage.queries.figures import INPUT_COLUMNS, OUTPUT_COLUMNS
from apps.usage.queries.periods import Interval
from apps.usage.record import SENT_KEY
from apps.usage.sold import told
from apps.usage.standing import Standing

SENT_LABEL = _("Sent by API")  # instead of with a proxy key
LABELS = {
    "today": _("Today"),
    "7d": _("7 days"),
    "30d": _("30 days"),
    "90d": _("90 days"),
    "month": _("This month"),
    "last_month": _("Last month"),
}
LIMIT_LABELS = {
    LimitName.REQUESTS: _("Requests a minute"),
    LimitName.HOURLY_REQUESTS: _("Requests an hour"),
    LimitName.DAILY_REQUESTS: _("Requests in 24 hours"),
    LimitName.TOKENS: _("Tokens a minute"),
    LimitName.CONCURRENT: _("Requests at once"),
    LimitName.DAILY: _("Spend today"),
    LimitName.MONTHLY: _("Spend this month"),
    LimitName.TOTAL: _("Spend in total"),
}
ENDINGS = {  # of what has no time at which it begins anew
    LimitName.CONCURRENT: _("Free again as calls end"),
    LimitName.TOTAL: _("Never begins anew"),
}
BADGES = {Result.SERVED: "badge-good", Result.FAILED: "badge-bad", Result.UNFINISHED: "badge-bad"}
PREPAID_LABEL = _("Prepaid credit")
DEFAULT_PERIOD = "30d"


class Choice(NamedTuple):
    """A period that can be chosen."""

    name: str
    label: Any


@dataclass(frozen=True)
class ChosenPeriod:
    """The period that a page shows."""

    name: str
    period: Period
    interval: Interval

    @property
    def choices(self) -> list[Choice]:
        return [Choice(name, label) for name, label in LABELS.items()]


def chosen_period(name: str | None, at: datetime, zone: ZoneInfo) -> ChosenPeriod:
    """The period of the query string; one that nobody knows is the usual one."""
    name = name if name in LABELS else DEFAULT_PERIOD
    return ChosenPeriod(name, named_period(name, at, zone), "hour" if name == "today" else "day")


def bars(points: Iterable[Point], interval: Interval, value: Callable[[Figures], Any], is_money: bool) -> list[Bar]:
    """A chart's bars of one figure over time."""
    return [
        Bar(
            date_label(point.start, interval),
            float(value(point.figures)),
            f"{date_label(point.start, interval)}: "
            + (money(value(point.figures)) if is_money else f"{value(point.figures):,}"),
        )
        for point in points
    ]


class NamedGroup(NamedTuple):
    """A group with what it is called on a page. None: requests that name no user."""

    label: str | None
    figures: Figures
    url: str = ""


def named_groups(
    groups: Iterable[Group], names: Mapping[Any, str] | None = None, url: Callable[[Any], str] | None = None
) -> list[NamedGroup]:
    """Groups with the names of what they stand for; without `names`, what they stand for is its name."""
    return [
        NamedGroup(
            None if group.value is None else (names or {}).get(group.value, _unnamed(group.value)),
            group.figures,
            url(group.value) if url else "",
        )
        for group in groups
    ]


def _unnamed(value: Any) -> str:
    return str(SENT_LABEL if value == SENT_KEY else value)


class RequestRow:
    """A request with what a table shows of it."""

    def __init__(self, request: Request, zone: ZoneInfo) -> None:
        self._request = request
        self.started_at = request.started_at.astimezone(zone)
        self.at = microseconds(request.started_at)  # in a link to its page, which is found by it at once
        self.told = told(request)  # what its customer may read of an error
        self.badge = BADGES.get(Result(request.result), "badge-warn")
        self.all_input = sum(getattr(request, column) for column in INPUT_COLUMNS)
        self.all_output = sum(getattr(request, column) for column in OUTPUT_COLUMNS)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


class LimitRow(NamedTuple):
    """A limit with its label."""

    label: Any
    is_money: bool
    used: Any
    held: Any
    left: Any
    limit: Any
    share: float
    resets_at: datetime | None  # in the organization's zone
    ending: Any  # where there is no such time
    is_sure: bool  # False: by the records, without what isn't in them yet


class NamedStanding(NamedTuple):
    """Where somebody stands with its limits. `title` is empty for the customer as a whole."""

    title: str
    limits: list[LimitRow]


def named_standings(standings: list[Standing] | None) -> list[NamedStanding] | None:
    """Limits as a page shows them; None while Redis is away."""
    if standings is None:
        return None
    return [
        NamedStanding(_title_of(standing), [limit_row(state) for state in standing.states]) for standing in standings
    ]


def _title_of(standing: Standing) -> str:
    if standing.scope is Scope.KEY:
        return _("Key “%(name)s”") % {"name": standing.name}
    return _("User “%(name)s”") % {"name": standing.name} if standing.scope is Scope.END_USER else ""


def label_of(state: LimitState) -> Any:
    """What the limit is called on pages."""
    return PREPAID_LABEL if state.is_prepaid else LIMIT_LABELS[state.name]


def _ending_of(state: LimitState) -> Any:
    if state.is_prepaid:
        return _("More with the next top-up") if state.left else _("Used up: calls are refused")
    return ENDINGS.get(state.name, _("Frees up as time passes")) if state.limit else _("Lets nothing through")


def limit_row(state: LimitState) -> LimitRow:
    """Counts are whole, money isn't rounded."""
    is_money = state.name.is_money
    used, held, left, limit = (state.used, state.held, state.left, state.limit)
    if not is_money:
        used, held, left, limit = (int(amount) for amount in (used, held, left, limit))
    return LimitRow(
        label_of(state),
        is_money,
        used,
        held,
        left,
        limit,
        state.share,
        state.resets_at if limit else None,
        _ending_of(state),
        state.is_sure,
    )
