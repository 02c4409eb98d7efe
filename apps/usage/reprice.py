"""Requests whose cost was not known get one, and a price, and their hours and days with them.

A request that has a cost keeps it, whatever the book says today, unless it is asked for again: then it gets what the
book says now of the time when it began. Either way a second run finds nothing to do. It is sold by the rule of the rate
card that it was let in under, or else by the markup of that time: both are stored with it. One that had a price without
its cost being known keeps that price, and what was free stays free.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from apps.accounts import audit
from apps.accounts.models import Organization
from apps.kit.locks import lock_name
from apps.pricing.card_book import find_sale
from apps.pricing.history import PriceHistory
from apps.pricing.rating import Price, Tokens, rate
from apps.pricing.selling import Sale, sell
from apps.usage.gathering import gathering
from apps.usage.measures import IS_ROLLED_UP, ROLLUPS, Rollup, sums
from apps.usage.models import TOKEN_KINDS, Request, Result
from apps.usage.rollup import LOCK

AT_ONCE = 2_000
WITHOUT_PRICE = Q(cost=None) & ~Q(result__in=[Result.REFUSED, Result.UNFINISHED])
WITH_PRICE = Q(price_id__isnull=False) & (Q(cost__gt=0) | Q(price__gt=0))

PriceOf = Callable[[Request], Price | None]
SaleOf = Callable[[UUID, int], Sale | None]


class Repriced(NamedTuple):
    """A request as it was, and what it is now known to cost."""

    request: Request
    cost: Decimal
    price: Decimal
    price_id: int

    @property
    def is_news(self) -> bool:
        return (self.cost, self.price) != (self.request.cost, self.request.price)

    @property
    def more_cost(self) -> Decimal:
        return self.cost - (self.request.cost or 0)

    @property
    def more_price(self) -> Decimal:
        return self.price - (self.request.price or 0)


@dataclass
class Repricing:
    """What a run did, or would do."""

    requests: int = 0
    cost: Decimal = Decimal(0)  # more than before; less where it is negative
    price: Decimal = Decimal(0)  # likewise
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)  # by provider and model: still without price


def reprice(
    *,
    since: datetime,
    until: datetime,
    organization_id: UUID | None = None,
    model: str | None = None,
    is_again: bool = False,
    is_dry_run: bool = False,
    tell: Callable[[int], object] = lambda looked_at: None,
) -> Repricing:
    """Price the requests that began from `since` up to, not including, `until`, where the book now can.

    model: only those that asked for it, or were served it. Each by the price in effect when it began.
    is_again: those too that were priced by the book before. tell: called with how many more were looked at.
    Some thousand requests are a transaction, with their hours and days: stopped at any time, all sums are right.
    """
    wanted = WITHOUT_PRICE | WITH_PRICE if is_again else WITHOUT_PRICE
    waiting = Request.objects.filter(wanted, started_at__gte=since, started_at__lt=until)
    if organization_id is not None:
        waiting = waiting.filter(organization_id=organization_id)
    if model is not None:
        waiting = waiting.filter(Q(model=model) | Q(model_served=model))
    waiting = waiting.order_by("started_at", "id")
    done, price_of, sale_of = Repricing(), _price_book(), cache(find_sale)
    rest = waiting
    while some := _reprice_some(rest[:AT_ONCE], price_of, sale_of, done, is_dry_run=is_dry_run):
        tell(len(some))
        rest = waiting.filter(pk__gt=some[-1].pk)
    return done


@transaction.atomic
def _reprice_some(
    waiting: Iterable[Request], price_of: PriceOf, sale_of: SaleOf, done: Repricing, *, is_dry_run: bool
) -> Sequence[Request]:
    """Returns those that were looked at. None: there are no more."""
    if not is_dry_run:
        lock_name(LOCK)  # before looking: what is rolled up, and what has no price, stays so
    repriced: list[Repriced] = []
    looked_at = list(waiting)
    for request in looked_at:
        if price := price_of(request):
            repriced.append(_repriced(request, price, sale_of))
        elif request.cost is None:
            done.unknown[request.provider, request.model_served] += 1
    news = [each for each in repriced if each.is_news]
    if news and not is_dry_run:
        _take_out_of_rollups(news)
        _store(news)
        _add_to_rollups(news)
        _note(news)
    done.requests += len(news)
    done.cost += sum(each.more_cost for each in news)
    done.price += sum(each.more_price for each in news)
    return looked_at


def _repriced(request: Request, price: Price, sale_of: SaleOf) -> Repriced:
    tokens, units, service_tier = _tokens(request), tuple(request.units.items()), request.service_tier
    cost, customers = rate(tokens, price, request.markup_percent, units, service_tier)
    if request.cost is None and request.price is not None:
        return Repriced(request, cost, request.price, price.id)
    sale = sale_of(request.organization_id, request.rate_rule_id) if request.rate_rule_id else None
    sold = sell(sale, tokens, price, units, service_tier) if sale is not None else None
    return Repriced(request, cost, sold.price if sold else customers, price.id)


def _tokens(request: Request) -> Tokens:
    return Tokens(**{kind: getattr(request, f"{kind}_tokens") for kind in TOKEN_KINDS})


def _price_book() -> PriceOf:
    history = PriceHistory()

    def price_of(request: Request) -> Price | None:
        asked = request.model.removeprefix(f"{request.provider}/")
        names = (asked, request.model_served)
        return history.price(request.organization_id, request.provider, names, request.started_at)

    return price_of


def _store(repriced: Sequence[Repriced]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE usage_request SET cost = priced.cost, price = priced.price, price_id = priced.price_id
            FROM unnest(%s::timestamptz[], %s::uuid[], %s::numeric[], %s::numeric[], %s::bigint[])
                AS priced (started_at, id, cost, price, price_id)
            WHERE usage_request.started_at = priced.started_at AND usage_request.id = priced.id
            """,
            [
                [each.request.started_at for each in repriced],
                [each.request.id for each in repriced],
                [each.cost for each in repriced],
                [each.price for each in repriced],
                [each.price_id for each in repriced],
            ],
        )


