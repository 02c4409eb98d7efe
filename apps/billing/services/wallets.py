"""Wallets: opened, set, and held while something changes in them.

`by` is who does it: a user, or None for a command.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import User
from apps.billing.models import LedgerAccount, Wallet
from apps.billing.models.parties import USD
from apps.billing.queries.spend import spent_outside
from apps.billing.services.ledger import account_of
from apps.billing.services.low_balance import watch_balance
from apps.customers.models import Customer
from apps.customers.services import lock as lock_customer
from apps.customers.services import notify_grants
from apps.usage.queries.periods import midnight

Settlement = Wallet.Settlement
FIELDS = ("settlement", "low_balance", "credit_line")


@transaction.atomic
def open_wallet(
    customer: Customer, *, by: User | None, at: datetime, settlement: Settlement = Settlement.PREPAID, **fields: Any
) -> Wallet:
    """Pay the customer's usage from credit, from the day on that `at` is in. A wallet that is there stays as it is.

    settlement: PREPAID refuses calls once the credit is used up, on every proxy and within a second.
    fields: from FIELDS. Raises ValidationError.
    """
    customer = lock_customer(customer)
    if known := Wallet.objects.filter(customer=customer).first():
        return known
    zone = ZoneInfo(customer.organization.time_zone)
    draws_from = midnight(at.astimezone(zone).date(), zone)
    wallet = Wallet(
        customer=customer,
        account=account_of(customer.organization, LedgerAccount.Kind.CREDIT, USD, customer),
        draws_from=draws_from,
        created_at=at,
    )
    _set(wallet, {"settlement": settlement} | fields, at)
    wallet.full_clean()
    wallet.save(force_insert=True)
    wallet.spent_before = spent_outside(wallet)
    wallet.save(update_fields=["spent_before"])
    changes = audit.difference({}, audit.fields_of(wallet, FIELDS))
    audit.record(customer.organization, "wallet.open", wallet, actor=by, changes=changes, customer=customer)
    notify_grants(customer_id=customer.pk)
    return wallet


def update_wallet(wallet: Wallet, *, by: User | None, at: datetime, **changes: Any) -> Wallet:
    """Change some of FIELDS; holds for the next call on every proxy. Raises ValidationError."""
    with holding(wallet.pk, at=at) as held:
        before = audit.fields_of(held, FIELDS)
        _set(held, changes, at)
        held.full_clean()
        if difference := audit.difference(before, audit.fields_of(held, FIELDS)):
            customer = held.customer
            audit.record(customer.organization, "wallet.update", held, actor=by, changes=difference, customer=customer)
            notify_grants(customer_id=customer.pk)
    return held


@contextmanager
def holding(wallet_id: UUID, *, at: datetime) -> Iterator[Wallet]:
    """The wallet as it is now, one transaction at a time; saved at the end.

    If what may be spent is another afterwards, the proxies are told; if little is left, whoever is to know.
    """
    with transaction.atomic():
        wallet = (
            Wallet.objects.select_for_update(of=("self",), no_key=True)
            .select_related("customer__organization")
            .get(pk=wallet_id)
        )
        before = wallet.ceiling  # its account is read after the lock was had
        yield wallet
        wallet.account.refresh_from_db()
        watch_balance(wallet, at=at)
        wallet.save()
        if wallet.is_prepaid and wallet.ceiling != before:
            notify_grants(customer_id=wallet.customer_id)


def _set(wallet: Wallet, changes: dict[str, Any], at: datetime) -> None:
    if unknown := changes.keys() - set(FIELDS):
        raise TypeError(f"not a field of a wallet: {', '.join(sorted(unknown))}")
    for name, value in changes.items():
        setattr(wallet, name, value)
    if not wallet.is_prepaid:
        wallet.prepaid_since = None
    elif wallet.prepaid_since is None:
        wallet.prepaid_since = at
    if "low_balance" in changes:
        wallet.low_balance_told_at = None
