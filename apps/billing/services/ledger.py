"""The one that writes the ledger. The database sees to it that transactions add up: see migration 0002."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from apps.accounts.models import Organization
from apps.billing.models import LedgerAccount, LedgerEntry, LedgerTransaction
from apps.customers.models import Customer

Kind = LedgerAccount.Kind
OF_CUSTOMER = frozenset((Kind.CREDIT, Kind.RECEIVABLE))


def account_of(
    organization: Organization, kind: LedgerAccount.Kind, currency: str, customer: Customer | None = None
) -> LedgerAccount:
    """The account, made when it is first asked for. customer: None for what is the organization's."""
    account, _ = LedgerAccount.objects.get_or_create(
        organization=organization,
        customer=customer if kind in OF_CUSTOMER else None,
        kind=kind,
        currency=currency,
    )
    return account


@transaction.atomic
def book(
    organization: Organization,
    kind: LedgerTransaction.Kind,
    *,
    key: str,
    at: datetime,
    entries: Mapping[LedgerAccount, Decimal],
    customer: Customer | None = None,
    source: Mapping[str, Any] | None = None,
) -> tuple[LedgerTransaction, bool]:
    """Book what happened, once: a second call with the same key gives the first's transaction, and False.

    key: what happened, such as "payment:<id>"; unique in the organization.
    at: when it happened, not when it is booked.
    entries: what is added to each account, below zero for what is taken; zeros are left out. They sum to zero
    in each currency, or the commit fails.
    """
    booked, is_new = LedgerTransaction.objects.get_or_create(
        organization=organization,
        key=key,
        defaults={"customer": customer, "kind": kind, "at": at, "source": dict(source or {})},
    )
    if is_new:
        moved = [(account, amount) for account, amount in entries.items() if amount]
        # In the order of their ids: whoever else books on the same accounts waits, and none waits in a circle.
        for account, amount in sorted(moved, key=lambda entry: entry[0].pk):
            LedgerEntry.objects.create(transaction=booked, account=account, amount=amount)
    return booked, is_new
