"""Figures of wallets: what is left, how fast it goes, and what it came from and went to."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Count, Min, Q, QuerySet, Sum

from apps.accounts.models import Organization
from apps.billing.models import LedgerEntry, Wallet
from apps.usage.models import DailyCustomer
from apps.usage.queries.periods import midnight

BURN_DAYS = 7  # whole ones, before today
SOON = timedelta(days=30)
A_DAY = timedelta(days=1)
ZERO = Decimal(0)

# A line for each day's usage, however often it was drawn, and one for everything else; the newest first.
HISTORY = """
SELECT kind, at, amount, draws, source, id FROM (
    SELECT 'usage' AS kind, day AS at, -from_credit AS amount, draws, '{}'::jsonb AS source, NULL::uuid AS id,
        1 AS rank
    FROM billing_drawnday WHERE wallet_id = %(wallet)s AND from_credit <> 0
    UNION ALL
    SELECT kind, transaction.at, entry.amount, 1, source, transaction.id, 0
    FROM billing_ledgerentry AS entry JOIN billing_ledgertransaction AS transaction ON transaction.id = transaction_id
    WHERE account_id = %(account)s AND kind <> 'usage'
) AS lines
ORDER BY at DESC, rank, id DESC LIMIT %(limit)s OFFSET %(offset)s
"""
LINES = """
SELECT (SELECT count(*) FROM billing_drawnday WHERE wallet_id = %(wallet)s AND from_credit <> 0)
    + (SELECT count(*) FROM billing_ledgerentry AS entry JOIN billing_ledgertransaction AS transaction
       ON transaction.id = transaction_id WHERE account_id = %(account)s AND kind <> 'usage')
"""


class Line(NamedTuple):
    """Of a wallet's history: a day's usage, or something else that happened to it."""

    kind: str  # of LedgerTransaction.Kind
    at: datetime  # of usage: when its day began
    amount: Decimal
    draws: int
    source: Mapping[str, Any]
    id: UUID | None  # the transaction's; None: a day's usage


class History:
    """The lines of a wallet, for a paginator."""

    def __init__(self, wallet: Wallet) -> None:
        self._of: dict[str, Any] = {"wallet": wallet.pk, "account": wallet.account_id}

    def __len__(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(LINES, self._of)
            count: int = cursor.fetchone()[0]
        return count

    def __getitem__(self, wanted: slice) -> list[Line]:
        start = wanted.start or 0
        values = self._of | {"offset": start, "limit": None if wanted.stop is None else wanted.stop - start}
        with connection.cursor() as cursor:
            cursor.execute(HISTORY, values)
            return [
                Line(kind, at, amount, draws, json.loads(source), booked)
                for kind, at, amount, draws, source, booked in cursor.fetchall()
            ]


@dataclass(frozen=True)
class WalletFigures:
    """Where a wallet stands. Amounts are in USD."""

    balance: Decimal
    a_day: Decimal  # used a day, lately
    expiring: Decimal  # within 30 days
    next_expiry: datetime | None

    @property
    def days_left(self) -> int | None:
        """At the rate of lately; None: nothing is used."""
        if self.a_day <= 0:
            return None
        return max(0, int(self.balance / self.a_day))


def figures_of(wallets: Iterable[Wallet], *, at: datetime) -> dict[UUID, WalletFigures]:
    """Of each, by the wallet's id. Three queries, of one organization's wallets."""
    wallets = list(wallets)
    if not wallets:
        return {}
    burn = _burn([wallet.customer_id for wallet in wallets], wallets[0].customer.organization, at)
    soon = Q(lots__remaining__gt=0, lots__expires_at__gt=at, lots__expires_at__lte=at + SOON)
    rows = Wallet.objects.filter(pk__in=[wallet.pk for wallet in wallets])
    expiring = {
        row["pk"]: row
        for row in rows.values("pk").annotate(
            left=Sum("lots__remaining", filter=soon), first=Min("lots__expires_at", filter=soon)
        )
    }
    return {
        wallet.pk: WalletFigures(
            wallet.balance,
            burn.get(wallet.customer_id, ZERO),
            expiring[wallet.pk]["left"] or ZERO,
            expiring[wallet.pk]["first"],
        )
        for wallet in wallets
    }


def wallets_of(organization: Organization, *, wanted: str = "") -> QuerySet[Wallet]:
    """With customer and account, those that have the least left first."""
    wallets = Wallet.objects.filter(customer__organization=organization)
    if wanted:
        wallets = wallets.filter(customer__name__icontains=wanted)
    return wallets.select_related("account", "customer__organization").order_by("account__balance", "pk")


class Outstanding(NamedTuple):
    """What an organization's wallets come to."""

    wallets: int
    owed: Decimal  # credit that customers have yet to use
    overdrawn: Decimal


def outstanding(organization: Organization) -> Outstanding:
    """All wallets together."""
    found = Wallet.objects.filter(customer__organization=organization).aggregate(
        wallets=Count("pk"),
        owed=Sum("account__balance", filter=Q(account__balance__gt=0)),
        overdrawn=Sum("account__balance", filter=Q(account__balance__lt=0)),
    )
    return Outstanding(found["wallets"], found["owed"] or ZERO, -(found["overdrawn"] or ZERO))


def entries_of(wallet: Wallet) -> QuerySet[LedgerEntry]:
    """What was booked on the wallet's account, the newest first."""
    return LedgerEntry.objects.filter(account_id=wallet.account_id).select_related("transaction").order_by("-pk")


def balance_after(wallet: Wallet, entry: LedgerEntry) -> Decimal:
    """What there was once that entry was booked."""
    later = LedgerEntry.objects.filter(account_id=wallet.account_id, pk__gt=entry.pk)
    since: Decimal = later.aggregate(sum=Sum("amount"))["sum"] or ZERO
    return wallet.balance - since


def _days(first: datetime, until: datetime) -> int:
    """From one midnight to another: clocks may have changed in between."""
    return max(1, round((until - first) / A_DAY))


def _burn(customers: list[UUID], organization: Organization, at: datetime) -> dict[UUID, Decimal]:
    """What they use a day: of the days of the last week since the first usage in it; else of today so far."""
    zone = ZoneInfo(organization.time_zone)
    today = at.astimezone(zone).date()
    since, until = midnight(today - timedelta(days=BURN_DAYS), zone), midnight(today, zone)
    days = DailyCustomer.objects.filter(customer_id__in=customers, day__gte=since, price__gt=0)
    used = days.filter(day__lt=until).values("customer_id").annotate(used=Sum("price"), first=Min("day"))
    found = {row["customer_id"]: row["used"] / _days(row["first"], until) for row in used}
    begun_today = days.filter(day__gte=until).exclude(customer_id__in=found)
    return dict(begun_today.values_list("customer_id", "price")) | found
