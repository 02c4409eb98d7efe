"""An organization changed its time zone: what was invoiced and drawn by days of the old one counts by days of the new.

Roll-ups are made anew with days of the new zone (apps.usage.rebuild). What invoices and wallets have of the old days
is moved to the new ones, as the requests were: so that nothing is billed or drawn twice, and no hour is left out.
Periods that are over stay as they are; the next one is the first of the new zone (invoicing/due.py).
Until all is done nothing is invoiced or drawn; whoever dies half way has moved nothing, and beat tries again.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts.models import Organization
from apps.billing.models import BilledZone, CreditedDay, InvoicedDay, MovedDay, Wallet
from apps.billing.moving import Change, poured
from apps.billing.periods import begin_of, day_of
from apps.billing.queries.parted_days import MEASURES, Measured, Parts, Used, parted_days, prices_of
from apps.billing.queries.zones import are_days_moving, billed_zones
from apps.billing.services.days import lock_days
from apps.billing.services.zone_wallets import LIVE, move_wallet
from apps.kit.failpoints import reach
from apps.usage.keeping import keeping_of, requests_since
from apps.usage.queries.periods import next_month
from apps.usage.rebuild import align_hours

A_DAY = timedelta(days=1)


def follow_zone(organization_id: UUID, *, at: datetime) -> bool:
    """Have all that was billed count by the days of the organization's zone. False: it does already."""
    organization = Organization.objects.get(pk=organization_id)
    if not are_days_moving(organization):
        return False
    align_hours(organization_id)
    with transaction.atomic():
        lock_days(organization, alone=True)
        now = Organization.objects.select_for_update(no_key=True).get(pk=organization_id)
        if now.time_zone != organization.time_zone or not are_days_moving(organization):
            return False  # changed once more, or done by somebody else
        old = billed_zones(organization)[-1].name
        change = Change(old, now.time_zone, _made_anew_since(now))
        for customer_id in now.customers.order_by("pk").values_list("pk", flat=True).iterator():
            _move_customer(customer_id, change, at)
            reach("customer_moved")
        first = next_month(day_of(at, old))
        BilledZone.objects.update_or_create(organization=now, since_on=first, defaults={"time_zone": now.time_zone})
    return True


def _made_anew_since(organization: Organization) -> datetime | None:
    """The first day of the new zone that has all its requests: what is before stays by the days that it had."""
    known = [each for each in (requests_since(), keeping_of(organization.pk).days_since) if each is not None]
    if not known:
        return None
    since, zone = max(known), organization.time_zone
    day = day_of(since, zone)
    begins = begin_of(day, zone)
    return begins if begins >= since else begin_of(day + A_DAY, zone)


def _move_customer(customer_id: UUID, change: Change, at: datetime) -> None:
    had = _invoiced(customer_id, change)
    wallet = Wallet.objects.filter(customer=customer_id).first()
    if not had and wallet is None:
        return
    parts = parted_days(customer_id, change.old, change.new, since=change.since)
    moved = [row for used, by_invoice in had.items() for row in _moved(customer_id, used, by_invoice, parts, change)]
    MovedDay.objects.bulk_create(moved, 1000)
    if wallet is not None:
        move_wallet(wallet, prices_of(parts), change, at)


def _invoiced(customer_id: UUID, change: Change) -> dict[Used, dict[UUID, dict[str, int | Decimal]]]:
    """What final invoices have of each day, by invoice in order of time; drafts are built anew by themselves."""
    of: dict[str, Any] = {"customer": customer_id}
    if change.since is not None:
        of["day__gt"] = change.since - A_DAY
    final = {"invoice__state__in": LIVE}
    invoiced = InvoicedDay.objects.filter(**of, **final).order_by("invoice__period_start", "pk")
    credited = CreditedDay.objects.filter(**of).select_related("credit_note")
    moved = MovedDay.objects.filter(**of, **final).exclude(model="", price=0)
    rows: list[tuple[UUID, InvoicedDay | CreditedDay | MovedDay]] = [
        *((row.invoice_id, row) for row in invoiced),
        *((row.credit_note.invoice_id, row) for row in credited),
        *((row.invoice_id, row) for row in moved),
    ]
    found: dict[Used, dict[UUID, dict[str, int | Decimal]]] = {}
    for invoice_id, each in rows:
        used = Used(each.day, each.provider, each.model, each.sold_as)
        sums = found.setdefault(used, {}).setdefault(invoice_id, dict.fromkeys(MEASURES, 0))
        counts = {"requests": each.requests, "price": each.price, **each.tokens}
        for name, count in counts.items():
            sums[name] += count
    return found


def _moved(
    customer_id: UUID, used: Used, by_invoice: Mapping[UUID, Measured], parts: Parts, change: Change
) -> Iterable[MovedDay]:
    """The rows that take it off the day that it was on, and put it on those that its requests are on now."""
    days = dict(parts.get(used, {}))
    if not days or list(days) == [used.day]:
        return []
    if not change.is_anew(used.day):  # its row is still there, and hours of it are in the first new day, too
        days = {day: each for day, each in days.items() if change.is_anew(day)} | {used.day: dict.fromkeys(MEASURES, 0)}
    invoices, now = list(by_invoice), list(days)
    shares: dict[tuple[UUID, datetime], dict[str, int | Decimal]] = {}
    for name in MEASURES:
        amounts = [by_invoice[each][name] for each in invoices]
        found = poured(amounts, [days[day][name] for day in now])  # type: ignore[type-var]
        for invoice_id, amount, row in zip(invoices, amounts, found, strict=True):
            if change.is_anew(used.day):
                _add(shares, invoice_id, used.day, name, -amount)
            for day, share in zip(now, row, strict=True):
                if change.is_anew(day):
                    _add(shares, invoice_id, day, name, share)
    return [
        _row(customer_id, invoice_id, used, day, sums)
        for (invoice_id, day), sums in shares.items()
        if any(sums.values())
    ]


def _add(
    shares: dict[tuple[UUID, datetime], dict[str, int | Decimal]],
    invoice_id: UUID,
    day: datetime,
    name: str,
    amount: int | Decimal,
) -> None:
    sums = shares.setdefault((invoice_id, day), dict.fromkeys(MEASURES, 0))
    sums[name] += amount


def _row(customer_id: UUID, invoice_id: UUID, used: Used, day: datetime, sums: Measured) -> MovedDay:
    tokens = {name: count for name, count in sums.items() if name not in ("requests", "price") and count}
    return MovedDay(
        invoice_id=invoice_id,
        customer_id=customer_id,
        day=day,
        provider=used.provider,
        model=used.model,
        sold_as=used.sold_as,
        requests=int(sums["requests"]),
        price=sums["price"],
        tokens=tokens,
    )
