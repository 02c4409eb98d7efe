"""What changes API tokens. A token in clear is given once, by the call that makes it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.customers.models import Customer
from apps.keys import token as form
from apps.keys.api_scopes import OF_CUSTOMERS, in_order
from apps.keys.errors import ApiTokenRefused
from apps.keys.models import ApiToken

USE_IS_NOTED_EVERY = timedelta(minutes=5)  # so that reading does not write each time


@transaction.atomic
def add_api_token(
    organization: Organization,
    *,
    customer: Customer | None = None,
    name: str,
    scopes: Iterable[str],
    by: User | None,
    expires_at: datetime | None = None,
    at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """A new token, and the token in clear, which is not to be had again.

    customer: one of the organization's, whose alone it shows; None: it shows all that the organization sees.
    scopes: of api_scopes; a customer's are of OF_CUSTOMERS. expires_at: after `at` (default: now).
    Raises ValidationError, ApiTokenRefused.
    """
    at = at or timezone.now()
    if expires_at is not None and expires_at <= at:
        raise ApiTokenRefused("The token would have expired already. Choose a later time.")
    plain = form.mint(form.API_PREFIX)
    token = ApiToken(
        organization=organization,
        customer=customer,
        name=name.strip(),
        token_hash=form.digest(plain),
        last_four=plain[-4:],
        scopes=_clean_scopes(scopes, customer),
        created_by=by,
        created_at=at,
        expires_at=expires_at,
    )
    token.full_clean()
    token.save(force_insert=True)
    changes = {"name": (None, token.name), "scopes": (None, " ".join(token.scopes)), "expires_at": (None, expires_at)}
    _record(token, "api_token.add", changes, by=by)
    return token, plain


@transaction.atomic
def revoke_api_token(token: ApiToken, *, by: User | None, at: datetime | None = None) -> ApiToken:
    """Refuse the token from now on. One that was revoked before stays as it is."""
    locked = ApiToken.objects.select_for_update(of=("self",), no_key=True).select_related("organization", "customer")
    token = locked.get(pk=token.pk)
    if token.revoked_at is None:
        token.revoked_at = at or timezone.now()
        token.save(update_fields=["revoked_at"])
        _record(token, "api_token.revoke", {"revoked_at": (None, token.revoked_at)}, by=by)
    return token


def note_use(token: ApiToken, *, at: datetime) -> None:
    """Remember that the token was used, at most once in USE_IS_NOTED_EVERY however many requests come at once."""
    due = at - USE_IS_NOTED_EVERY
    if token.last_used_at is None or token.last_used_at <= due:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lte=due)
        ApiToken.objects.filter(unnoted, pk=token.pk).update(last_used_at=at)


def _clean_scopes(scopes: Iterable[str], customer: Customer | None) -> list[str]:
    try:
        clean = in_order(scopes)
    except ValueError as error:
        raise ApiTokenRefused(f"There is no such scope: {error}.") from None
    if not clean:
        raise ApiTokenRefused("Choose what the token may do.")
    if customer is not None and (beyond := [scope for scope in clean if scope not in OF_CUSTOMERS]):
        raise ApiTokenRefused(f"A customer's token cannot have {', '.join(beyond)}.")
    return clean


def _record(token: ApiToken, action: str, changes: audit.Changes, *, by: User | None) -> None:
    audit.record(token.organization, action, token, actor=by, changes=changes, customer=token.customer)
