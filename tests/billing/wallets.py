"""Wallets with credit and usage, for tests; and what must hold of each wallet at any time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.db.models import Sum

from apps.billing.models import CreditLot, LedgerEntry, LotUse, Wallet
from apps.billing.services.lots import grant_credit
from apps.billing.services.wallets import open_wallet
from apps.customers.models import Customer
from tests.cast import a_customer, an_organization, reread
from tests.used import an_hour

NOON = datetime(2026, 10, 3, 12, tzinfo=UTC)
DAY = datetime(2026, 10, 3, tzinfo=UTC)
A_DAY = timedelta(days=1)

_numbers = count(1)


def a_wallet(customer: Customer | None = None, **fields: Any) -> Wallet:
    """Of a new customer, opened at noon of 3 October; prepaid unless told otherwise."""
    return open_wallet(customer or a_customer(an_organization()), by=None, at=NOON, **fields)


def a_lot(wallet: Wallet, amount: str | Decimal, *, at: datetime = NOON, **fields: Any) -> CreditLot:
    """Credit that was given."""
    values = {"key": f"test:{next(_numbers)}"} | fields
    lot, _ = grant_credit(wallet, Decimal(amount), at=at, by=None, **values)
    return lot


def usage(wallet: Wallet, price: str | Decimal, *, day: datetime = DAY) -> None:
    """Usage in the roll-ups, more than there is; below zero where a price was corrected."""
    an_hour(
        wallet.customer,
        day,
        price=Decimal(price),
        end_user=f"user-{next(_numbers)}",
        cost=Decimal(0),
        requests=1,
    )


def left_in(*lots: CreditLot) -> list[Decimal]:
    return [reread(lot).remaining.normalize() for lot in lots]


def assert_adds_up(wallet: Wallet) -> None:
    """balance = sum of entries = what is in the lots - what was overdrawn; and each lot has what was not taken."""
    wallet = reread(wallet)
    entries = LedgerEntry.objects.filter(account=wallet.account).aggregate(sum=Sum("amount"))["sum"] or 0
    in_lots = wallet.lots.aggregate(sum=Sum("remaining"))["sum"] or 0
    assert wallet.balance == entries == in_lots - wallet.overdrawn
    for lot in wallet.lots.all():
        used = LotUse.objects.filter(lot=lot).aggregate(sum=Sum("amount"))["sum"] or 0
        assert 0 <= lot.remaining == lot.amount - used
    days = wallet.drawn_days.aggregate(amount=Sum("amount"), paid=Sum("from_credit"))
    assert wallet.drawn == (days["amount"] or 0)
