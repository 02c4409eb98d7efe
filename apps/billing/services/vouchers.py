"""Vouchers: codes that are worth credit. A code is shown once, to whoever makes it; only its hash is stored.

`by` is who does it: a user, or None for a command.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.billing.errors import NotPossible
from apps.billing.models import CreditLot, Voucher, Wallet
from apps.billing.periods import A_MOMENT
from apps.billing.queries.zones import zone_of
from apps.billing.services.lots import MOST, grant_credit
from apps.billing.services.wallets import open_wallet
from apps.customers.models import Customer
from apps.customers.services import lock as lock_customer

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: nothing in it is taken for anything else
READ_AS = str.maketrans("OIL", "011")
LENGTH = 20  # characters of 5 bits: nobody tries that many
GROUP = 5
MOST_AT_ONCE = 1_000


@transaction.atomic
def make_vouchers(
    organization: Organization,
    amount: Decimal,
    *,
    by: User | None,
    at: datetime,
    count: int = 1,
    most_uses: int = 1,
    expires_at: datetime | None = None,
    credit_days: int | None = None,
    note: str = "",
) -> list[tuple[Voucher, str]]:
    """So many new codes, each worth `amount` USD to each customer that uses it; with the codes, for this once.

    most_uses: how many customers may use each. expires_at: the first instant at which it can be used no longer.
    credit_days: how long its credit lasts once it is used; None: for ever. Raises ValidationError.
    """
    if not 1 <= count <= MOST_AT_ONCE:
        raise ValidationError({"count": _("Between 1 and %(most)d at once.") % {"most": MOST_AT_ONCE}})
    if not 0 < amount <= MOST:
        raise ValidationError({"amount": _("An amount above zero, and not above a billion dollars.")})
    if expires_at is not None and expires_at <= at:
        raise ValidationError({"expires_at": _("This is in the past.")})
    codes = [_new_code() for _ in range(count)]
    fields: dict[str, Any] = {
        "amount": amount,
        "most_uses": most_uses,
        "expires_at": expires_at,
        "credit_days": credit_days,
    }
    vouchers = [
        Voucher(organization=organization, code_hash=hash_of(code), hint=code[-4:], note=note, created_at=at, **fields)
        for code in codes
    ]
    vouchers[0].full_clean()
    Voucher.objects.bulk_create(vouchers)
    changes = audit.difference({}, {**fields, "count": count, "note": note})
    audit.record(organization, "voucher.add", vouchers[0], actor=by, changes=changes)
    return list(zip(vouchers, codes, strict=True))


@transaction.atomic
def redeem_voucher(customer: Customer, code: str, *, by: User | None, at: datetime) -> tuple[CreditLot, bool]:
    """The credit that the code is worth. The same code again gives the same lot, and False.

    A customer without a wallet gets one that pays first and leaves the rest for the invoice: nobody's calls are
    refused for having been given something. Raises NotPossible, which doesn't say whether there is such a code.
    """
    customer = lock_customer(customer)
    vouchers = Voucher.objects.filter(organization=customer.organization, code_hash=hash_of(code))
    voucher_id = vouchers.values_list("pk", flat=True).first()
    if voucher_id is None:
        raise NotPossible(_("This code can’t be used. Look whether it is typed as it was given to you."))
    wallet = open_wallet(customer, settlement=Wallet.Settlement.CREDIT_FIRST, by=by, at=at)
    key = f"voucher:{voucher_id}"
    if known := wallet.lots.filter(key=key).first():
        return known, False
    # Wallet before voucher: the wallet is held by the lot's own transaction, and of the voucher there is one row.
    voucher = Voucher.objects.select_for_update(no_key=True).get(pk=voucher_id)
    _check_usable(voucher, at)
    Voucher.objects.filter(pk=voucher.pk).update(uses=voucher.uses + 1)
    expires_at = None if voucher.credit_days is None else at + timedelta(days=voucher.credit_days)
    return grant_credit(
        wallet,
        voucher.amount,
        key=key,
        at=at,
        by=by,
        source=CreditLot.Source.VOUCHER,
        expires_at=expires_at,
        note=_("Voucher %(voucher)s") % {"voucher": voucher},
        told={"voucher": str(voucher.pk)},
    )


@transaction.atomic
def revoke_voucher(voucher: Voucher, *, by: User | None, at: datetime) -> Voucher:
    """Let nobody use it from now on; what was given for it stays. One that is revoked stays as it is."""
    voucher = (
        Voucher.objects.select_for_update(of=("self",), no_key=True).select_related("organization").get(pk=voucher.pk)
    )
    if voucher.revoked_at is None:
        voucher.revoked_at = at
        voucher.save(update_fields=["revoked_at"])
        audit.record(voucher.organization, "voucher.revoke", voucher, actor=by)
    return voucher


def hash_of(code: str) -> bytes:
    """What is stored of a code, however it is typed: SHA-256 (100 random bits need no salt)."""
    typed = "".join(code.upper().translate(READ_AS).split()).replace("-", "")
    return hashlib.sha256(typed.encode("utf-8", "surrogatepass")).digest()


def _new_code() -> str:
    """Such as 7K2MQ-X04TR-9ZJ5B-HD3WE."""
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(drawn[at : at + GROUP] for at in range(0, LENGTH, GROUP))


def _check_usable(voucher: Voucher, at: datetime) -> None:
    if voucher.revoked_at is not None:
        raise NotPossible(_("This code was withdrawn."))
    if voucher.expires_at is not None and voucher.expires_at <= at:
        last = (voucher.expires_at - A_MOMENT).astimezone(zone_of(voucher.organization))
        raise NotPossible(_("This code could be used until %(day)s.") % {"day": date_format(last, "j M Y")})
    if voucher.uses >= voucher.most_uses:
        raise NotPossible(_("This code was used up."))
