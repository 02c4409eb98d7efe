"""Grants: loaded once, forgotten at once when something in them changes, and kept while the database is away."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import OperationalError, connections
from django.utils import timezone

from apps.accounts.services import update_organization
from apps.customers.services import suspend_customer, update_customer
from apps.keys.services.aliases import delete_model_alias
from apps.keys.services.links import KeyShare, assign_provider_keys
from apps.keys.services.provider_keys import disable_provider_key
from apps.keys.services.proxy_keys import limit_proxy_key, mint_proxy_key, revoke_proxy_key, rotate_proxy_key
from apps.keys.token import digest, mint
from apps.limits.services import remove_end_user_limits, set_end_user_limits
from apps.limits.terms import Scope
from apps.pricing.services import set_price
from apps.proxy import grants as module
from apps.proxy.aliases import Alias, parameters_of
from apps.proxy.grant import UNKNOWN, Bar, Grant, GrantsUnavailable, PricesUnavailable
from apps.proxy.grants import Grants
from apps.proxy.retrying import Policy
from tests.cast import a_link, a_model_alias, a_provider_key

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True)]

WITHIN_S = 1.0  # what revocation promises


@pytest.fixture
async def grants() -> AsyncIterator[Grants]:
    grants = Grants(redis_url=settings.REDIS_URL, max_age_s=900, max_age_capped_s=120)
    grants.start()
    await until(lambda: grants.listener.is_connected)
    yield grants
    await grants.stop()
    await sync_to_async(connections.close_all)()


@pytest.fixture
def key(cast):
    return mint_proxy_key(cast.globex, name="k", by=None)


async def until(is_so) -> None:
    async with asyncio.timeout(WITHIN_S + 1):
        while not is_so():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.01)


async def load(grants: Grants, plain: str) -> Grant:
    """The grant, kept: what is read while notices of its making still come in is used and not kept."""
    async with asyncio.timeout(WITHIN_S + 1):
        while (kept := grants.cached(digest(plain))) is None:
            assert await grants.load(digest(plain)) is not None
    return kept


async def forgotten(grants: Grants, plain: str) -> None:
    """Returns when the grant is gone from the cache; fails when that takes too long."""
    async with asyncio.timeout(WITHIN_S):
        while grants.cached(digest(plain)) is not None:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.005)


async def test_a_grant_has_what_the_customer_has(grants, key, cast):
    _, plain = key
    await sync_to_async(a_link)(cast.globex, "openai", secret="sk-operators-own-1234")
    await sync_to_async(update_customer)(
        cast.globex, by=None, requests_per_minute=5, monthly_cap=Decimal("12.5"), markup_percent=Decimal(20)
    )
    grant = await load(grants, plain)
    assert grant.customer_id == cast.globex.pk.bytes
    (customer,) = grant.book.base.each
    assert (customer.scope, customer.limits.requests_per_minute) == (Scope.CUSTOMER, 5)
    assert customer.limits.monthly_cap == Decimal("12.5")
    assert grant.book.has_cap
    assert grant.markup_percent == 20
    assert grant.bar_at(timezone.now().timestamp()) is None
    assert grant.routes["openai"].secret == b"sk-operators-own-1234"
    assert "sk-operators" not in repr(grant.routes)
    assert grants.cached(digest(plain)) is grant


async def test_a_key_that_was_never_made_is_nobodys(grants):
    assert await grants.load(digest(mint())) is None


async def test_a_revoked_key_is_forgotten_within_a_second(grants, key):
    made, plain = key
    await load(grants, plain)
    await sync_to_async(revoke_proxy_key)(made, by=None)
    await forgotten(grants, plain)
    assert (await load(grants, plain)).bar_at(timezone.now().timestamp()) is Bar.REVOKED


async def test_a_suspended_customers_key_is_barred(grants, key, cast):
    _, plain = key
    await load(grants, plain)
    await sync_to_async(suspend_customer)(cast.globex, by=None, at=timezone.now())
    await forgotten(grants, plain)
    assert (await load(grants, plain)).bar is Bar.SUSPENDED


async def test_a_replaced_key_ends_when_its_overlap_does(grants, key):
    made, plain = key
    await sync_to_async(rotate_proxy_key)(made, overlap=timedelta(hours=1), by=None)
    grant, now = await load(grants, plain), timezone.now().timestamp()
    assert grant.bar_at(now) is None
    assert grant.bar_at(now + 3601) is Bar.EXPIRED


async def test_limits_of_key_and_end_user_lie_within_the_customers(grants, key, cast):
    proxy_key, plain = key
    await sync_to_async(update_customer)(cast.globex, by=None, requests_per_day=900)
    await sync_to_async(limit_proxy_key)(proxy_key, by=None, requests_per_hour=90, allowed_models=["gpt-4o*"])
    await sync_to_async(set_end_user_limits)(cast.globex, None, by=None, requests_per_minute=9)
    await sync_to_async(set_end_user_limits)(cast.globex, "ann", by=None, total_cap=Decimal(5))
    await sync_to_async(set_end_user_limits)(cast.globex, "vip", by=None)
    book = (await load(grants, plain)).book
    scopes = {user: [each.scope for each in book.scopes(user).each] for user in (None, "new", "ann", "vip")}
    within_key = [Scope.CUSTOMER, Scope.KEY]
    within_user = [*within_key, Scope.END_USER]
    assert scopes == {None: within_key, "new": within_user, "ann": within_user, "vip": within_key}
    assert book.scopes("new").each[-1].limits.requests_per_minute == 9
    assert book.scopes("ann").each[-1].limits.total_cap == 5
    assert not book.scopes("new").has_cap
    assert book.scopes("ann").has_cap
    assert book.scopes("ann") is book.scopes("ann")  # made once, with all that is asked of Redis


async def test_a_changed_limit_of_an_end_user_holds_at_once(grants, key, cast):
    _, plain = key
    row = await sync_to_async(set_end_user_limits)(cast.globex, "ann", by=None, requests_per_minute=9)
    await load(grants, plain)
    await sync_to_async(set_end_user_limits)(cast.globex, "ann", by=None, requests_per_minute=8)
    await forgotten(grants, plain)
    await load(grants, plain)
    await sync_to_async(remove_end_user_limits)(row, by=None)
    await forgotten(grants, plain)
    assert (await load(grants, plain)).book.scopes("ann").is_open


async def test_what_a_key_may_call_is_what_its_customer_may_too(grants, cast):
    networks = ["192.0.2.0/24", "2001:db8::/32"]
    await sync_to_async(update_customer)(cast.globex, by=None, allowed_models=["gpt-*"], allowed_networks=networks)
    _, plain = await sync_to_async(mint_proxy_key)(cast.globex, name="k", by=None, allowed_models=["*-mini"])
    access = (await load(grants, plain)).access
    models = ("gpt-4o", "gpt-4o-mini", "o4-mini", "GPT-5-MINI", "")
    assert [model for model in models if access.allows_model("openai", model)] == ["gpt-4o-mini", "GPT-5-MINI"]
    addresses = ("192.0.2.7", "192.0.3.7", "2001:db8::1", "::ffff:192.0.2.9", "nonsense", None)
    assert [a for a in addresses if access.allows_address(a)] == ["192.0.2.7", "2001:db8::1", "::ffff:192.0.2.9"]


async def test_a_changed_limit_holds_at_once(grants, key, cast):
    _, plain = key
    await load(grants, plain)
    await sync_to_async(update_customer)(cast.globex, by=None, requests_per_minute=0)
    await forgotten(grants, plain)
    assert (await load(grants, plain)).book.base.each[0].limits.requests_per_minute == 0


async def test_another_customers_change_leaves_a_grant_alone(grants, key, cast):
    _, plain = key
    grant = await load(grants, plain)
    await sync_to_async(update_customer)(cast.initech, by=None, requests_per_minute=1)
    await asyncio.sleep(0.2)
    assert grants.cached(digest(plain)) is grant


async def test_a_database_that_fails_leaves_known_grants_standing(grants, key, monkeypatch):
    _, plain = key
    grant = await load(grants, plain)
    monkeypatch.setattr(module, "load_grant", failing)
    grants._doubt_all()
    assert grants.cached(digest(plain)) is None
    assert await grants.load(digest(plain)) is grant
    with pytest.raises(GrantsUnavailable):
        await grants.load(digest(mint()))


async def test_a_known_grant_stands_only_until_its_age_is_up(grants, key, monkeypatch):
    _, plain = key
    await load(grants, plain)
    monkeypatch.setattr(module, "load_grant", failing)
    grants._max_age_s = 0
    grants.listener.heard_at = 0.0
    await asyncio.sleep(0.01)
    with pytest.raises(GrantsUnavailable):
        await grants.load(digest(plain))


async def test_a_price_is_asked_for_once_and_again_after_a_change(grants, cast):
    organization = cast.acme.pk.bytes
    assert grants.cached_price(organization, "openai", "m") is UNKNOWN
    assert await grants.load_price(organization, "openai", "m") is None
    assert grants.cached_price(organization, "openai", "m") is None
    await sync_to_async(set_price)(
        cast.acme, provider="openai", model="m", rates={"input": "1"}, effective_from=timezone.now(), by=None
    )
    await until(lambda: grants.cached_price(organization, "openai", "m") is UNKNOWN)
    price = await grants.load_price(organization, "openai", "m")
    assert price is not None
    assert grants.cached_price(organization, "openai", "m") is price


async def test_a_price_ends_at_the_instant_from_which_another_is_known_to_hold(grants, cast):
    organization, now = cast.acme.pk.bytes, timezone.now()
    changes_at = now + timedelta(seconds=3)
    for rate, since in (("1", now), ("2", changes_at)):
        await sync_to_async(set_price)(
            cast.acme, provider="openai", model="m", rates={"input": rate}, effective_from=since, by=None
        )
    price = await grants.load_price(organization, "openai", "m")
    assert price.base.tokens[0] == 1_000_000
    async with asyncio.timeout(module.PRICE_AGE_S / 2):
        while price.base.tokens[0] == 1_000_000:
            await asyncio.sleep(0.05)
            price = grants.cached_price(organization, "openai", "m")
            if price is UNKNOWN:
                price = await grants.load_price(organization, "openai", "m")
    assert timezone.now() >= changes_at


async def test_a_price_that_cannot_be_asked_for_is_not_no_price(grants, cast, monkeypatch):
    monkeypatch.setattr(module, "find_price", failing)
    with pytest.raises(PricesUnavailable):
        await grants.load_price(cast.acme.pk.bytes, "openai", "m")


async def test_the_last_known_price_stands_while_the_database_is_away(grants, cast, monkeypatch):
    organization = cast.acme.pk.bytes
    await sync_to_async(set_price)(
        cast.acme, provider="openai", model="m", rates={"input": "1"}, effective_from=timezone.now(), by=None
    )
    price = await grants.load_price(organization, "openai", "m")
    monkeypatch.setattr(module, "find_price", failing)
    grants._doubt_all()  # the connection that tells of changes was cut, too
    assert grants.cached_price(organization, "openai", "m") is UNKNOWN
    assert await grants.load_price(organization, "openai", "m") is price


def failing(*_args):
    raise OperationalError("the database is away")


async def test_without_retries_and_with_one_key_there_is_no_plan(grants, key, cast):
    _, plain = key
    await sync_to_async(a_link)(cast.globex, "openai")
    grant = await load(grants, plain)
    assert grant.plans == {}
    assert grant.aliases == {}


async def test_keys_that_work_take_turns_as_the_operator_says(grants, key, cast):
    _, plain = key
    keys = [await sync_to_async(a_provider_key)(cast.acme, secret=f"sk-of-number-{n}") for n in range(4)]
    shares = [KeyShare(keys[0], 1, 1), KeyShare(keys[1], 2), KeyShare(keys[2], 5), KeyShare(keys[3])]
    await sync_to_async(assign_provider_keys)(cast.globex, "openai", shares, by=None)
    await sync_to_async(disable_provider_key)(keys[3], by=None, at=timezone.now())
    await sync_to_async(update_organization)(cast.acme, by=None, retries=2, retry_statuses=[503], retry_wait_ms=100)
    grant = await load(grants, plain)
    plan = grant.plans["openai"]
    assert [(share.route.secret, share.weight, share.position) for share in plan.shares] == [
        (b"sk-of-number-2", 5, 0),
        (b"sk-of-number-1", 2, 0),
        (b"sk-of-number-0", 1, 1),
    ]
    assert grant.routes["openai"] is plan.shares[0].route
    assert plan.policy == Policy(2, frozenset({503}), 0.1, 10.0)
    await sync_to_async(update_customer)(cast.globex, by=None, retries=0)
    await forgotten(grants, plain)
    assert (await load(grants, plain)).plans["openai"].policy.retries == 0


async def test_names_for_models_are_the_organizations_own(grants, key, cast):
    _, plain = key
    await sync_to_async(a_model_alias)(cast.evil_corp, "theirs")
    alias = await sync_to_async(a_model_alias)(cast.acme, "house", forced_parameters={"top_p": 1})
    nothing, forced = parameters_of({}), parameters_of({"top_p": 1})
    assert (await load(grants, plain)).aliases == {
        "house": Alias("house", "openai", "openai", "gpt-4o", nothing, forced)
    }
    await sync_to_async(delete_model_alias)(alias, by=None)
    await forgotten(grants, plain)
    assert (await load(grants, plain)).aliases == {}
