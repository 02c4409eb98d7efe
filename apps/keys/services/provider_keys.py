"""What changes provider keys, and which customers' calls are sent with them."""

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.customers.models import Customer
from apps.customers.services import notify_grants
from apps.keys.errors import ProviderKeyInUse, ProviderKeyRefused
from apps.keys.models import CustomerProviderKey, ProviderKey
from apps.keys.providers import base_url_of, label_of, wire_of
from apps.keys.vault import place_of, vault
from apps.kit.notify import notify

DEPLOYMENT = re.compile(r"[A-Za-z0-9._-]{1,64}")
MODEL = re.compile(r"[!-~]{1,128}")
SECRET = re.compile(r"[\x21-\x7e]{1,4096}")  # what can stand in a header: no spaces, no line ends
SHORTEST_TO_SHOW_FOUR_OF = 12
MOST_WEIGHT = 100


@transaction.atomic
def add_provider_key(
    organization: Organization,
    *,
    provider: str,
    name: str,
    secret: str,
    base_url: str = "",
    deployments: Mapping[str, str] | None = None,
    by: User | None,
) -> ProviderKey:
    """Put a provider's secret into the vault.

    provider: a slug of providers.py, or one's own, which needs a `base_url`; that goes before the provider's.
    deployments: of Azure, the model that each runs, by its name.
    secret: without the white space around it; it is never to be had again but by the proxy.
    Raises ValidationError, ProviderKeyRefused.
    """
    key = ProviderKey(
        organization=organization,
        provider=provider,
        name=name.strip(),
        base_url=_clean_base_url(base_url),
        deployments=_clean_deployments(provider, deployments or {}),
        created_by=by,
    )
    if not base_url_of(provider, key.base_url):
        raise ProviderKeyRefused(f"Give the base URL that calls to {label_of(provider)} go to.")
    _seal(key, secret)
    key.full_clean()
    key.save(force_insert=True)
    told = ("provider", "name", "base_url", *(("deployments",) if key.deployments else ()))
    changes = audit.difference({}, audit.fields_of(key, told))
    audit.record(organization, "provider_key.add", key, actor=by, changes=changes)
    return key


@transaction.atomic
def replace_provider_key(key: ProviderKey, *, secret: str, by: User | None) -> ProviderKey:
    """Put another secret in the place of the one before, for the next call of whoever uses the key."""
    key = _lock(key)
    old = key.last_four
    _seal(key, secret)
    key.last_opened_on = None
    key.save(update_fields=["ciphertext", "wrapped_key", "kek_id", "last_four", "last_opened_on"])
    _changed(key, "provider_key.replace", {"last_four": (old, key.last_four)}, by=by)
    return key


@transaction.atomic
def set_deployments(key: ProviderKey, deployments: Mapping[str, str], *, by: User | None) -> ProviderKey:
    """Say which model each of an Azure resource's deployments runs. Raises ProviderKeyRefused."""
    key = _lock(key)
    old, key.deployments = key.deployments, _clean_deployments(key.provider, deployments)
    if key.deployments != old:
        key.save(update_fields=["deployments"])
        _changed(key, "provider_key.set_deployments", {"deployments": (old, key.deployments)}, by=by)
    return key


@transaction.atomic
def disable_provider_key(key: ProviderKey, *, by: User | None, at: datetime) -> ProviderKey:
    """Send no calls with the key from now on; those who use it are refused until they are given another."""
    key = _lock(key)
    if key.disabled_at is None:
        _set_disabled(key, at, "provider_key.disable", by=by)
    return key


@transaction.atomic
def enable_provider_key(key: ProviderKey, *, by: User | None) -> ProviderKey:
    """Send calls with the key again."""
    key = _lock(key)
    if key.disabled_at is not None:
        _set_disabled(key, None, "provider_key.enable", by=by)
    return key


@transaction.atomic
def delete_provider_key(key: ProviderKey, *, by: User | None) -> None:
    """Forget the secret for good. Raises ProviderKeyInUse while customers' calls are sent with it."""
    key = _lock(key)
    if users := list(key.customer_links.values_list("customer__name", flat=True).order_by("customer__name")[:4]):
        named = ", ".join(users[:3]) + (" and others" if len(users) > 3 else "")
        raise ProviderKeyInUse(f"{named} use this key. Give them another one first, or replace its secret.")
    audit.record(key.organization, "provider_key.delete", key, actor=by)
    key.delete()


def assign_provider_key(customer: Customer, key: ProviderKey, *, by: User | None) -> None:
    """Send the customer's calls to the key's provider with it alone, instead of those before.

    Raises ProviderKeyRefused for a key of another organization.
    """
    set_provider_keys(customer, key.provider, {key: 1}, by=by)