def _take_out_of_rollups(repriced: Sequence[Repriced]) -> None:
    """What those that are in the roll-ups already have in them; the others come with their batch, as they will be."""
    _correct_rollups("-", repriced)


def _add_to_rollups(repriced: Sequence[Repriced]) -> None:
    _correct_rollups("+", repriced)


def _correct_rollups(sign: str, repriced: Sequence[Repriced]) -> None:
    values = [[each.request.started_at for each in repriced], [each.request.id for each in repriced]]
    with connection.cursor() as cursor:
        for rollup in ROLLUPS:
            cursor.execute(_correction(rollup, sign), values)


def _correction(rollup: Rollup, sign: str) -> str:
    late = f"(started_at, request.id) IN (SELECT * FROM unnest(%s::timestamptz[], %s::uuid[])) AND {IS_ROLLED_UP}"  # noqa: S608 ours
    is_same = " AND ".join(
        f"{rollup.table}.{name} {'IS NOT DISTINCT FROM' if name == 'end_user' else '='} late.{name}"
        for name in rollup.keys
    )
    corrected = ", ".join(
        f"{name} = {rollup.table}.{name} {sign} late.{name}" for name in ("cost", "price", "unpriced")
    )
    return f"{gathering(late)} UPDATE {rollup.table} SET {corrected} FROM ({sums(rollup)}) AS late WHERE {is_same}"  # noqa: S608 ours


def _note(repriced: Sequence[Repriced]) -> None:
    """In each operator's audit log: costs that change afterwards are to be explained."""
    by_organization: dict[UUID, list[Repriced]] = {}
    for each in repriced:
        by_organization.setdefault(each.request.organization_id, []).append(each)
    for organization in Organization.objects.filter(pk__in=by_organization):
        audit.record(
            organization, "usage.reprice", organization, actor=None, changes=_changes(by_organization[organization.pk])
        )


def _changes(repriced: Sequence[Repriced]) -> dict[str, tuple[object, object]]:
    without = [each for each in repriced if each.request.cost is None]
    again = [each for each in repriced if each.request.cost is not None]
    changes: dict[str, tuple[object, object]] = {}
    if without:
        changes["requests_without_price"] = (len(without), 0)
        changes["cost"] = (None, sum(each.more_cost for each in without))
        changes["price"] = (None, sum(each.more_price for each in without))
    if again:
        changes["requests_priced_again"] = (None, len(again))
        changes["cost_of_these"] = (sum(each.request.cost or 0 for each in again), sum(each.cost for each in again))
        changes["price_of_these"] = (sum(each.request.price or 0 for each in again), sum(each.price for each in again))
    return changes
