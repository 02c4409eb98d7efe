"""What changes the customers' proxy keys. A key in clear is given once, by the call that makes it."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User
from apps.customers.limit_fields import ACCESS, LIMITS
from apps.customers.models import Customer
from apps.keys import token
from apps.keys.errors import ProxyKeyRefused
from apps.keys.models import ProxyKey
from apps.kit.notify import notify

LIMITED = (*LIMITS, *ACCESS)
NO_OVERLAP = timedelta(0)
LONGEST_OVERLAP = timedelta(days=90)


@transaction.atomic
def mint_proxy_key(
    customer: Customer,
    *,
    name: str,
    by: User | None,
    expires_at: datetime | None = None,
    at: datetime | None = None,
    **limits: Any,
) -> tuple[ProxyKey, str]:
    """A new key for the customer, and the key in clear, which is not to be had again.

    expires_at: the first instant without it, after `at` (default: now).
    limits: some of LIMITED, within the customer's own; those left out are none.
    Raises ValidationError, ProxyKeyRefused.
    """
    at = at or timezone.now()
    if expires_at is not None and expires_at <= at:
        raise ProxyKeyRefused("The key would have expired already. Choose a later time.")
    plain = token.mint()
    key = ProxyKey(
        customer=customer,
        organization_id=customer.organization_id,
        name=name.strip(),
        key_hash=token.digest(plain),
        last_four=plain[-4:],
        created_by=by,
        created_at=at,
        expires_at=expires_at,
    )
    _check_fields(limits)
    key.change_limits(limits, at)
    key.full_clean()
    key.save(force_insert=True)
    changes = {"name": (None, key.name), "expires_at": (None, expires_at), **audit.difference({}, _limits_of(key))}
    _changed(key, "proxy_key.add", changes, by=by)
    return key, plain


@transaction.atomic
def rotate_proxy_key(
    key: ProxyKey, *, overlap: timedelta, by: User | None, at: datetime | None = None
) -> tuple[ProxyKey, str]:
    """A new key of the same name, expiry and limits in the place of `key`, which is good for `overlap` more.

    overlap: up to LONGEST_OVERLAP. Raises ProxyKeyRefused for a key that is over or was replaced before.
    """
    at = at or timezone.now()
    if not NO_OVERLAP <= overlap <= LONGEST_OVERLAP:
        raise ProxyKeyRefused(f"The old key can stay good for up to {LONGEST_OVERLAP.days} days.")
    key = _lock(key)
    if not key.is_live(at) or key.replaced_by_id is not None:
        raise ProxyKeyRefused("This key is over or was replaced before. Generate a new one.")
    new, plain = mint_proxy_key(
        key.customer, name=key.name, by=by, expires_at=key.expires_at, at=at, **audit.fields_of(key, LIMITED)
    )
    before = key.revoked_at
    key.revoked_at, key.replaced_by = at + overlap, new
    key.save(update_fields=["revoked_at", "replaced_by"])
    _changed(key, "proxy_key.rotate", {"revoked_at": (before, key.revoked_at)}, by=by)
    return new, plain


@transaction.atomic
def limit_proxy_key(key: ProxyKey, *, by: User | None, at: datetime | None = None, **limits: Any) -> ProxyKey:
    """Change some of LIMITED; holds for the next call on every proxy. Raises ValidationError."""
    _check_fields(limits)
    key = _lock(key)
    before = _limits_of(key)
    key.change_limits(limits, at or timezone.now())
    key.full_clean()
    if difference := audit.difference(before, _limits_of(key)):
        key.save(update_fields=[*difference, "caps_changed_at"])
        _changed(key, "proxy_key.limit", difference, by=by)
    return key


@transaction.atomic
def revoke_proxy_key(key: ProxyKey, *, by: User | None, at: datetime | None = None) -> ProxyKey:
    """Refuse the key from now on, on every proxy within a second. A key that is refused stays as it is."""
    key = _lock(key)
    at = at or timezone.now()  # after the wait, or the later of two could seem the earlier
    before = key.revoked_at
    if before is None or before > at:
        key.revoked_at = at
        key.save(update_fields=["revoked_at"])
        _changed(key, "proxy_key.revoke", {"revoked_at": (before, at)}, by=by)
    return key


def _limits_of(key: ProxyKey) -> dict[str, Any]:
    return {name: value for name, value in audit.fields_of(key, LIMITED).items() if value != []}


def _check_fields(limits: dict[str, Any]) -> None:
    if unknown := limits.keys() - set(LIMITED):
        raise TypeError(f"not a limit of a key: {', '.join(sorted(unknown))}")


def _changed(key: ProxyKey, action: str, changes: audit.Changes, *, by: User | None) -> None:
    audit.record(key.organization, action, key, actor=by, changes=changes, customer=key.customer)
    notify("tollgate_grants", f"key:{bytes(key.key_hash).hex()}")


def _lock(key: ProxyKey) -> ProxyKey:
    locked = ProxyKey.objects.select_for_update(of=("self",), no_key=True)
    return locked.select_related("customer", "organization").get(pk=key.pk)
