"""A process that does an operator's work in the installation's database: `python -m tests.rig.desk`.

Takes a call a line as JSON (`[name, {arguments}]`) and answers with a line, so that the tests' own
process needs no second database. Not a part of the product: it calls the product's services.
"""

import json
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.rig import desk_wallets

RATES = {  # USD a million tokens; no other number divides them, so that a wrong one shows
    "input": "1.7",
    "cache_read": "0.13",
    "cache_write_5m": "2.3",
    "cache_write_1h": "3.1",
    "output": "7.9",
}
MODELS = {"openai": "sandbox-openai", "anthropic": "sandbox-anthropic", "google": "sandbox-gemini"}
BASE_PATHS = {"openai": "/v1", "anthropic": "", "google": ""}
MARKUP = 20  # percent


def add_tenant(*, name: str, sandbox: str, **limits: Any) -> dict[str, str]:
    """An operator with a customer, provider keys for the sandbox, own prices, and a proxy key."""
    from apps.accounts.people import create_person
    from apps.accounts.services import create_organization
    from apps.customers.services import add_customer
    from apps.keys.services.links import assign_provider_key
    from apps.keys.services.provider_keys import add_provider_key
    from apps.pricing.models import ModelPrice

    owner = create_person(f"owner@{name}.example", is_verified=True)
    organization = create_organization(name, owner=owner)
    customer = add_customer(
        organization, name=f"customer of {name}", markup_percent=Decimal(MARKUP), by=None, **_limits(limits)
    )
    for provider, path in BASE_PATHS.items():
        key = add_provider_key(
            organization,
            provider=provider,
            name="sandbox",
            secret=f"sk-sandbox-{provider}-{name}",
            base_url=sandbox + path,
            by=None,
        )
        assign_provider_key(customer, key, by=None)
        ModelPrice.objects.create(
            organization=organization,
            provider=provider,
            model=MODELS[provider],
            match={"equals": MODELS[provider]},
            rates=RATES,
            max_output_tokens=4096,
            effective_from=datetime(2020, 1, 1, tzinfo=UTC),
            source="operator",
        )
    minted = mint(customer=str(customer.pk))
    return {"organization": str(organization.pk), "customer": str(customer.pk), **minted}


def update_organization(*, organization: str, **changes: Any) -> None:
    """Change the organization's settings."""
    from apps.accounts.models import Organization
    from apps.accounts.services import update_organization as update

    update(Organization.objects.get(pk=UUID(organization)), by=None, **changes)


def add_neighbour(*, customer: str) -> dict[str, str]:
    """Another customer of the same operator, with the same provider keys."""
    from apps.customers.models import Customer
    from apps.customers.services import add_customer
    from apps.keys.services.links import assign_provider_key

    first = Customer.objects.get(pk=UUID(customer))
    other = add_customer(first.organization, name=f"neighbour of {first.pk}", by=None)
    for link in first.provider_key_links.select_related("provider_key"):
        assign_provider_key(other, link.provider_key, by=None)
    return {"organization": str(first.organization_id), "customer": str(other.pk), **mint(customer=str(other.pk))}


def add_provider(*, customer: str, provider: str, base_url: str, deployments: dict[str, str] | None = None) -> str:
    """A provider key for another provider, for the customer's calls."""
    from apps.customers.models import Customer
    from apps.keys.services.links import assign_provider_key
    from apps.keys.services.provider_keys import add_provider_key

    owner = Customer.objects.get(pk=UUID(customer))
    key = add_provider_key(
        owner.organization,
        provider=provider,
        name="sandbox",
        secret=f"sk-sandbox-{provider}",
        base_url=base_url,
        deployments=deployments,
        by=None,
    )
    assign_provider_key(owner, key, by=None)
    return str(key.pk)


def mint(*, customer: str, **limits: Any) -> dict[str, str]:
    """A proxy key for the customer."""
    from apps.customers.models import Customer
    from apps.keys.services.proxy_keys import mint_proxy_key

    owner = Customer.objects.get(pk=UUID(customer))
    key, plain = mint_proxy_key(owner, name="load", by=None, **_limits(limits))
    return {"key_id": str(key.pk), "key": plain}


