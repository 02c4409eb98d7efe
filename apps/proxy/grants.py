"""Grants and prices as the proxy holds them: loaded from the database once, forgotten when told of a change.

The one file of the hot path's surroundings that uses the ORM, in threads of its own. The proxy
itself sees only what `grant.GrantSource` says.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from threading import Barrier, BrokenBarrierError
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import DatabaseError, close_old_connections, connections

from apps.accounts.models import Organization
from apps.bodies.queries import policy_for
from apps.customers.models import Customer
from apps.keys.errors import VaultError
from apps.keys.models import ProviderKey, ProxyKey
from apps.keys.providers import base_url_of, wire_of
from apps.keys.vault import open_provider_key
from apps.limits.access import Access
from apps.limits.book import load_book
from apps.pricing.book import find_price, next_change
from apps.pricing.card_book import load_terms
from apps.pricing.rating import Price
from apps.proxy.aliases import Alias, parameters_of
from apps.proxy.grant import (
    UNKNOWN,
    Bar,
    Calendar,
    Grant,
    GrantsUnavailable,
    LimiterOutage,
    PricesUnavailable,
    Unknown,
)
from apps.proxy.listening import DatabaseListener, RedisListener
from apps.proxy.retrying import Policy
from apps.proxy.route import Plan, Route, Share
from apps.proxy.upstream import Origin

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_GRANTS = 50_000
MOST_STRANGERS = 10_000
STRANGER_AGE_S = 5.0  # how long a key is known not to exist, unless one is made
PATIENCE_S = 2.0
PRICE_AGE_S = 60.0
THREADS = 2
LISTENER_OPTIONS = ("host", "port", "user", "password", "dbname", "sslmode", "sslrootcert")


class Grants:
    """The grants in use, by the SHA-256 of their key, and the prices in use, by organization and model."""

    def __init__(self, *, redis_url: str, max_age_s: float, max_age_capped_s: float) -> None:
        self._max_age_s = max_age_s
        self._max_age_capped_s = max_age_capped_s

        self._grants: dict[bytes, Grant] = {}
        self._strangers: dict[bytes, float] = {}  # keys that don't exist, until when that is believed
        # And when they were loaded, and until when they hold.
        self._prices: dict[tuple[bytes, str, str], tuple[Price | None, float, float]] = {}
        self._loading: dict[bytes, asyncio.Future[Grant | None]] = {}
        self._changes = 0  # counted so that what was read before a change isn't kept after it
        self._sure_since = 0.0  # grants loaded before may have missed a change
        self._prices_since = 0.0  # and prices

        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="grants")
        self.listener = DatabaseListener(_conninfo(), self.forget, self._doubt_all)
        self._redis_listener = RedisListener(redis_url, self.forget)
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<Grants: {len(self._grants)} keys, {len(self._prices)} prices, {self.listener!r}>"

    def start(self) -> None:
        """Begin to hear of changes. Works whether or not the database is there yet."""
        self._tasks = [
            asyncio.create_task(self.listener.run()),
            asyncio.create_task(self._redis_listener.run()),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        together = Barrier(THREADS)  # so that each of the threads closes its own connection
        closing = [asyncio.wrap_future(self._executor.submit(_close_connection, together)) for _ in range(THREADS)]
        await asyncio.gather(*closing)
        self._executor.shutdown(wait=False, cancel_futures=True)

    # Grants...

    def cached(self, digest: bytes) -> Grant | None:
        """The grant of the key with this SHA-256, where it is known and nothing can have changed unheard of."""
        grant = self._grants.get(digest)
        if grant is not None and grant.loaded_at >= self._sure_since and self._is_young(grant):
            return grant
        return None

    async def load(self, digest: bytes) -> Grant | None:
        """The grant from the database; None when no such key was ever made.

        A database that doesn't answer leaves the last known grant standing until its age is up
        (a customer with a cap or prepaid: shorter); after that raises GrantsUnavailable.
        """
        if self._strangers.get(digest, 0.0) > time.monotonic():
            return None
        loading = self._loading.get(digest)
        if loading is None:
            loading = asyncio.ensure_future(self._load(digest))
            self._loading[digest] = loading
            loading.add_done_callback(lambda loaded: self._finish_loading(digest, loaded))
        return await asyncio.shield(loading)

    def _finish_loading(self, digest: bytes, loaded: "asyncio.Future[Grant | None]") -> None:
        self._loading.pop(digest, None)
        if not loaded.cancelled():
            loaded.exception()  # looked at, in case all who waited for it have given up

    async def _load(self, digest: bytes) -> Grant | None:
        changes = self._changes
        try:
            grant = await self._in_thread(lambda: load_grant(digest))
        except (DatabaseError, TimeoutError) as error:
            known = self._grants.get(digest)
            if known is not None and self._is_young(known):
                return known
            raise GrantsUnavailable from error
        if changes == self._changes:  # else what was read may be from before the change
            self._keep(digest, grant)
        return grant

    def _keep(self, digest: bytes, grant: Grant | None) -> None:
        if grant is None:
            if len(self._strangers) >= MOST_STRANGERS:
                self._strangers.clear()
            self._strangers[digest] = time.monotonic() + STRANGER_AGE_S
            return
        if len(self._grants) >= MOST_GRANTS:
            self._grants.pop(next(iter(self._grants)))
        self._grants[digest] = grant

    def _is_young(self, grant: Grant) -> bool:
        age_s = time.monotonic() - max(grant.loaded_at, self.listener.heard_at)
        return age_s <= (self._max_age_capped_s if grant.book.has_cap else self._max_age_s)

    # Prices...

    def cached_price(self, organization_id: bytes, provider: str, model: str) -> Price | Unknown | None:
        """The price of a model, None when the book has none, UNKNOWN when `load_price` must tell."""
        known = self._prices.get((organization_id, provider, model))
        if known is None or known[1] < self._prices_since or known[2] <= time.monotonic():
            return UNKNOWN
        return known[0]

    async def load_price(self, organization_id: bytes, provider: str, model: str) -> Price | None:
        """The price from the book; None when it has none.

        A database that doesn't answer leaves the last known price standing; without one raises PricesUnavailable.
        """
        at, loaded_at = datetime.now(UTC), time.monotonic()  # before reading: a change from here on makes it old
        owner = UUID(bytes=organization_id)
        try:
            found, changes_at = await self._in_thread(
                lambda: (find_price(owner, provider, model, at), next_change(owner, provider, at))
            )
        except (DatabaseError, TimeoutError) as error:
            stale = self._prices.get((organization_id, provider, model))
            if stale is not None:
                return stale[0]
            raise PricesUnavailable from error
        if len(self._prices) >= MOST_GRANTS:
            self._prices.clear()
        age_s = PRICE_AGE_S if changes_at is None else min(PRICE_AGE_S, (changes_at - at).total_seconds())
        self._prices[organization_id, provider, model] = found, loaded_at, loaded_at + age_s
        return found

    # Hearing of changes...

    def forget(self, notice: str) -> None:
        """Drop what a notice says has changed: "key:<hash>", "customer:<id>", "organization:<id>" or "prices"."""
        self._changes += 1
        kind, _, value = notice.partition(":")
        match kind:
            case "key":
                self._strangers.pop(bytes.fromhex(value), None)
                self._grants.pop(bytes.fromhex(value), None)
            case "customer":
                customer_id = UUID(value).bytes
                self._drop(lambda grant: grant.customer_id == customer_id)
            case "organization":
                organization_id = UUID(value).bytes
                self._drop(lambda grant: grant.organization_id == organization_id)
            case "prices":
                self._prices_since = time.monotonic()
            case _:
                logger.error("a notice that nobody understands: %.40r", notice)

    def _drop(self, is_meant: Callable[[Grant], bool]) -> None:
        for digest in [digest for digest, grant in self._grants.items() if is_meant(grant)]:
            del self._grants[digest]

    def _doubt_all(self) -> None:
        """Ask the database again about each key: notices were missed while the connection was cut."""
        self._changes += 1
        self._sure_since = self._prices_since = time.monotonic()
        self._strangers.clear()

    async def _in_thread(self, ask: Callable[[], T]) -> T:
        def in_thread() -> T:
            close_old_connections()
            return ask()

        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE_S):
            return await loop.run_in_executor(self._executor, in_thread)


def load_grant(digest: bytes) -> Grant | None:
    """Read all that a key allows. None: there is no such key."""
    loaded_at = time.monotonic()  # before reading: what changes from here on is told by a notice
    keys = ProxyKey.objects.select_related("customer__organization__body_policy", "customer__body_policy")
    key = keys.filter(key_hash=digest).first()
    if key is None:
        return None
    organization, shares = key.customer.organization, _shares_of(key.customer)
    ends = [end.timestamp() for end in (key.revoked_at, key.expires_at) if end is not None]
    return Grant(
        organization_id=organization.pk.bytes,
        customer_id=key.customer.pk.bytes,
        proxy_key_id=key.pk.bytes,
        bar=_bar_of(key, datetime.now(UTC)),
        ends_at=min(ends, default=None),
        book=load_book(key.customer, key),
        access=Access(
            (key.customer.allowed_models, key.allowed_models), (key.customer.allowed_networks, key.allowed_networks)
        ),
        aliases=_aliases_of(organization),
        shortens_output=key.customer.shortens_output,
        calendar=Calendar(ZoneInfo(organization.time_zone)),
        markup_percent=key.customer.effective_markup_percent,
        on_limiter_outage=LimiterOutage(organization.on_limiter_outage),
        routes={provider: several[0].route for provider, several in shares.items()},
        plans=_plans_of(key.customer, shares),
        loaded_at=loaded_at,
        bodies=policy_for(key.customer),
        drains=organization.on_client_gone == organization.ClientGone.READ_ON,
        terms=load_terms(organization.pk, key.customer.pk),
    )


def _bar_of(key: ProxyKey, at: datetime) -> Bar | None:
    if key.customer.is_suspended:
        return Bar.SUSPENDED
    if key.revoked_at is not None and key.revoked_at <= at:
        return Bar.REVOKED
    if key.expires_at is not None and key.expires_at <= at:
        return Bar.EXPIRED
    return None


def _aliases_of(organization: Organization) -> dict[str, Alias]:
    return {
        row.name: Alias(
            row.name,
            row.provider,
            wire_of(row.provider),
            row.model,
            parameters_of(row.default_parameters),
            parameters_of(row.forced_parameters),
        )
        for row in organization.model_aliases.all()
    }


def _shares_of(customer: Customer) -> dict[str, tuple[Share, ...]]:
    """The customer's keys that work, by provider, those that are tried first in front."""
    links = customer.provider_key_links.select_related("provider_key__organization")
    shares: dict[str, tuple[Share, ...]] = {}
    for link in links.filter(provider_key__disabled_at=None).order_by("position", "-weight", "pk"):
        if route := route_of(link.provider_key):
            shares[route.provider] = (*shares.get(route.provider, ()), Share(route, link.weight, link.position))
    return shares


