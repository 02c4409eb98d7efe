"""Demo data: an operator with four customers, keys for the sandbox, and two months of usage.

Made on the first start of an installation that has no organization yet, by the services that the pages
call; its history goes through a spool, as that of real calls does.
"""

import asyncio
import os
import secrets
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import Organization, User
from apps.accounts.people import create_person
from apps.accounts.services import create_organization, update_organization
from apps.customers.models import Customer, CustomerRole
from apps.customers.services import add_customer_member
from apps.keys.models import ProviderKey
from apps.keys.services.customers import add_customer_with_keys
from apps.keys.services.provider_keys import add_provider_key
from apps.keys.services.proxy_keys import mint_proxy_key
from apps.limits.services import set_end_user_limits
from apps.ops.demo_billing import add_demo_billing
from apps.ops.demo_card import DemoCard, read_demo_card, write_demo_card
from apps.ops.demo_customers import CUSTOMERS, DemoCustomer
from apps.ops.demo_history import Account, PriceOf, calls
from apps.pricing.book import find_price
from apps.pricing.rating import Price, Rated, Tokens, rate
from apps.usage.record import encode
from apps.usage.spool import Spool

SLUG = "acme"
SANDBOX = "Sandbox"
SANDBOX_PATHS = {"openai": "/v1", "anthropic": "", "google": ""}  # where the wires' own paths begin
REAL_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
DAYS = 61
FRAMES_AT_ONCE = 2000


def make_demo(data: Path, *, sandbox_url: str, days: int = DAYS) -> bool:
    """Make the demo unless there is one, or somebody's own data; False when nothing was made.

    data: the folder of the installation, which gets the card with logins and keys. days: of history. A
    demo that is there is pointed to where the sandbox is this time.
    """
    if Organization.objects.exists():
        if read_demo_card(data):
            _point_to(sandbox_url)
        return False
    with transaction.atomic():
        password = secrets.token_urlsafe(9)
        olivia = create_person("olivia@acme.example", name="Olivia Owner", password=password, is_verified=True)
        acme = update_organization(
            create_organization("Acme", owner=olivia, slug=SLUG), by=None, default_markup_percent=Decimal(25)
        )
        sandbox_keys = _sandbox_keys(acme, sandbox_url, by=olivia)
        accounts, plain_keys = _customers(acme, sandbox_keys, by=olivia)
        gina = create_person("gina@globex.example", name="Gina", password=password, is_verified=True)
        add_customer_member(acme.customers.get(slug="globex"), gina, CustomerRole.ADMIN, by=olivia)
        live_key = _live_customer(acme, by=olivia)
        add_demo_billing(acme, by=olivia, at=timezone.now())
        card = DemoCard(olivia.email, gina.email, password, plain_keys["Globex"], live_key)
        write_demo_card(data, card)
    _write_history(accounts, days=days, until=timezone.now())
    return True


def _point_to(sandbox_url: str) -> None:
    for provider, path in SANDBOX_PATHS.items():
        keys = ProviderKey.objects.filter(organization__slug=SLUG, name=SANDBOX, provider=provider)
        keys.exclude(base_url=sandbox_url + path).update(base_url=sandbox_url + path)


def _sandbox_keys(acme: Organization, sandbox_url: str, *, by: User) -> list[ProviderKey]:
    return [
        add_provider_key(
            acme,
            provider=provider,
            name=SANDBOX,
            secret=f"sandbox-{provider}-{secrets.token_hex(12)}",
            base_url=sandbox_url + path,
            by=by,
        )
        for provider, path in SANDBOX_PATHS.items()
    ]


def _customers(
    acme: Organization, provider_keys: list[ProviderKey], *, by: User
) -> tuple[list[Account], dict[str, str]]:
    """Make the customers; gives how each behaves, and a proxy key of each in clear."""
    accounts, plain_keys = [], {}
    for demo in CUSTOMERS:
        customer, _ = add_customer_with_keys(
            acme, name=demo.name, by=by, provider_keys=provider_keys, invite=False, **demo.fields
        )
        minted = [
            mint_proxy_key(customer, name=name, by=None, **demo.key_limits.get(name, {})) for name in demo.key_names
        ]
        for end_user, limits in demo.end_user_limits.items():
            set_end_user_limits(customer, end_user, by=None, **limits)
        accounts.append(_account(acme, customer, demo, [key.pk for key, _ in minted], provider_keys))
        plain_keys[demo.name] = minted[0][1]
    return accounts, plain_keys


def _account(
    acme: Organization,
    customer: Customer,
    demo: DemoCustomer,
    proxy_key_ids: list[UUID],
    provider_keys: list[ProviderKey],
) -> Account:
    markup = customer.markup_percent
    return Account(
        organization_id=acme.pk,
        customer_id=customer.pk,
        proxy_key_ids=proxy_key_ids,
        provider_key_ids={key.provider: key.pk for key in provider_keys},
        markup_percent=acme.default_markup_percent if markup is None else markup,
        habits=demo.habits,
        rhythm=demo.rhythm,
    )


def _live_customer(acme: Organization, *, by: User) -> str:
    """A customer whose calls go to the real providers, where the environment has keys; its proxy key."""
    keys = [
        add_provider_key(acme, provider=provider, name="Live", secret=os.environ[variable], by=by)
        for provider, variable in REAL_KEYS.items()
        if os.environ.get(variable)
    ]
    if not keys:
        return ""
    customer, _ = add_customer_with_keys(
        acme, name="Live trial", by=by, provider_keys=keys, daily_cap=Decimal(5), invite=False
    )
    return mint_proxy_key(customer, name="trial", by=None)[1]


# Usage


def _write_history(accounts: Iterable[Account], *, days: int, until: datetime) -> None:
    frames = [
        encode(record)
        for number, account in enumerate(accounts)
        for call in calls(account, days=days, until=until, price_of=_price_of(account), seed=number)
        for record in call
    ]
    asyncio.run(_write_to_spool(frames))


def _price_of(account: Account) -> PriceOf:
    @cache
    def price_of_month(provider: str, model: str, begin: datetime) -> Price | None:
        return find_price(account.organization_id, provider, model, begin)

    def price_of(provider: str, model: str, tokens: Tokens, at: datetime) -> tuple[Rated, int] | None:
        begin = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)  # exact enough for a demo
        price = price_of_month(provider, model, begin)
        return (rate(tokens, price, account.markup_percent), price.id) if price else None

    return price_of


async def _write_to_spool(frames: list[bytes]) -> None:
    spool = Spool.open(settings.SPOOL_DIRECTORY)
    try:
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            await spool.write(*frames[start : start + FRAMES_AT_ONCE], is_outcome=True)
    finally:
        spool.close()
