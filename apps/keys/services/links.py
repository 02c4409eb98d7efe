"""What changes which provider keys a customer's calls are sent with."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import User
from apps.customers.models import Customer
from apps.customers.services import lock as lock_customer
from apps.customers.services import notify_grants
from apps.keys.errors import ProviderKeyRefused
from apps.keys.models import CustomerProviderKey, ProviderKey
from apps.keys.services.provider_keys import lock

MOST_KEYS = 10  # of a customer for a provider
MOST_WEIGHT = 1000
MOST_POSITION = 99


class KeyShare(NamedTuple):
    """A key and its share of the calls: by weight among those of the same position; lower positions first."""

    key: ProviderKey
    weight: int = 1
    position: int = 0

    def __str__(self) -> str:
        return str(self.key) if self[1:] == (1, 0) else f"{self.key}, weight {self.weight}, position {self.position}"


def assign_provider_key(customer: Customer, key: ProviderKey, *, by: User | None) -> CustomerProviderKey:
    """Send the customer's calls to the key's provider with it, instead of those before.

    Raises ProviderKeyRefused for a key of another organization.
    """
    assign_provider_keys(customer, key.provider, [KeyShare(key)], by=by)
    return customer.provider_key_links.get(provider=key.provider)


@transaction.atomic
def assign_provider_keys(customer: Customer, provider: str, shares: Sequence[KeyShare], *, by: User | None) -> None:
    """Send the customer's calls to `provider` with these keys, and no others. Without any, let none through.

    Raises ProviderKeyRefused, nothing changed, for a key of another organization or provider, one that is there
    twice, and weights and positions out of their range.
    """
    _check(customer, provider, shares)
    lock_customer(customer)
    for share in sorted(shares, key=lambda share: share.key.pk):
        lock(share.key)  # so that it is not deleted meanwhile
    links = customer.provider_key_links.filter(provider=provider).select_related("provider_key")
    before = {link.provider_key_id: link for link in links.order_by("position", "-weight", "pk")}
    old = [KeyShare(link.provider_key, link.weight, link.position) for link in before.values()]
    if set(old) == set(shares):
        return
    links.exclude(provider_key__in=[share.key for share in shares]).delete()
    for share in shares:
        customer.provider_key_links.update_or_create(
            provider_key=share.key,
            defaults={"weight": share.weight, "position": share.position},
            create_defaults={
                "organization": customer.organization,
                "provider": provider,
                "weight": share.weight,
                "position": share.position,
            },
        )
    action = "provider_key.assign" if shares else "provider_key.unassign"
    changes = {"provider_key": (_told(old), _told(shares))}
    about = shares[0].key if shares else old[0].key
    audit.record(customer.organization, action, about, actor=by, changes=changes, customer=customer)
    notify_grants(customer_id=customer.pk)


def unassign_provider_key(customer: Customer, provider: str, *, by: User | None) -> None:
    """Let the customer's calls to `provider` through no more."""
    assign_provider_keys(customer, provider, [], by=by)


def _check(customer: Customer, provider: str, shares: Sequence[KeyShare]) -> None:
    if any(share.key.organization_id != customer.organization_id for share in shares):
        raise ProviderKeyRefused("There is no such provider key.")
    if any(share.key.provider != provider for share in shares):
        raise ProviderKeyRefused("Keys that take turns are of the same provider.")
    if len({share.key.pk for share in shares}) < len(shares) or len(shares) > MOST_KEYS:
        raise ProviderKeyRefused(f"Choose each key once, and at most {MOST_KEYS}.")
    if any(not 1 <= share.weight <= MOST_WEIGHT or not 0 <= share.position <= MOST_POSITION for share in shares):
        raise ProviderKeyRefused(f"Weights are from 1 to {MOST_WEIGHT}, positions from 0 to {MOST_POSITION}.")


def _told(shares: Sequence[KeyShare]) -> str | None:
    """As the audit log has them."""
    return "; ".join(map(str, shares)) or None
