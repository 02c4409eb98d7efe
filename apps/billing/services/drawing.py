"""Usage is paid from credit: what the roll-ups have of a day, and the wallet has not accounted for yet.

Late usage and new prices come by themselves, as a difference. Drawing twice changes nothing, ten at once neither;
whoever dies half way has changed nothing. Source: BILLING.md 2.5.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet, Sum

from apps.accounts.models import Organization
from apps.billing.burn import Lot, plan_draw
from apps.billing.models import CreditLot, DrawnDay, LedgerAccount, LedgerTransaction, LotUse, Wallet
from apps.billing.models.parties import USD
from apps.billing.queries.spend import UndrawnDay, spent_outside, undrawn_days
from apps.billing.queries.zones import are_days_moving
from apps.billing.services.days import lock_days
from apps.billing.services.ledger import account_of, book
from apps.billing.services.lots import ZERO, note_uses
from apps.billing.services.wallets import holding
from apps.kit.failpoints import reach

Kind = LedgerTransaction.Kind
A_MOMENT = timedelta(microseconds=1)
A_DAY = timedelta(days=1)
NOT_USAGE = (Kind.EXPIRY, Kind.ADJUSTMENT, Kind.REFUND, Kind.DISPUTE)  # what these took, no usage gives back

Shares = list[tuple[CreditLot, Decimal]]


def draw_usage(wallet_id: UUID, *, at: datetime, since: datetime | None = None) -> Decimal:
    """Have the wallet pay for what was used. Returns what that was, below zero where it was too much before.

    since: only of the days from then on; None: of all, and what was used before the wallet's time is looked up
    anew too. While the organization's days are made anew for another zone, nothing is drawn: the next draw does it.
    """
    organization = Organization.objects.get(customers__wallet=wallet_id)
    with transaction.atomic():
        lock_days(organization)
        return _draw(organization, wallet_id, at, since)


def _draw(organization: Organization, wallet_id: UUID, at: datetime, since: datetime | None) -> Decimal:
    with holding(wallet_id, at=at) as wallet:
        days = undrawn_days(wallet, since=since)
        if are_days_moving(organization):
            return ZERO
        drawn = {row.day: row for row in wallet.drawn_days.filter(day__in=[day.day for day in days])}
        rows = [(day, drawn.get(day.day) or DrawnDay(wallet=wallet, day=day.day)) for day in days]
        before = wallet.drawn
        for day, row in sorted(rows, key=lambda pair: (pair[0].price > pair[1].amount, pair[0].day)):
            _draw_day(wallet, day, row, at)
            reach("wallet_day_drawn")
        if since is None:
            wallet.spent_before = spent_outside(wallet)
        reach("wallet_drawn")
    return wallet.drawn - before


def _draw_day(wallet: Wallet, day: UndrawnDay, row: DrawnDay, at: datetime) -> None:
    """What is used less than before is first taken from what credit did not pay: that was the last."""
    more, amount_before = day.price - row.amount, row.amount
    if more > 0:
        shares, overdrawn = _paying(wallet, day, more, at)
    else:
        back = max(-more - (row.amount - row.from_credit), ZERO)
        overdrawn = -min(back, wallet.overdrawn)
        shares = _giving_back(wallet, row, back + overdrawn)
    paid = sum((amount for _, amount in shares), overdrawn)
    row.amount, row.from_credit = day.price, row.from_credit + paid
    wallet.drawn += more
    wallet.overdrawn += overdrawn
    if paid:
        row.draws += 1
        _book(wallet, row, paid, shares, amount_before, at)
    row.save()


def _book(wallet: Wallet, row: DrawnDay, paid: Decimal, shares: Shares, before: Decimal, at: datetime) -> None:
    organization = wallet.customer.organization
    revenue = account_of(organization, LedgerAccount.Kind.REVENUE, USD)
    booked, _is_new = book(
        organization,
        Kind.USAGE,
        key=f"{_key_of(row)}{row.draws}",
        at=min(at, row.day + A_DAY - A_MOMENT),
        customer=wallet.customer,
        entries={wallet.account: -paid, revenue: paid},
        source={"day": row.day.astimezone(UTC).isoformat(), "used_before": str(before), "used": str(row.amount)},
    )
    note_uses(booked, shares)


def _key_of(row: DrawnDay) -> str:
    """How the keys of the day's transactions begin."""
    return f"usage:{row.wallet_id}:{row.day.astimezone(UTC).isoformat()}:"


def _paying(wallet: Wallet, day: UndrawnDay, amount: Decimal, at: datetime) -> tuple[Shares, Decimal]:
    """What each lot pays, and what is beyond all credit. With credit first, that is for the invoice."""
    lots = {lot.pk: lot for lot in wallet.lots.filter(remaining__gt=0, effective_at__lte=at)}
    usable = [_as_value(lot, at) for lot in lots.values() if lot.expires_at is None or lot.expires_at > day.day]
    draws, short_by = plan_draw(amount, usable, at=at)
    return [(lots[draw.lot.key], draw.amount) for draw in draws], short_by if wallet.is_prepaid else ZERO  # type: ignore[index]


def _as_value(lot: CreditLot, at: datetime) -> Lot:
    """A lot pays for the day on which it expires until it is booked as expired: how long it did is not known finer."""
    expires_at = None if lot.expires_at is None else max(lot.expires_at, at + A_MOMENT)
    return Lot(
        lot.pk, lot.remaining, lot.effective_at, expires_at, lot.priority, lot.category, created_at=lot.created_at
    )


def _giving_back(wallet: Wallet, row: DrawnDay, amount: Decimal) -> Shares:
    """What goes back to each lot: to those that paid for the day, the latest first; then to any that usage took from.

    The others are those that paid later for what had been used beyond the credit.
    """
    uses = LotUse.objects.filter(lot__wallet=wallet).exclude(transaction__kind__in=NOT_USAGE)
    of_day = uses.filter(transaction__key__startswith=_key_of(row))
    back: dict[CreditLot, Decimal] = {}
    left = amount
    for some in (of_day, uses):
        for lot, taken in _net(some):
            share = min(left, taken - back.get(lot, ZERO), lot.amount - lot.remaining - back.get(lot, ZERO))
            if share > 0:
                back[lot] = back.get(lot, ZERO) + share
                left -= share
    assert not left, f"{wallet}: {left} were paid by no lot"
    return [(lot, -share) for lot, share in back.items()]


def _net(uses: "QuerySet[LotUse]") -> list[tuple[CreditLot, Decimal]]:
    """What these took of each lot all in all; the lot that was taken from last is the first."""
    sums = dict(uses.values_list("lot").annotate(Sum("amount")).values_list("lot", "amount__sum"))
    order = dict.fromkeys(uses.order_by("-pk").values_list("lot", flat=True))
    lots = CreditLot.objects.in_bulk(list(order))
    return [(lots[lot_id], sums[lot_id]) for lot_id in order]