def _plans_of(customer: Customer, shares: dict[str, tuple[Share, ...]]) -> dict[str, Plan]:
    """How calls are tried, for the providers where there is more than one way to."""
    organization = customer.organization
    policy = Policy(
        organization.retries if customer.retries is None else customer.retries,
        frozenset(organization.retry_statuses),
        organization.retry_wait_ms / 1000,
        organization.retry_most_wait_ms / 1000,
    )
    return {
        provider: Plan(several, policy) for provider, several in shares.items() if policy.retries or len(several) > 1
    }


def route_of(key: ProviderKey) -> Route | None:
    """The way to the key's provider; None, loudly, where the vault doesn't open."""
    try:
        secret = open_provider_key(key, opened_by="proxy")
    except VaultError:
        logger.exception("provider key %s cannot be used", key.pk)
        return None
    origin, base_path = Origin.split(base_url_of(key.provider, key.base_url))
    wire = wire_of(key.provider)
    if wire == "azure":  # the portal shows the address with or without it
        base_path = base_path.removesuffix(b"/openai/v1").removesuffix(b"/openai")
    return Route(key.provider, key.pk.bytes, wire, origin, base_path, secret.encode(), key.deployments)


def _close_connection(together: Barrier) -> None:
    with suppress(BrokenBarrierError):  # a thread that a frozen database holds is not waited for
        together.wait(PATIENCE_S)
    connections.close_all()


def _conninfo() -> dict[str, str]:
    parameters = connections["default"].get_connection_params()
    return {name: str(parameters[name]) for name in LISTENER_OPTIONS if parameters.get(name)}
