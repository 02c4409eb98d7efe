"""How users are spread, as the console and the portal show it: two charts, with the far ones cut off on request."""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.kit.templatetags.display import Bar, compact_text, money
from apps.usage.queries.distributions import CUTS, Distribution, Spread, distribution, distribution_of
from apps.usage.ranges import PeriodChoice, Range
from apps.usage.snapshots import kept_if_slow, snapshot_to_show
from apps.usage.user_faces import chosen_users
from apps.usage.user_filter import UsersFilter

LABELS = {
    "all": _("All"),
    "p99": _("to p99"),
    "p95": _("to p95"),
    "p75": _("to p75"),
    "middle": _("middle half"),
}


class SpreadChart(NamedTuple):
    """A distribution, ready to draw."""

    bars: list[Bar]
    told: Distribution


@dataclass(frozen=True)
class Spreads:
    """Everything that the page shows."""

    form: UsersFilter
    chosen: Range
    periods: list[PeriodChoice]
    cuts: list[PeriodChoice]
    requests: SpreadChart
    money: SpreadChart
    as_of: datetime | None  # in the organization's zone; None: as of now


def user_spreads(asked: QueryDict, organization: Organization, customer: Customer | None, *, at: datetime) -> Spreads:
    """customer: whose portal it is, which sees what its users are charged; None: the operator, who sees costs."""
    chosen, form, _order = chosen_users(asked, organization, customer, at)
    cut = asked.get("cut", "")
    cut = cut if cut in CUTS else "all"
    empty = SpreadChart([], Distribution([], 0, 0, None))
    requests = amounts = empty
    as_of = None
    if form.is_valid():
        asked_of = replace(form.in_snapshot(organization, chosen), name=None, value=None)  # users, however they call
        paid: Spread = "price" if customer else "cost"
        snapshot = snapshot_to_show(asked_of, at=at)
        as_of = snapshot.as_of_in(chosen.zone) if snapshot else None
        spread = partial(distribution_of, snapshot) if snapshot else partial(distribution, asked_of.scope)
        with nullcontext() if snapshot else kept_if_slow(asked_of):
            requests = _chart(spread("requests", cut), is_money=False)
            amounts = _chart(spread(paid, cut), is_money=True)
    others = form.asked() | {"cut": cut}
    cuts = [
        PeriodChoice(label, urlencode(form.asked() | chosen.query() | {"cut": name}), name == cut)
        for name, label in LABELS.items()
    ]
    return Spreads(form, chosen, chosen.choices(others), cuts, requests, amounts, as_of)


def _chart(told: Distribution, *, is_money: bool) -> SpreadChart:
    def said(value: Any) -> str:
        return money(round(value, 6)) if is_money else f"{value:,.0f}"

    def label(value: Any) -> str:
        return f"${float(value):.2g}" if is_money else compact_text(round(value))

    return SpreadChart(
        [
            Bar(label(each.low), each.users, f"{said(each.low)} – {said(each.high)}: {each.users:,}")
            for each in told.bins
        ],
        told,
    )