def sell(*, organization: str, name: str, provider: str, model: str, **parameters: Any) -> None:
    """A name of the operator's own for a provider's model."""
    from apps.accounts.models import Organization
    from apps.keys.services.aliases import add_model_alias

    owner = Organization.objects.get(pk=UUID(organization))
    add_model_alias(owner, name=name, provider=provider, model=model, by=None, **parameters)


def set_charges(*, organization: str, provider: str, units: dict[str, str], services: dict[str, Any]) -> None:
    """What the operator's price for the provider's model has beside its rates."""
    from apps.pricing.models import ModelPrice

    rows = ModelPrice.objects.filter(organization=UUID(organization), provider=provider)
    rows.update(units=units, services=services)


def set_price(
    *, organization: str | None, model: str, provider: str = "openai", rates: dict[str, str], units: dict[str, str]
) -> int:
    """The operator's own price for a model; without one the list price."""
    from apps.pricing.models import ModelPrice

    row = ModelPrice.objects.create(
        organization_id=organization and UUID(organization),
        provider=provider,
        model=model,
        match={"equals": model},
        rates=rates,
        units=units,
        effective_from=datetime(2020, 1, 1, tzinfo=UTC),
        source="operator",
    )
    return row.pk


def set_rates(*, customer: str, rules: list[dict[str, Any]]) -> None:
    """The customer's own rates from now on."""
    from apps.customers.models import Customer
    from apps.pricing.rate_cards import set_own_rates

    set_own_rates(Customer.objects.get(pk=UUID(customer)), rules=rules, effective_from=datetime.now(UTC), by=None)


def set_default_card(*, organization: str, rules: list[dict[str, Any]], effective_from: str) -> None:
    """A rate card that all customers without one are on, from an instant on."""
    from apps.accounts.models import Organization
    from apps.pricing.rate_cards import add_rate_card, use_rate_card

    owner, since = Organization.objects.get(pk=UUID(organization)), datetime.fromisoformat(effective_from)
    card = add_rate_card(owner, name="Default", rules=rules, effective_from=since, by=None)
    use_rate_card(owner, None, card, effective_from=since, by=None)


def give_keys(*, customer: str, keys: list[dict[str, Any]]) -> list[str]:
    """OpenAI keys that take turns: of each `base_url`, `secret`, maybe weight and position. Gives their ids."""
    from apps.customers.models import Customer
    from apps.keys.services.links import KeyShare, assign_provider_keys
    from apps.keys.services.provider_keys import add_provider_key

    owner = Customer.objects.get(pk=UUID(customer))
    shares = []
    for said in keys:
        key = add_provider_key(
            owner.organization,
            provider="openai",
            name=said["secret"],
            secret=said["secret"],
            base_url=said["base_url"],
            by=None,
        )
        shares.append(KeyShare(key, said.get("weight", 1), said.get("position", 0)))
    assign_provider_keys(owner, "openai", shares, by=None)
    return [str(share.key.pk) for share in shares]


def store_bodies(*, organization: str, **policy: Any) -> None:
    """Have the bodies of the organization's requests stored."""
    from apps.accounts.models import Organization
    from apps.bodies.services import set_body_policy

    set_body_policy(Organization.objects.get(pk=UUID(organization)), by=None, **policy)


def read_bodies(*, customer: str) -> list[dict[str, Any]]:
    """What is stored of the customer's requests, oldest first, in the open."""
    from apps.bodies.models import StoredBodies
    from apps.bodies.services import view_bodies
    from apps.customers.models import Customer

    owner = Customer.objects.get(pk=UUID(customer))
    rows = StoredBodies.objects.filter(customer_id=owner.pk).order_by("started_at", "id")
    found = []
    for row in rows:
        texts = view_bodies(row, owner, by=None)
        notes = {"request_state": row.request_state, "response_state": row.response_state, "id": str(row.id)}
        found.append({"request": texts.request, "response": texts.response, **notes})
    return found


