"""The explorer of requests, as the console and the portal both show it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import QueryDict

from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.usage.faces import RequestRow
from apps.usage.models import Request
from apps.usage.queries.explorer import PATIENCE_S, FoundPage, found_page
from apps.usage.refusal_faces import REASONS
from apps.usage.request_filter import RequestFilter
from apps.usage.story import sold_as, told

LIVE_PATIENCE_S = 1.0  # of a look that is repeated every few seconds

UrlOf = Callable[[UUID], str]  # of a request's page


class ExplorerRow(RequestRow):
    """A request as a row of the explorer. What it says is fit for its customer, too."""

    def __init__(self, request: Request, zone: ZoneInfo, url: UrlOf, customer_name: str) -> None:
        super().__init__(request, zone)
        self.url = f"{url(request.id)}?at={self.at}"
        self.customer_name = customer_name
        self.sold_as = sold_as(request)
        self.reason = REASONS.get(request.error_code, request.error_code)
        self.told = told(request)


@dataclass(frozen=True)
class Explorer:
    """A page of requests, and the query strings that lead on from it."""

    form: RequestFilter
    rows: list[ExplorerRow]
    page: FoundPage
    is_live: bool  # new ones appear by themselves
    is_newest: bool  # nothing is left out above it
    seen: str  # changes with the rows

    @property
    def query(self) -> str:
        """Of the newest that fit."""
        return self.form.query()

    @property
    def older(self) -> str:
        return self.form.query(before=self.page.older) if self.page.older else ""

    @property
    def newer(self) -> str:
        return self.form.query(after=self.page.newer) if self.page.newer else ""

    @property
    def live(self) -> str:
        return self.form.query(live="1")

    @property
    def poll(self) -> str:
        return self.form.query(live="1", seen=self.seen)

    @property
    def all_time(self) -> str:
        return self.form.query(period="all", since="", until="")


def explorer(
    asked: QueryDict, organization: Organization, customer: Customer | None, *, at: datetime, url: UrlOf
) -> Explorer:
    """The page that the query string asks for. A form that makes no sense shows nothing, and says why."""
    form = RequestFilter(asked, organization, customer, at)
    before, after = asked.get("before"), asked.get("after")
    is_live = bool(asked.get("live")) and not (before or after)
    page = FoundPage([])
    if form.is_valid():
        patience_s = LIVE_PATIENCE_S if is_live else PATIENCE_S
        page = found_page(form.search(), at=at, before=before, after=after, patience_s=patience_s)
    names = _customer_names(page.requests, organization, customer)
    rows = [ExplorerRow(each, form.zone, url, names.get(each.customer_id, "")) for each in page.requests]
    return Explorer(form, rows, page, is_live, page.newer is None, _digest(page.requests))


def only_one(found: Explorer) -> str | None:
    """The address of the request that was asked for by its id, where there is just one."""
    is_by_id = bool(found.form.data.get("id"))
    return found.rows[0].url if is_by_id and len(found.rows) == 1 and found.page.older is None else None


def _customer_names(requests: list[Request], organization: Organization, customer: Customer | None) -> dict[UUID, Any]:
    if customer is not None:
        return {}
    ids = {request.customer_id for request in requests}
    return dict(organization.customers.filter(pk__in=ids).values_list("pk", "name"))


def _digest(requests: list[Request]) -> str:
    return blake2b(b"".join(request.id.bytes for request in requests), digest_size=9).hexdigest()