def unassign_provider_key(customer: Customer, provider: str, *, by: User | None) -> None:
    """Let the customer's calls to `provider` through no more."""
    set_provider_keys(customer, provider, {}, by=by)


@transaction.atomic
def set_provider_keys(
    customer: Customer, provider: str, weights: Mapping[ProviderKey, int], *, by: User | None
) -> None:
    """Send the customer's calls to `provider` with these keys, instead of those before.

    weights: how often a key is the first that is tried, beside the others' weights; 0: only where others fail.
    Raises ProviderKeyRefused for a key of another organization or provider, and for weights that aren't 0 to 100.
    """
    for key, weight in weights.items():
        if key.organization_id != customer.organization_id or key.provider != provider:
            raise ProviderKeyRefused("There is no such provider key.")
        if not 0 <= weight <= MOST_WEIGHT:
            raise ProviderKeyRefused(f"A weight is a number from 0 to {MOST_WEIGHT}.")
    Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    for pk in sorted(key.pk for key in weights):
        ProviderKey.objects.select_for_update().get(pk=pk)  # so that it is not deleted meanwhile
    links = customer.provider_key_links.filter(provider=provider).select_related("provider_key").order_by("pk")
    known = {link.provider_key: link.weight for link in links}
    if known == dict(weights):
        return
    links.exclude(provider_key__in=weights).delete()
    for key, weight in weights.items():
        CustomerProviderKey.objects.update_or_create(
            customer=customer,
            provider_key=key,
            defaults={"weight": weight},
            create_defaults={"organization": customer.organization, "provider": provider, "weight": weight},
        )
    changes: audit.Changes = {"provider_key": (_named(known), _named(weights))}
    action = "provider_key.assign" if weights else "provider_key.unassign"
    _linked(customer, next(iter(weights or known)), action, changes, by=by)


def _named(weights: Mapping[ProviderKey, int]) -> str | None:
    """One is named alone, several with their weights."""
    if len(weights) < 2:
        return next((str(key) for key in weights), None)
    return ", ".join(sorted(f"{key}: {weight}" for key, weight in weights.items()))


def _seal(key: ProviderKey, secret: str) -> None:
    secret = secret.strip()
    if not SECRET.fullmatch(secret):
        raise ProviderKeyRefused("A provider key is one line of visible ASCII characters, without spaces.")
    sealed = vault().seal(secret, place_of(key))
    key.ciphertext, key.wrapped_key, key.kek_id = sealed.ciphertext, sealed.wrapped_key, sealed.kek_id
    key.last_four = secret[-4:] if len(secret) >= SHORTEST_TO_SHOW_FOUR_OF else ""


def _clean_deployments(provider: str, deployments: Mapping[str, str]) -> dict[str, str]:
    """Without white space. Raises ProviderKeyRefused for names that are none, or a provider that has none."""
    if deployments and wire_of(provider) != "azure":
        raise ProviderKeyRefused(f"{label_of(provider)} has no deployments.")
    clean = {name.strip(): model.strip() for name, model in deployments.items()}
    for name, model in clean.items():
        if not DEPLOYMENT.fullmatch(name) or not MODEL.fullmatch(model):
            raise ProviderKeyRefused(f"“{name[:80]} = {model[:80]}” is not a deployment and its model.")
    return clean


def _clean_base_url(url: str) -> str:
    """The URL without a slash at its end. Raises ProviderKeyRefused for what could not be a provider's."""
    url = url.strip().rstrip("/")
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0  # `port` raises beyond 65535
    except ValueError:
        parts, port_is_valid = urlsplit(""), False
    is_plain = parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_valid
    if not is_plain or parts.query or parts.fragment or "@" in parts.netloc or not url.isascii() or " " in url:
        raise ProviderKeyRefused("The base URL looks like https://host/v1, without a user name, query or fragment.")
    return url


def _set_disabled(key: ProviderKey, at: datetime | None, action: str, *, by: User | None) -> None:
    changes = {"disabled_at": (key.disabled_at, at)}
    key.disabled_at = at
    key.save(update_fields=["disabled_at"])
    _changed(key, action, changes, by=by)


def _changed(key: ProviderKey, action: str, changes: audit.Changes, *, by: User | None) -> None:
    audit.record(key.organization, action, key, actor=by, changes=changes)
    notify("tollgate_grants", f"organization:{key.organization_id}")


def _linked(customer: Customer, key: ProviderKey, action: str, changes: audit.Changes, *, by: User | None) -> None:
    audit.record(customer.organization, action, key, actor=by, changes=changes, customer=customer)
    notify_grants(customer_id=customer.pk)


def _lock(key: ProviderKey) -> ProviderKey:
    return ProviderKey.objects.select_for_update(of=("self",)).select_related("organization").get(pk=key.pk)
