"""Sessions as the console and the portal both show them: a list, and the tree of each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.customers.fields import CustomerField
from apps.customers.models import Customer
from apps.usage.faces import DEFAULT_PERIOD, LABELS
from apps.usage.models import Request
from apps.usage.queries import named_period
from apps.usage.queries.sessions import (
    Session,
    SessionPage,
    one_session,
    recent_sessions,
    requests_of_session,
)
from apps.usage.request_faces import ExplorerRow, UrlOf
from apps.usage.session_tree import Node, tree_of

ALL_TIME = "all"
MOST_REQUESTS = 1_000  # of a session, on its page
NARROWEST = 0.5  # percent: of a bar that is to be seen


SessionUrl = Callable[[Session], str]  # of a session's page, without its id


class SessionFilter(forms.Form):
    """Which sessions."""

    period = forms.ChoiceField(label=_("Time"), required=False, choices=[*LABELS.items(), (ALL_TIME, _("All time"))])
    customer = CustomerField()
    user = forms.CharField(label=_("User"), required=False, max_length=512, strip=False)
    q = forms.CharField(label=_("Id or name"), required=False, max_length=512)

    def __init__(self, asked: QueryDict, organization: Organization, customer: Customer | None) -> None:
        given = {name: value.replace("\0", "") for name, value in asked.items() if value and name in self.base_fields}
        super().__init__({"period": DEFAULT_PERIOD} | given, auto_id="filter_%s")
        if customer is None:
            self.fields["customer"].queryset = organization.customers.order_by("name")  # type: ignore[attr-defined]
        else:
            del self.fields["customer"]

    def query(self, **changes: str) -> str:
        """The query string that asks the same again, but for `changes`."""
        asked = {name: str(self.data.get(name, "")) for name in self.fields} | changes
        return urlencode({name: value for name, value in asked.items() if value})


class SessionRow(NamedTuple):
    """A session in the list."""

    session: Session
    customer_name: str
    url: str
    first_at: datetime
    last_at: datetime
    duration_ms: float


@dataclass(frozen=True)
class SessionList:
    """A page of sessions, that with the latest request first."""

    form: SessionFilter
    rows: list[SessionRow]
    page: SessionPage

    @property
    def query(self) -> str:
        return self.form.query()

    @property
    def older(self) -> str:
        return self.form.query(before=self.page.older) if self.page.older else ""

    @property
    def is_narrowed(self) -> bool:
        return any(self.form.data.get(name) for name in ("q", "customer", "user"))


def session_list(
    asked: QueryDict,
    organization: Organization,
    customer: Customer | None,
    *,
    at: datetime,
    url: SessionUrl,
) -> SessionList:
    """What the query string asks for. A form that makes no sense shows nothing, and says why."""
    form = SessionFilter(asked, organization, customer)
    if not form.is_valid():
        return SessionList(form, [], SessionPage([]))
    zone = ZoneInfo(organization.time_zone)
    name = form.cleaned_data["period"] or DEFAULT_PERIOD
    chosen = customer or form.cleaned_data["customer"]
    page = recent_sessions(
        organization.pk,
        chosen.pk if chosen else None,
        period=None if name == ALL_TIME else named_period(name, at, zone),
        wanted=form.cleaned_data["q"],
        end_user=form.cleaned_data["user"] or None,
        before=asked.get("before"),
    )
    names: dict[UUID, Any] = {}
    if customer is None:
        ids = {session.customer_id for session in page.sessions}
        names = dict(organization.customers.filter(pk__in=ids).values_list("pk", "name"))
    rows = [session_row(session, zone, url, names.get(session.customer_id, "")) for session in page.sessions]
    return SessionList(form, rows, page)


def session_row(session: Session, zone: ZoneInfo, url: SessionUrl, customer_name: str = "") -> SessionRow:
    """A session as tables show it."""
    return SessionRow(
        session,
        customer_name,
        f"{url(session)}?{urlencode({'id': session.id})}",
        session.first_at.astimezone(zone),
        session.last_at.astimezone(zone),
        _milliseconds(session.ended_at - session.first_at),
    )


class TreeRow(NamedTuple):
    """A line of the tree: a step of the session, or one of its requests."""

    depth: int
    node: Node | None
    request: ExplorerRow | None
    left: float  # of its bar, in percent of the session's time
    width: float


@dataclass(frozen=True)
class SessionStory:
    """A session with its tree."""

    session: Session
    duration_ms: float
    first_at: datetime
    last_at: datetime
    rows: list[TreeRow]
    left_out: int  # requests beyond those that the page shows


def session_story(organization: Organization, customer_id: UUID, session_id: str, *, url: UrlOf) -> SessionStory | None:
    """None: there is no such session."""
    session = one_session(organization.pk, customer_id, session_id)
    if session is None:
        return None
    zone = ZoneInfo(organization.time_zone)
    requests = requests_of_session(organization.pk, customer_id, session_id, limit=MOST_REQUESTS)
    rows = []
    for node in tree_of(requests).walk():
        if node.depth:
            rows.append(TreeRow(node.depth - 1, node, None, *_bar(session, node.first_at, node.duration_ms)))
        rows += [
            TreeRow(node.depth, None, ExplorerRow(each, zone, url, ""), *_bar_of(session, each))
            for each in node.requests
        ]
    return SessionStory(
        session,
        _milliseconds(session.ended_at - session.first_at),
        session.first_at.astimezone(zone),
        session.last_at.astimezone(zone),
        rows,
        session.requests - len(requests),
    )


def _bar_of(session: Session, request: Request) -> tuple[float, float]:
    return _bar(session, request.started_at, request.latency_ms)


def _bar(session: Session, begins_at: datetime | None, duration_ms: float | None) -> tuple[float, float]:
    whole = _milliseconds(session.ended_at - session.first_at) or 1.0
    left = 100 * _milliseconds((begins_at or session.first_at) - session.first_at) / whole
    width = max(NARROWEST, 100 * (duration_ms or 0) / whole)
    return round(min(left, 100 - NARROWEST), 2), round(min(width, 100), 2)


def _milliseconds(length: timedelta) -> float:
    return length / timedelta(milliseconds=1)
