"""A customer and the provider keys its calls are sent with, in one step."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from apps.accounts.models import Organization, User
from apps.customers.models import Customer
from apps.customers.services import add_customer, invite_customer_member
from apps.keys.errors import ProviderKeyRefused
from apps.keys.models import ProviderKey
from apps.keys.services.links import assign_provider_key


@transaction.atomic
def add_customer_with_keys(
    organization: Organization,
    *,
    name: str,
    by: User | None,
    provider_keys: Iterable[ProviderKey] = (),
    invite: bool = True,
    **fields: Any,
) -> tuple[Customer, str]:
    """A new customer, its provider keys (one a provider), and the invitation of its admin.

    fields: as add_customer takes them. With an `email`, that address is invited, unless `invite` is off.
    Gives the customer and the invitation's link; "" without one. All or nothing.
    Raises ValidationError, ProviderKeyRefused.
    """
    keys = list(provider_keys)
    if len({key.provider for key in keys}) < len(keys):
        raise ProviderKeyRefused("Choose one key for each provider.")
    customer = add_customer(organization, name=name, by=by, **fields)
    for key in keys:
        assign_provider_key(customer, key, by=by)
    link = ""
    if invite and customer.email:
        _, link = invite_customer_member(customer, email=customer.email, by=by)
    return customer, link
