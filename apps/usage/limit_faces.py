"""What the console and the portal both show of limits: who is at one, and the limits of end users."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.core.paginator import Page as NumberedPage
from django.core.paginator import Paginator
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from apps.customers.limit_fields import LIMITS, LimitFields
from apps.customers.models import Customer
from apps.limits.models import EndUserLimit
from apps.limits.terms import LimitName, Scope
from apps.usage.faces import LimitRow, limit_row
from apps.usage.standing import Standing, limits_of_end_user, standings_of_end_users

WHOSE = {Scope.CUSTOMER: _("All calls"), Scope.KEY: _("Key"), Scope.END_USER: _("End user")}
END_USERS_A_PAGE = 20


class ReachedRow(NamedTuple):
    """A limit that somebody is at."""

    customer: Customer
    whose: Any
    name: str  # of the key or end user; "": the customer as a whole
    limit: LimitRow
    url: str


def reached_rows(standings: list[Standing] | None, url: Callable[[Standing], str]) -> list[ReachedRow] | None:
    """A row for each limit that is in the way; None while Redis is away."""
    if standings is None:
        return None
    return [
        ReachedRow(
            each.customer,
            WHOSE[each.scope],
            "" if each.scope is Scope.CUSTOMER else each.name,
            limit_row(state),
            url(each),
        )
        for each in standings
        for state in each.states
        if state.is_in_the_way
    ]


class SetLimit(NamedTuple):
    """A limit as it was set, whatever is used of it."""

    label: Any
    is_money: bool
    limit: Any


def set_limits(row: LimitFields) -> list[SetLimit]:
    """Those that there are."""
    names = [name for name in LIMITS if getattr(row, name) is not None]
    return [
        SetLimit(capfirst(row._meta.get_field(name).verbose_name), LimitName(name).is_money, getattr(row, name))
        for name in names
    ]


class EndUserRow(NamedTuple):
    """An end user with the limits that hold for it."""

    name: str
    set: list[SetLimit]
    limits: list[LimitRow] | None  # None: Redis is away
    edit_url: str  # where it gets its own, for one with the default
    remove_url: str


@dataclass(frozen=True)
class EndUsers:
    """The limits of a customer's end users, as a page shows them."""

    default: EndUserLimit | None
    default_limits: list[SetLimit]
    page: NumberedPage[EndUserLimit]  # of those with limits of their own
    rows: list[EndUserRow]
    wanted: str
    found: EndUserRow | None  # the one of exactly the wanted name, where it has the default
    is_known: bool  # where they stand; False while Redis is away
    urls: dict[str, str]


UrlOf = Callable[..., str]  # of the face's page of this name, with these ids


def end_users(customer: Customer, *, wanted: str, page: str | None, at: datetime, url: UrlOf) -> EndUsers:
    """Those with limits of their own whose name contains `wanted`; and whoever has just that name."""
    wanted = wanted.replace("\x00", "").strip()
    default = customer.end_user_limits.filter(end_user=None).first()
    own = customer.end_user_limits.exclude(end_user=None).order_by("end_user")
    if wanted:
        own = own.filter(end_user__icontains=wanted)
    shown = Paginator(own, END_USERS_A_PAGE).get_page(page)
    asked = [(row, str(row.end_user)) for row in shown]
    holding = limits_of_end_user(customer, wanted) if wanted else None
    if holding is not None and holding.end_user is None:
        asked.append((holding, wanted))
    standings = standings_of_end_users(customer, asked, at=at)
    rows = [_row(row, name, standings[n] if standings else None, url) for n, (row, name) in enumerate(asked)]
    return EndUsers(
        default,
        [] if default is None else set_limits(default),
        shown,
        rows[: len(shown)],
        wanted,
        rows[-1] if len(rows) > len(shown) else None,
        standings is not None,
        _urls(default, url),
    )


def _row(row: EndUserLimit, name: str, standing: Standing | None, url: UrlOf) -> EndUserRow:
    limits = None if standing is None else [limit_row(state) for state in standing.states]
    if row.end_user is None:
        own_url = f"{url('end-user-limit-add')}?{urlencode({'user': name})}"
        return EndUserRow(name, set_limits(row), limits, own_url, "")
    edit_url, remove_url = url("end-user-limit-edit", row.pk), url("end-user-limit-remove", row.pk)
    return EndUserRow(name, set_limits(row), limits, edit_url, remove_url)


def _urls(default: EndUserLimit | None, url: UrlOf) -> dict[str, str]:
    return {
        "list": url("end-user-limits"),
        "default": url("end-user-limit-default"),
        "add": url("end-user-limit-add"),
        "remove_default": "" if default is None else url("end-user-limit-remove", default.pk),
    }
