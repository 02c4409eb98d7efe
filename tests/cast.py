"""The cast that every test knows, and factories for more of each.

Acme is an operator; Olivia owns it. Globex (Gina) and Initech (Ira) are its customers. Evil Corp is another
operator: Mallory owns it and has a customer, Shady. Whatever Acme's people do, nothing of Evil Corp's shows,
changes or is counted; and the other way round.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from threading import Barrier
from typing import Any, TypeVar

import pytest
from django.db import connection

from apps.accounts.models import Member, Organization, Role, User
from apps.accounts.people import create_person
from apps.accounts.services import add_member, create_organization
from apps.customers.models import Customer, CustomerMember, CustomerRole
from apps.customers.services import add_customer, add_customer_member
from apps.keys.api_scopes import OF_CUSTOMERS, ApiScope
from apps.keys.models import ApiToken, ModelAlias, ProviderKey, ProxyKey
from apps.keys.services.aliases import add_model_alias
from apps.keys.services.api_tokens import add_api_token
from apps.keys.services.links import assign_provider_key
from apps.keys.services.provider_keys import add_provider_key
from apps.keys.services.proxy_keys import mint_proxy_key

T = TypeVar("T")

_numbers = count(1)


def a_person(email: str = "", *, name: str = "", password: str | None = None) -> User:
    """Somebody who may sign in with `password`; without one, `client.force_login` lets them in."""
    return create_person(
        email or f"person-{next(_numbers)}@example.com", name=name, password=password, is_verified=True
    )


def an_organization(name: str = "", *, owner: User | None = None, **fields: Any) -> Organization:
    """An operator with an owner."""
    return create_organization(name or f"Operator {next(_numbers)}", owner=owner or a_person(), **fields)


def a_member(organization: Organization, role: Role = Role.ADMIN) -> Member:
    """Somebody new who works at `organization`."""
    return add_member(organization, a_person(), role, by=None)


def a_customer(organization: Organization, name: str = "", **fields: Any) -> Customer:
    """A customer of `organization`; `fields` are limits and the like."""
    return add_customer(organization, name=name or f"Customer {next(_numbers)}", by=None, **fields)


def a_customer_member(customer: Customer, role: CustomerRole = CustomerRole.ADMIN) -> CustomerMember:
    """Somebody new in the portal of `customer`."""
    return add_customer_member(customer, a_person(), role, by=None)


def a_provider_key(
    organization: Organization,
    provider: str = "openai",
    *,
    name: str = "",
    secret: str = "",
    base_url: str = "",
) -> ProviderKey:
    """A provider key in the vault; its secret is `secret`, or one that is nowhere else."""
    number = next(_numbers)
    return add_provider_key(
        organization,
        provider=provider,
        name=name or f"key {number}",
        secret=secret or f"sk-of-the-provider-{number:08}",
        base_url=base_url,
        by=None,
    )


def a_model_alias(organization: Organization, name: str = "", **fields: Any) -> ModelAlias:
    """A name of the organization's own for a model."""
    stands_for = {"provider": "openai", "model": "gpt-4o"} | fields
    return add_model_alias(organization, name=name or f"model-{next(_numbers)}", by=None, **stands_for)


def a_proxy_key(customer: Customer, name: str = "test", **fields: Any) -> tuple[ProxyKey, str]:
    """A proxy key of `customer`, and the key in clear."""
    return mint_proxy_key(customer, name=name, by=None, **fields)


def an_api_token(organization: Organization, customer: Customer | None = None, **fields: Any) -> tuple[ApiToken, str]:
    """An API token that may do all that it can be let do, and the token in clear."""
    may = {"scopes": ApiScope if customer is None else OF_CUSTOMERS, "name": "test"} | fields
    return add_api_token(organization, customer=customer, by=None, **may)


def a_link(customer: Customer, provider: str = "openai", **fields: Any) -> ProviderKey:
    """A provider key that the customer's calls to `provider` are sent with."""
    key = a_provider_key(customer.organization, provider, **fields)
    assign_provider_key(customer, key, by=None)
    return key


def at_once(times: int, action: Callable[[], T]) -> list[T | Exception]:
    """Do `action` in `times` threads that begin together, and give what each returned or raised.

    Each thread has a database connection of its own: the test needs `django_db(transaction=True)`.
    """
    barrier = Barrier(times)

    def one(_: int) -> T | Exception:
        barrier.wait()
        try:
            return action()
        except Exception as error:  # what was raised is the outcome
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def reread(instance: T) -> T:
    """The row as the database has it now."""
    return type(instance)._default_manager.get(pk=instance.pk)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Cast:
    acme: Organization
    olivia: User  # owns Acme
    globex: Customer  # of Acme
    gina: User  # Globex's admin
    initech: Customer  # of Acme
    ira: User  # Initech's admin
    evil_corp: Organization  # another operator
    mallory: User  # owns Evil Corp
    shady: Customer  # of Evil Corp
    stranger: User  # belongs nowhere


@pytest.fixture
def cast(db: None) -> Cast:
    """Everybody, freshly made."""
    olivia, gina, ira = (a_person(f"{name}@example.com", name=name.title()) for name in ("olivia", "gina", "ira"))
    mallory, stranger = a_person("mallory@evil.example", name="Mallory"), a_person("stranger@example.org")
    acme, evil_corp = an_organization("Acme", owner=olivia), an_organization("Evil Corp", owner=mallory)
    globex, initech = a_customer(acme, "Globex"), a_customer(acme, "Initech")
    add_customer_member(globex, gina, CustomerRole.ADMIN, by=None)
    add_customer_member(initech, ira, CustomerRole.ADMIN, by=None)
    shady = a_customer(evil_corp, "Shady")
    return Cast(acme, olivia, globex, gina, initech, ira, evil_corp, mallory, shady, stranger)
