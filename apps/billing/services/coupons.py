"""Coupons: made, retired, given to customers and taken from them. `by` is a user, or None for a command."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.billing.errors import NotPossible
from apps.billing.models import AppliedCoupon, Coupon
from apps.billing.money import UnknownCurrency, minor_units
from apps.customers.models import Customer
from apps.customers.services import lock as lock_customer

FIELDS = ("code", "percent", "amount", "currency", "periods")


@transaction.atomic
def add_coupon(organization: Organization, *, by: User | None, at: datetime, **fields: Any) -> Coupon:
    """A discount of `percent`, or of `amount` in `currency`, for so many `periods`; None: for ever.

    Raises ValidationError: it is neither or both, or the code is taken.
    """
    coupon = Coupon(organization=organization, created_at=at, **fields)
    coupon.code = coupon.code.strip().upper()
    _check(coupon)
    coupon.full_clean()
    coupon.save(force_insert=True)
    changes = audit.difference({}, audit.fields_of(coupon, FIELDS))
    audit.record(organization, "coupon.add", coupon, actor=by, changes=changes)
    return coupon


@transaction.atomic
def retire_coupon(coupon: Coupon, *, by: User | None, at: datetime) -> Coupon:
    """Give it to nobody new; who has it keeps it. One that is retired stays so."""
    coupon = Coupon.objects.select_for_update(no_key=True, of=("self",)).get(pk=coupon.pk)
    if coupon.retired_at is None:
        coupon.retired_at = at
        coupon.save(update_fields=["retired_at"])
        changes: audit.Changes = {"retired_at": (None, at)}
        audit.record(coupon.organization, "coupon.retire", coupon, actor=by, changes=changes)
    return coupon


@transaction.atomic
def apply_coupon(customer: Customer, coupon: Coupon, *, by: User | None, at: datetime) -> AppliedCoupon:
    """Let the customer have it from its next invoice on. Raises NotPossible: it is retired, or it has it."""
    customer = lock_customer(customer)
    if coupon.organization_id != customer.organization_id or coupon.retired_at is not None:
        raise NotPossible(_("There is no such coupon any more."))
    if customer.coupons.filter(coupon=coupon, removed_at=None).exclude(periods_left=0).exists():
        raise NotPossible(_("%(customer)s has %(coupon)s already.") % {"customer": customer, "coupon": coupon})
    customer.coupons.filter(coupon=coupon, removed_at=None).update(removed_at=at)  # one that is used up
    applied = AppliedCoupon.objects.create(customer=customer, coupon=coupon, periods_left=coupon.periods, created_at=at)
    _record(applied, "coupon.apply", {"coupon": (None, coupon.code)}, by=by)
    return applied


@transaction.atomic
def remove_coupon(applied: AppliedCoupon, *, by: User | None, at: datetime) -> AppliedCoupon:
    """Take it from the customer: invoices that are final keep it. One that is gone stays so."""
    lock_customer(applied.customer)
    if AppliedCoupon.objects.filter(pk=applied.pk, removed_at=None).update(removed_at=at):
        _record(applied, "coupon.remove", {"coupon": (applied.coupon.code, None)}, by=by)
    return applied


def _check(coupon: Coupon) -> None:
    if (coupon.percent is None) == (coupon.amount is None):
        raise ValidationError(_("Give a percentage or an amount."))
    if coupon.periods == 0:
        raise ValidationError({"periods": _("At least one period; nothing stands for ever.")})
    try:
        minor_units(coupon.currency)
    except UnknownCurrency:
        raise ValidationError({"currency": _("There is no such currency in use.")}) from None


def _record(applied: AppliedCoupon, action: str, changes: audit.Changes, *, by: User | None) -> None:
    customer = applied.customer
    audit.record(customer.organization, action, customer, actor=by, changes=changes, customer=customer)