def standing(*, customer: str) -> dict[str, str]:
    """What counts against each of the customer's limits now, calls under way among it."""
    from apps.customers.models import Customer
    from apps.usage.standing import standings_of

    standings = standings_of(Customer.objects.get(pk=UUID(customer)), at=datetime.now(UTC)) or []
    return {state.name.value: str(state.used + state.held) for each in standings for state in each.states}


def set_up(*, organization: str, **settings: Any) -> None:
    """Change the operator's settings."""
    from apps.accounts.models import Organization
    from apps.accounts.services import update_organization

    update_organization(Organization.objects.get(pk=UUID(organization)), by=None, **settings)


def limit_end_user(*, customer: str, end_user: str | None = None, **limits: Any) -> str:
    """Limits of one end user, or of all who have none of their own."""
    from apps.customers.models import Customer
    from apps.limits.services import set_end_user_limits

    row = set_end_user_limits(Customer.objects.get(pk=UUID(customer)), end_user, by=None, **_limits(limits))
    return str(row.pk)


def limit_customer(*, customer: str, **limits: Any) -> None:
    """Change the customer's limits."""
    from apps.customers.models import Customer
    from apps.customers.services import update_customer

    update_customer(Customer.objects.get(pk=UUID(customer)), by=None, **_limits(limits))


def _limits(said: dict[str, Any]) -> dict[str, Any]:
    return {
        name: Decimal(value) if name.endswith("_cap") and value is not None else value for name, value in said.items()
    }


def block(*, customer: str, end_user: str, is_blocked: bool) -> None:
    """Refuse an end user's calls, or let them in again."""
    from django.utils import timezone

    from apps.customers.end_users import block_end_user, unblock_end_user
    from apps.customers.models import Customer

    owner = Customer.objects.get(pk=UUID(customer))
    if is_blocked:
        block_end_user(owner, end_user, by=None, at=timezone.now())
    else:
        unblock_end_user(owner, end_user, by=None)


def revoke(*, key_id: str) -> float:
    """Revoke a proxy key. Returns when, on the monotonic clock, it was about to be done."""
    from apps.keys.models import ProxyKey
    from apps.keys.services.proxy_keys import revoke_proxy_key

    key = ProxyKey.objects.get(pk=UUID(key_id))
    about_to = time.monotonic()
    revoke_proxy_key(key, by=None)
    return about_to


def suspend(*, customer: str) -> float:
    """Suspend a customer. Returns when, on the monotonic clock, it was about to be done."""
    from apps.customers.models import Customer
    from apps.customers.services import suspend_customer

    found = Customer.objects.get(pk=UUID(customer))
    about_to = time.monotonic()
    suspend_customer(found, by=None, at=datetime.now(UTC))
    return about_to


def roll_up() -> list[str]:
    """Ship, roll up and compare, as `manage.py rollup` and `audit` do. Returns what differs."""
    from django.conf import settings

    from apps.usage.audit import audit
    from apps.usage.rollup import roll_up
    from apps.usage.ship import Shipper

    Shipper(settings.SPOOL_DIRECTORY).ship()
    roll_up()
    found = audit()
    return [str(each) for each in (*found.differences, *found.wrong_batches)]


ACTIONS = {
    action.__name__: action
    for action in (
        add_tenant,
        add_neighbour,
        update_organization,
        add_provider,
        mint,
        sell,
        set_price,
        limit_customer,
        limit_end_user,
        set_charges,
        give_keys,
        store_bodies,
        read_bodies,
        standing,
        set_up,
        revoke,
        block,
        suspend,
        roll_up,
        set_rates,
        set_default_card,
    )
} | desk_wallets.ACTIONS


def main() -> None:
    """Answer until the other side closes."""
    import django

    django.setup()

    from django.db import connections

    for line in sys.stdin:
        name, arguments = json.loads(line)
        connections.close_all()  # the database may have been away since
        print(json.dumps(ACTIONS[name](**arguments)), flush=True)


if __name__ == "__main__":
    main()
