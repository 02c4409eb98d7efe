"""Requests whose price was not known get one, and their hours and days with them.

A request that has a price keeps it, whatever the book says today; so a second run finds nothing to do.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from apps.accounts import audit
from apps.accounts.models import Organization
from apps.kit.locks import lock_name
from apps.pricing.history import PriceHistory
from apps.pricing.rating import Price, Tokens, rate
from apps.usage.gathering import gathering
from apps.usage.measures import IS_ROLLED_UP, ROLLUPS, Rollup, sums
from apps.usage.models import TOKEN_KINDS, Request, Result
from apps.usage.rollup import LOCK

AT_ONCE = 2_000
WITHOUT_PRICE = Q(cost=None) & ~Q(result__in=[Result.REFUSED, Result.UNFINISHED])

PriceOf = Callable[[Request], Price | None]


class Repriced(NamedTuple):
    """A request, and what it is now known to cost."""

    request: Request
    cost: Decimal
    price: Decimal
    price_id: int


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
    done, price_of = Repricing(), _price_book()
    rest = waiting
    while last := _reprice_some(rest[:AT_ONCE], price_of, done, is_dry_run=is_dry_run):
        rest = waiting.filter(pk__gt=last)
    return done


@transaction.atomic
def _reprice_some(
    waiting: Iterable[Request], price_of: PriceOf, done: Repricing, *, is_dry_run: bool
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
        cost, customers_price = rate(
            _tokens(request), price, request.markup_percent, tuple(request.units.items()), request.service_tier
        )
        repriced.append(Repriced(request, cost, customers_price, price.id))
    if repriced and not is_dry_run:
        _store(repriced)
        _add_to_rollups(repriced)
        _note(repriced)
    done.requests += len(repriced)
    done.cost += sum(each.cost for each in repriced)
    done.price += sum(each.price for each in repriced)
    return last


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
    when = [each.request.started_at for each in repriced]
    ids = [each.request.id for each in repriced]
    with connection.cursor() as cursor:
        for rollup in ROLLUPS:
            cursor.execute(_correction(rollup), [when, ids])


def _correction(rollup: Rollup) -> str:
    late = f"(started_at, request.id) IN (SELECT * FROM unnest(%s::timestamptz[], %s::uuid[])) AND {IS_ROLLED_UP}"  # noqa: S608 ours
    is_same = " AND ".join(
        f"{rollup.table}.{name} {'IS NOT DISTINCT FROM' if name == 'end_user' else '='} late.{name}"
        for name in rollup.keys
    )
    return f"""
        {gathering(late)}
        UPDATE {rollup.table}
        SET cost = {rollup.table}.cost + late.cost, price = {rollup.table}.price + late.price,
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
                "price": (None, sum((each.price for each in theirs), Decimal(0))),
            },
        )
