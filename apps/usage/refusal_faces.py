"""The history of refusals as the console and the portal both show it: chosen by a form, on pages and as CSV."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpResponse, QueryDict
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.customers.fields import CustomerField
from apps.customers.models import Customer
from apps.keys.models import ProxyKey
from apps.usage.models import Result
from apps.usage.queries import Period, recent_requests, refusals
from apps.usage.queries.periods import midnight
from apps.usage.tables import as_csv

REASONS = {  # by the code that the client is told; see proxy.stops
    "rate_limit_exceeded": _("Limit reached"),
    "spend_cap_reached": _("Spend cap reached"),
    "credit_used_up": _("Credit used up"),
    "model_not_allowed": _("Model not allowed"),
    "network_not_allowed": _("Network not allowed"),
    "end_user_blocked": _("User blocked"),
    "provider_not_enabled": _("Provider not set up"),
    "operation_not_offered": _("Operation not offered"),
    "model_not_priced": _("Price not known"),
    "invalid_rate_limit_policy": _("Policy not understood"),
    "invalid_body": _("Body not understood"),
    "request_too_large": _("Too large"),
    "revoked": _("Key revoked"),
    "expired": _("Key expired"),
    "suspended": _("Suspended"),
    "temporarily_unavailable": _("Temporarily unavailable"),
}
DAY = timedelta(days=1)
DAYS = 30  # that are shown where nobody chose
EARLIEST, LATEST = date(2000, 1, 1), date(9000, 1, 1)
MOST_EXPORTED = 10_000
COLUMNS = ("time", "customer", "key", "end_user", "model", "reason", "status", "message")


class RefusalFilter(forms.Form):
    """Which refusals. Days are the organization's, both included."""

    customer = CustomerField()
    reason = forms.ChoiceField(label=_("Reason"), required=False, choices=[("", _("all")), *REASONS.items()])
    since = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("To"), widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, asked: QueryDict, organization: Organization, customer: Customer | None, at: datetime) -> None:
        """customer: the only one, in its portal; None: whoever of the organization's is chosen."""
        self.zone = ZoneInfo(organization.time_zone)
        today = at.astimezone(self.zone).date()
        usual = {"since": (today - (DAYS - 1) * DAY).isoformat(), "until": today.isoformat()}
        super().__init__(usual | {name: value for name, value in asked.items() if value}, auto_id="filter_%s")
        self._only = customer
        if customer is None:
            self.fields["customer"].queryset = organization.customers.order_by("name")  # type: ignore[attr-defined]
        else:
            del self.fields["customer"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and not EARLIEST <= since <= until <= LATEST:
            self.add_error("until", _("It lies before the first day, or far from now."))
        return cleaned

    @property
    def customer_id(self) -> UUID | None:
        """Whose refusals; None: all customers'."""
        chosen = self._only or self.cleaned_data["customer"]
        return None if chosen is None else chosen.pk

    @property
    def period(self) -> Period:
        since, until = self.cleaned_data["since"], self.cleaned_data["until"]
        return Period(midnight(since, self.zone), midnight(until + DAY, self.zone))

    def query(self, **changes: str) -> str:
        """The query string that asks the same again, but for `changes`."""
        asked = {name: str(self.data.get(name, "")) for name in self.fields} | changes
        return urlencode({name: value for name, value in asked.items() if value})


class RefusalRow(NamedTuple):
    """A refused call, as a table shows it."""

    time: datetime
    customer: str
    customer_id: UUID
    key: str
    end_user: str | None
    model: str
    reason: Any
    status: int
    message: str  # that the client got: whose limit it was, and how much of it was used

    @property
    def told(self) -> str:
        """The message's first sentence; the others say what to do."""
        return self.message.partition(". ")[0]


class ReasonRow(NamedTuple):
    """How many were refused for a reason, and the query string that shows them alone."""

    label: Any
    status: int
    requests: int
    query: str
    is_chosen: bool


@dataclass(frozen=True)
class RefusalHistory:
    """What was refused, newest first."""

    form: RefusalFilter
    reasons: list[ReasonRow]
    rows: list[RefusalRow]
    next: str | None  # the query string of the page after this one
    query: str  # of the first page


def refusal_history(
    asked: QueryDict, organization: Organization, customer: Customer | None, *, at: datetime
) -> RefusalHistory:
    """A page of it. A form that makes no sense shows nothing, and says why."""
    form = RefusalFilter(asked, organization, customer, at)
    if not form.is_valid():
        return RefusalHistory(form, [], [], None, "")
    rows, cursor = _rows(form, organization, customer, before=asked.get("before"))
    after = None if cursor is None else form.query(before=cursor)
    return RefusalHistory(form, _reasons(form, organization), rows, after, form.query())


def refusals_csv(
    asked: QueryDict, organization: Organization, customer: Customer | None, *, at: datetime
) -> HttpResponse:
    """The newest MOST_EXPORTED of them as a file. Times are in UTC."""
    form = RefusalFilter(asked, organization, customer, at)
    rows = _rows(form, organization, customer, limit=MOST_EXPORTED)[0] if form.is_valid() else []
    columns = COLUMNS if customer is None else [name for name in COLUMNS if name != "customer"]
    written = as_csv(columns, [_cells(row) for row in rows])
    response = HttpResponse(written, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="refusals.csv"'
    return response


def _rows(
    form: RefusalFilter,
    organization: Organization,
    customer: Customer | None,
    *,
    before: str | None = None,
    limit: int = 50,
) -> tuple[list[RefusalRow], str | None]:
    page = recent_requests(
        organization.pk,
        form.customer_id,
        before=before,
        limit=limit,
        result=Result.REFUSED,
        error_code=form.cleaned_data["reason"],
        period=form.period,
    )
    customers = {customer.pk: customer.name} if customer else dict(organization.customers.values_list("pk", "name"))
    keys = _key_names({request.proxy_key_id for request in page.requests}, organization)
    rows = [
        RefusalRow(
            request.started_at.astimezone(form.zone),
            customers.get(request.customer_id, ""),
            request.customer_id,
            keys.get(request.proxy_key_id, ""),
            request.end_user,
            request.alias or request.model,
            REASONS.get(request.error_code, request.error_code),
            request.status,
            request.error_message,
        )
        for request in page.requests
    ]
    return rows, page.next


def _key_names(ids: set[UUID], organization: Organization) -> Mapping[UUID, str]:
    return dict(ProxyKey.objects.filter(organization=organization, pk__in=ids).values_list("pk", "name"))


def _reasons(form: RefusalFilter, organization: Organization) -> list[ReasonRow]:
    """All in the period, also those that are not chosen."""
    since, until = form.period
    chosen = form.cleaned_data["reason"]
    return [
        ReasonRow(
            REASONS.get(each.code, each.code),
            each.status,
            each.requests,
            form.query(reason="" if each.code == chosen else each.code),
            each.code == chosen,
        )
        for each in refusals(organization.pk, form.customer_id, start=since, end=until)
    ]


def _cells(row: RefusalRow) -> dict[str, object]:
    """As text: labels are translated when they are written."""
    return row._asdict() | {"time": row.time.astimezone(ZoneInfo("UTC")), "reason": str(row.reason)}
