"""What the console and the portal both show of a wallet, made ready for their templates."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.core.paginator import Page, Paginator
from django.utils.translation import gettext as _

from apps.billing.models import AutoTopUp, CreditLot, LedgerTransaction, Wallet
from apps.billing.queries.wallets import History, Line, WalletFigures, figures_of

A_PAGE = 25
MOST_USED_UP = 10
WIDE_OPEN = 100  # lots with something left, on one page

UrlOf = Callable[[datetime, datetime], str]  # of the requests from one instant to another


class LotRow(NamedTuple):
    """A lot and how much of it is left."""

    lot: CreditLot
    label: str
    share: float  # that is used
    is_expired: bool


class HistoryRow(NamedTuple):
    """A line of a wallet's history."""

    label: str
    detail: str
    at: datetime
    is_day: bool  # it is about a whole day
    amount: Decimal
    draws: int
    url: str  # of the requests that it is about, or ""


@dataclass(frozen=True)
class WalletPage:
    """All that a page shows of a wallet."""

    wallet: Wallet
    figures: WalletFigures
    lots: list[LotRow]
    used_up: list[LotRow]
    page: Page[Line]
    history: list[HistoryRow]
    auto_top_up: AutoTopUp | None


def wallet_page(wallet: Wallet, *, page: str | None, zone: ZoneInfo, at: datetime, requests_url: UrlOf) -> WalletPage:
    """Lots in the order in which they are used; history by day, the newest first."""
    order = ("priority", "expires_at", "category", "effective_at", "pk")
    open_lots = wallet.lots.filter(remaining__gt=0).order_by(*order)[:WIDE_OPEN]
    used_up = wallet.lots.filter(remaining=0).order_by("-created_at", "-pk")[:MOST_USED_UP]
    shown: Page[Line] = Paginator(cast("Any", History(wallet)), A_PAGE).get_page(page)
    notes = _notes(shown)
    return WalletPage(
        wallet,
        figures_of([wallet], at=at)[wallet.pk],
        [_lot_row(lot, at) for lot in open_lots],
        [_lot_row(lot, at) for lot in used_up],
        shown,
        [_history_row(line, notes, zone, requests_url) for line in shown],
        AutoTopUp.objects.filter(wallet=wallet).first(),
    )


def requests_between(url: str, since: datetime, until: datetime, **more: Any) -> str:
    """The address of the requests from one instant to another, both in the organization's zone."""
    form = "%Y-%m-%dT%H:%M"
    return (
        f"{url}?{urlencode({'period': 'custom', 'since': since.strftime(form), 'until': until.strftime(form), **more})}"
    )


def _lot_row(lot: CreditLot, at: datetime) -> LotRow:
    is_expired = lot.expires_at is not None and lot.expires_at <= at
    return LotRow(lot, lot.get_source_display(), float(1 - lot.remaining / lot.amount), is_expired)


def _notes(lines: Iterable[Line]) -> dict[str, str]:
    """What the lots that lines are about are for, by the lot's id."""
    ids = [line.source["lot"] for line in lines if "lot" in line.source]
    return {str(pk): note for pk, note in CreditLot.objects.filter(pk__in=ids).values_list("pk", "note")}


def _history_row(line: Line, notes: Mapping[str, str], zone: ZoneInfo, requests_url: UrlOf) -> HistoryRow:
    at, is_day = line.at.astimezone(zone), line.id is None
    url = requests_url(at, (at + timedelta(days=1))) if is_day else ""
    label = str(LedgerTransaction.Kind(line.kind).label)
    return HistoryRow(label, _detail(line, notes), at, is_day, line.amount, line.draws, url)


def _detail(line: Line, notes: Mapping[str, str]) -> str:
    """What is told of it, as far as its source says."""
    source = line.source
    if reason := source.get("reason"):
        return str(reason)
    if reference := source.get("reference"):
        return _("Reference %(reference)s") % {"reference": reference}
    return notes.get(source.get("lot", ""), "")
