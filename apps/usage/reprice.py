"""Requests whose cost was not known get one, and a price, and their hours and days with them.

A request that has a cost keeps it, whatever the book says today; so a second run finds nothing to do. It is sold by the
rule of the rate card that it was let in under, or else by the markup of that time: both are stored with it. One that
had a price without its cost being known keeps that price.
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

PriceOf = Callable[[Request], Price | None]
SaleOf = Callable[[UUID, int], Sale | None]


class Repriced(NamedTuple):
    """A request, and what it is now known to cost."""

    request: Request
    cost: Decimal
    price: Decimal
    price_id: int
    was_sold: bool  # it had that price before: only the cost is news


@dataclass
class Repricing:
    """What a run did, or would do."""

    requests: int = 0
    cost: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)  # by provider and model: still without price


def reprice(
    *,
    since: datetime,
    until: datetime,
    organization_id: UUID | None = None,
    model: str | None = None,
    is_dry_run: bool = False,
) -> Repricing:
    """Price the requests that began from `since` up to, not including, `until`, where the book now can.

    model: only those that asked for it, or were served it. Each by the price in effect when it began.
    Some thousand requests are a transaction, with their hours and days: stopped at any time, all sums are right.
    """
    waiting = Request.objects.filter(WITHOUT_PRICE, started_at__gte=since, started_at__lt=until)
    if organization_id is not None:
        waiting = waiting.filter(organization_id=organization_id)
    if model is not None:
        waiting = waiting.filter(Q(model=model) | Q(model_served=model))
    waiting = waiting.order_by("started_at", "id")
    done, price_of, sale_of = Repricing(), _price_book(), cache(find_sale)
    rest = waiting
    while last := _reprice_some(rest[:AT_ONCE], price_of, sale_of, done, is_dry_run=is_dry_run):
        rest = waiting.filter(pk__gt=last)
    return done


@transaction.atomic
def _reprice_some(
    waiting: Iterable[Request], price_of: PriceOf, sale_of: SaleOf, done: Repricing, *, is_dry_run: bool
) -> tuple[datetime, UUID] | None:
    """Returns the primary key of the last one looked at. None: there are no more."""
    if not is_dry_run:
        lock_name(LOCK)  # before looking: what is rolled up, and what has no price, stays so
    last = None
    repriced: list[Repriced] = []
    for request in waiting:
        last = request.pk
        if (price := price_of(request)) is None:
            done.unknown[request.provider, request.model_served] += 1
            continue
        repriced.append(_repriced(request, price, sale_of))
    if repriced and not is_dry_run:
        _store(repriced)
        _add_to_rollups(repriced)
        _note(repriced)
    done.requests += len(repriced)
    done.cost += sum(each.cost for each in repriced)
    done.price += sum(each.price for each in repriced if not each.was_sold)
    return last


def _repriced(request: Request, price: Price, sale_of: SaleOf) -> Repriced:
    tokens, units, service_tier = _tokens(request), tuple(request.units.items()), request.service_tier
    cost, customers = rate(tokens, price, request.markup_percent, units, service_tier)
    if request.price is not None:
        return Repriced(request, cost, request.price, price.id, was_sold=True)
    sale = sale_of(request.organization_id, request.rate_rule_id) if request.rate_rule_id else None
    sold = sell(sale, tokens, price, units, service_tier) if sale is not None else None
    return Repriced(request, cost, sold.price if sold else customers, price.id, was_sold=False)


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


def _add_to_rollups(repriced: Sequence[Repriced]) -> None:
    """Those that are in the roll-ups already; the others come with their batch, as they are now."""
    with connection.cursor() as cursor:
        for was_sold in (False, True):
            news = [each.request for each in repriced if each.was_sold is was_sold]
            for rollup in ROLLUPS if news else ():
                when, ids = [request.started_at for request in news], [request.id for request in news]
                cursor.execute(_correction(rollup, was_sold=was_sold), [when, ids])


def _correction(rollup: Rollup, *, was_sold: bool) -> str:
    late = f"(started_at, request.id) IN (SELECT * FROM unnest(%s::timestamptz[], %s::uuid[])) AND {IS_ROLLED_UP}"  # noqa: S608 ours
    is_same = " AND ".join(
        f"{rollup.table}.{name} {'IS NOT DISTINCT FROM' if name == 'end_user' else '='} late.{name}"
        for name in rollup.keys
    )
    return f"""
        {gathering(late)}
        UPDATE {rollup.table}
        SET cost = {rollup.table}.cost + late.cost,
            price = {rollup.table}.price{"" if was_sold else " + late.price"},
            unpriced = {rollup.table}.unpriced - late.requests
        FROM ({sums(rollup)}) AS late
        WHERE {is_same}
    """  # noqa: S608 constants of ours


def _note(repriced: Sequence[Repriced]) -> None:
    """In each operator's audit log: costs that change afterwards are to be explained."""
    by_organization: dict[UUID, list[Repriced]] = {}
    for each in repriced:
        by_organization.setdefault(each.request.organization_id, []).append(each)
    for organization in Organization.objects.filter(pk__in=by_organization):
        theirs = by_organization[organization.pk]
        audit.record(
            organization,
            "usage.reprice",
            organization,
            actor=None,
            changes={
                "requests_without_price": (len(theirs), 0),
                "cost": (None, sum((each.cost for each in theirs), Decimal(0))),
                "price": (None, sum((each.price for each in theirs if not each.was_sold), Decimal(0))),
            },
        )
