"""Credit comes in lots, and is taken from them: by what was granted, bought, taken back or expired.

What usage takes is in `drawing.py`. `by` is who does it: a user, or None for a command or a process.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import F
from django.db.transaction import atomic
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import User
from apps.billing.burn import USUAL_PRIORITY
from apps.billing.errors import NotEnoughCredit
from apps.billing.models import CreditLot, LedgerAccount, LedgerTransaction, LotUse, Wallet
from apps.billing.models.parties import USD
from apps.billing.services.ledger import account_of, book
from apps.billing.services.wallets import holding
from apps.kit.failpoints import reach
from apps.kit.fields import AMOUNT_PLACES

Category, Source = CreditLot.Category, CreditLot.Source
Account, Kind = LedgerAccount.Kind, LedgerTransaction.Kind

ZERO = Decimal(0)
MOST = Decimal(10) ** 9  # USD at once
# What was used just before a lot expired is in the roll-ups by then, and paid from it.
EXPIRY_IS_BOOKED_AFTER = timedelta(minutes=1)
KINDS = {
    Source.TOP_UP: Kind.TOP_UP,
    Source.CREDIT_NOTE: Kind.CREDIT_NOTE,
    Source.GRANT: Kind.GRANT,
    Source.VOUCHER: Kind.GRANT,
    Source.ALLOWANCE: Kind.GRANT,
}


def add_lot(
    wallet: Wallet,
    amount: Decimal,
    *,
    key: str,
    at: datetime,
    source: CreditLot.Source,
    against: Mapping[LedgerAccount, Decimal],
    category: CreditLot.Category = Category.PAID,
    priority: int = USUAL_PRIORITY,
    effective_at: datetime | None = None,
    expires_at: datetime | None = None,
    note: str = "",
    told: Mapping[str, Any] | None = None,
) -> tuple[CreditLot, bool]:
    """Put credit into the wallet, once: a second call with the key gives the first's lot, and False.

    amount: in USD, above 0. What was used beyond the credit is paid from it first.
    key: what it is for, such as "top_up:<payment id>"; the wallet has one lot of it.
    against: the other entries of the transaction; with `amount` on the wallet's account they sum to zero.
    effective_at: since when it counts; not later than `at`. expires_at: the first instant without it.
    told: goes into the transaction's `source`.
    Raises ValidationError.
    """
    with holding(wallet.pk, at=at) as held:
        if known := held.lots.filter(key=key).first():
            return known, False
        paid = min(amount, held.overdrawn)
        lot = CreditLot(
            wallet=held,
            category=category,
            source=source,
            priority=priority,
            amount=amount,
            remaining=amount - paid,
            effective_at=effective_at or at,
            expires_at=expires_at,
            key=key,
            note=note,
            created_at=at,
        )
        _check(lot, at)
        lot.save(force_insert=True)
        customer = held.customer
        transaction, _is_new = book(
            customer.organization,
            KINDS[source],
            key=f"lot:{held.pk}:{key}",
            at=at,
            customer=customer,
            entries={held.account: amount, **against},
            source={"lot": str(lot.pk), **(told or {})},
        )
        if paid:
            LotUse.objects.create(lot=lot, transaction=transaction, amount=paid)
            held.overdrawn -= paid
    return lot, True


@atomic
def grant_credit(
    wallet: Wallet,
    amount: Decimal,
    *,
    key: str,
    at: datetime,
    by: User | None,
    source: CreditLot.Source = Source.GRANT,
    **fields: Any,
) -> tuple[CreditLot, bool]:
    """Give credit away: promotional, a voucher, what a plan includes. Once for each key; the rest as `add_lot`."""
    organization = wallet.customer.organization
    promotion = account_of(organization, Account.PROMOTION, USD)
    fields = {"category": Category.PROMOTIONAL} | fields
    lot, is_new = add_lot(wallet, amount, key=key, at=at, source=source, against={promotion: -amount}, **fields)
    if is_new:
        changes = audit.difference({}, audit.fields_of(lot, ("amount", "priority", "expires_at", "note")))
        audit.record(organization, "credit.grant", lot, actor=by, changes=changes, customer=wallet.customer)
    return lot, is_new


def take_credit(
    wallet: Wallet,
    amount: Decimal,
    *,
    key: str,
    at: datetime,
    kind: LedgerTransaction.Kind = Kind.ADJUSTMENT,
    against: Mapping[LedgerAccount, Decimal] | None = None,
    lots: Collection[CreditLot] | None = None,
    told: Mapping[str, Any] | None = None,
) -> tuple[LedgerTransaction, bool]:
    """Take unused credit out of the wallet, once for each key: a mistake put right, or money that goes back.

    amount: in USD, above 0. against: where it goes; None: back to what was given away. lots: only from these; None:
    from all, those that are used last first.
    Raises NotEnoughCredit, nothing changed, when there is less.
    """
    if amount <= 0:
        raise ValidationError(_("The amount must be above zero."))
    with holding(wallet.pk, at=at) as held:
        organization = held.customer.organization
        full_key = f"taken:{held.pk}:{key}"
        if known := LedgerTransaction.objects.filter(organization=organization, key=full_key).first():
            return known, False
        taken = _from_last(held, amount, at, lots)
        if against is None:
            against = {account_of(organization, Account.PROMOTION, USD): amount}
        transaction, _is_new = book(
            organization,
            kind,
            key=full_key,
            at=at,
            customer=held.customer,
            entries={held.account: -amount, **against},
            source=told,
        )
        note_uses(transaction, taken)
    return transaction, True


def take_owed(
    wallet: Wallet,
    amount: Decimal,
    *,
    key: str,
    at: datetime,
    against: Mapping[LedgerAccount, Decimal],
    lot: CreditLot | None,
    told: Mapping[str, Any],
) -> tuple[LedgerTransaction, bool]:
    """Take credit whose payment was taken back, once for each key, also where it is used already.

    What is left of `lot` goes first, then other credit, the last used first; what is beyond all of it makes the
    balance negative, and the next credit pays it. against: where it goes; zero with `amount` taken off the wallet.
    """
    with holding(wallet.pk, at=at) as held:
        organization = held.customer.organization
        full_key = f"taken:{held.pk}:{key}"
        if known := LedgerTransaction.objects.filter(organization=organization, key=full_key).first():
            return known, False
        taken, beyond = _from_lot_first(held, amount, at, lot)
        transaction, _is_new = book(
            organization,
            Kind.DISPUTE,
            key=full_key,
            at=at,
            customer=held.customer,
            entries={held.account: -amount, **against},
            source={**told, "overdrawn": str(beyond)},
        )
        note_uses(transaction, taken)
        held.overdrawn += beyond
    return transaction, True


@atomic
def adjust_credit(
    wallet: Wallet, amount: Decimal, *, key: str, reason: str, at: datetime, by: User | None
) -> tuple[LedgerTransaction, bool]:
    """Take credit away by hand, once for each key. Raises NotEnoughCredit, ValidationError."""
    transaction, is_new = take_credit(wallet, amount, key=key, at=at, told={"reason": reason})
    if is_new:
        changes: audit.Changes = {"taken": (None, amount), "reason": (None, reason)}
        customer = wallet.customer
        audit.record(customer.organization, "credit.take", wallet, actor=by, changes=changes, customer=customer)
    return transaction, is_new


def expire_lot(lot_id: UUID, *, at: datetime) -> Decimal:
    """Book what is left of a lot that has expired as such. Returns how much; 0 where there is nothing to do."""
    wallet_id = CreditLot.objects.values_list("wallet_id", flat=True).get(pk=lot_id)
    with holding(wallet_id, at=at) as held:
        lot = held.lots.filter(pk=lot_id, remaining__gt=0, expires_at__lte=at).first()
        if lot is None:
            return ZERO
        amount, organization = lot.remaining, held.customer.organization
        # What a correction gives back to it afterwards expires again, under the next number.
        before = lot.uses.filter(transaction__kind=Kind.EXPIRY).count()
        transaction, _is_new = book(
            organization,
            Kind.EXPIRY,
            key=f"expiry:{lot.pk}:{before + 1}",
            at=max(lot.expires_at or at, lot.effective_at),
            customer=held.customer,
            entries={held.account: -amount, account_of(organization, Account.BREAKAGE, USD): amount},
            source={"lot": str(lot.pk)},
        )
        note_uses(transaction, [(lot, amount)])
        reach("wallet_expired")
    return amount


def expired_lots(*, at: datetime) -> list[tuple[UUID, UUID]]:
    """The lots with something left that have expired at `at`, each with its wallet; the first to expire in front."""
    lots = CreditLot.objects.filter(remaining__gt=0, expires_at__lte=at)
    return list(lots.order_by("expires_at", "pk").values_list("wallet_id", "pk"))


def note_uses(transaction: LedgerTransaction, taken: list[tuple[CreditLot, Decimal]]) -> None:
    """Note what a transaction takes from lots (below zero: gives back), which have it no longer."""
    for lot, amount in taken:
        lot.remaining -= amount
        CreditLot.objects.filter(pk=lot.pk).update(remaining=F("remaining") - amount)
    LotUse.objects.bulk_create(LotUse(lot=lot, transaction=transaction, amount=amount) for lot, amount in taken)


def _from_last(
    wallet: Wallet, amount: Decimal, at: datetime, only: Collection[CreditLot] | None
) -> list[tuple[CreditLot, Decimal]]:
    lots = [lot for lot in reversed(wallet.lots.usable(at)) if only is None or lot in only]
    taken, left = [], amount
    for lot in lots:
        if left <= 0:
            break
        taken.append((lot, min(left, lot.remaining)))
        left -= taken[-1][1]
    if left > 0:
        there = amount - left
        raise NotEnoughCredit(_("There are only $%(there)s of unused credit to take.") % {"there": f"{there:.2f}"})
    return taken


def _from_lot_first(
    wallet: Wallet, amount: Decimal, at: datetime, first: CreditLot | None
) -> tuple[list[tuple[CreditLot, Decimal]], Decimal]:
    """What each lot gives, and what none has."""
    lots = list(reversed(wallet.lots.usable(at)))
    wanted = [lot for lot in lots if first is not None and lot.pk == first.pk]
    taken, left = [], amount
    for lot in (*wanted, *(lot for lot in lots if lot not in wanted)):
        if left <= 0:
            break
        taken.append((lot, min(left, lot.remaining)))
        left -= taken[-1][1]
    return taken, left


def _check(lot: CreditLot, at: datetime) -> None:
    if lot.effective_at > at:
        raise ValidationError({"effective_at": _("Credit is granted when it begins to count, not before.")})
    if lot.expires_at is not None and lot.expires_at <= at:
        raise ValidationError({"expires_at": _("This is in the past: the credit would be gone at once.")})
    if not 0 < lot.amount <= MOST:
        raise ValidationError({"amount": _("An amount above zero, and not above a billion dollars.")})
    if lot.amount != round(lot.amount, AMOUNT_PLACES):
        raise ValidationError({"amount": _("At most 12 decimal places.")})
    lot.full_clean(exclude=["wallet"], validate_unique=False, validate_constraints=False)
