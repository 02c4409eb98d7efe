"""What a wallet has drawn, counted by the days of another zone: no lot gives or gets anything by it.

The ledger's entries keep the day that they were booked for; `moved` says how much of each day they are of now.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from apps.billing.models import DrawnDay, Invoice, MovedDay, Wallet
from apps.billing.moving import Change, poured
from apps.billing.periods import begin_of, day_of
from apps.billing.queries.spend import spent_outside
from apps.billing.services.wallets import holding

State = Invoice.State
LIVE = (State.OPEN, State.PAID, State.UNCOLLECTIBLE)
ZERO = Decimal(0)

Prices = Mapping[datetime, Mapping[datetime, Decimal]]  # by day as it was, and day as it is now
Shares = list[tuple[datetime, datetime, Decimal, Decimal]]  # from a day to a day: usage, and what of it was paid


def move_wallet(wallet: Wallet, prices: Prices, change: Change, at: datetime) -> None:
    """prices: what its customer used."""
    with holding(wallet.pk, at=at) as held:
        shares = _shares(held, prices, change)
        rows = {row.day: row for row in held.drawn_days.all()}
        for before, now, amount, paid in shares:
            _shift(rows, held, before, -amount, -paid)
            _shift(rows, held, now, amount, paid)
        _begin_with_a_day(held, rows, prices, change)
        for row in rows.values():
            row.save()
        held.save(update_fields=["draws_from"])
        held.spent_before = spent_outside(held)
        _note_for_invoices(held, shares)


def _shares(wallet: Wallet, prices: Prices, change: Change) -> Shares:
    """What goes from each day to which."""
    found: Shares = []
    for row in wallet.drawn_days.order_by("day"):
        days = {day: price for day, price in prices.get(row.day, {}).items() if change.is_anew(day)}
        if not days or not change.is_anew(row.day):
            continue
        [amounts] = poured([row.amount], list(days.values()))
        [paid] = poured([row.from_credit], amounts)
        found += [
            (row.day, day, amount, share)
            for day, amount, share in zip(days, amounts, paid, strict=True)
            if day != row.day and (amount or share)
        ]
    return found


def _shift(rows: dict[datetime, DrawnDay], wallet: Wallet, day: datetime, amount: Decimal, paid: Decimal) -> None:
    row = rows.setdefault(day, DrawnDay(wallet=wallet, day=day))
    row.amount += amount
    row.from_credit += paid
    row.moved += paid


def _begin_with_a_day(wallet: Wallet, rows: dict[datetime, DrawnDay], prices: Prices, change: Change) -> None:
    """Its time begins with the day that it began in. What was used on that day before is accounted for: by others."""
    began = wallet.draws_from
    begins = begin_of(day_of(began, change.new), change.new)
    if begins == began or not change.is_anew(begins):
        return
    before = sum((days.get(begins, ZERO) for day, days in prices.items() if day < began), ZERO)
    if before:
        _shift(rows, wallet, begins, before, ZERO)
        wallet.drawn += before
    wallet.draws_from = begins


def _note_for_invoices(wallet: Wallet, shares: Shares) -> None:
    """What credit paid of an invoice's days was taken off that invoice, on whatever days it is counted now."""
    periods = Invoice.objects.filter(customer=wallet.customer_id, kind=Invoice.Kind.PERIOD, state__in=LIVE)
    spans = {
        pk: (since, until)
        for pk, since, until in periods.values_list("pk", "period_start", "period_end")
        if since is not None and until is not None
    }
    counted: dict[UUID, Decimal] = {}
    for before, now, _amount, paid in shares:
        if (was_of := _on(before, spans)) is None:
            continue  # on no invoice yet: what it is counted on now has it as late credit
        counted[was_of] = counted.get(was_of, ZERO) - paid
        if (is_of := _on(now, spans)) is not None:
            counted[is_of] = counted.get(is_of, ZERO) + paid
    MovedDay.objects.bulk_create(
        MovedDay(
            invoice_id=pk,
            customer_id=wallet.customer_id,
            day=spans[pk][0],
            provider="",
            model="",
            sold_as="",
            requests=0,
            price=ZERO,
            from_credit=amount,
        )
        for pk, amount in counted.items()
        if amount
    )


def _on(day: datetime, spans: Mapping[UUID, tuple[datetime, datetime]]) -> UUID | None:
    """The invoice whose period a day begins in."""
    for pk, (since, until) in spans.items():
        if since <= day < until:
            return pk
    return None
