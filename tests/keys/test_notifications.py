"""Whatever changes what a proxy's grants are made of is told: by the database, so that nobody can forget."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from redis import Redis

from apps.customers import services as customers
from apps.customers.models import Customer
from apps.keys import token
from apps.keys.models import CustomerProviderKey, ProviderKey, ProxyKey
from apps.keys.services import links, provider_keys
from apps.keys.services.proxy_keys import mint_proxy_key, revoke_proxy_key
from apps.keys.services.rotation import rotate_vault
from tests.cast import Cast, a_link, a_model_alias, a_provider_key, a_proxy_key
from tests.heard import Heard

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_customer_changed_by_plain_sql_is_told(cast: Cast, heard: Heard):
    heard()
    Customer.objects.filter(pk=cast.globex.pk).update(requests_per_minute=5)
    assert heard() == [f"customer:{cast.globex.pk}"]


def test_a_change_that_changes_nothing_is_not_told(cast: Cast, heard: Heard):
    heard()
    Customer.objects.filter(pk=cast.globex.pk).update(name=cast.globex.name)
    assert heard() == []


def test_what_is_rolled_back_is_not_told(cast: Cast, heard: Heard):
    heard()
    with transaction.atomic():
        customers.suspend_customer(cast.globex, by=None, at=timezone.now())
        transaction.set_rollback(True)
    assert heard() == []


def test_a_service_and_the_trigger_tell_once(cast: Cast, heard: Heard):
    heard()
    customers.suspend_customer(cast.globex, by=None, at=timezone.now())
    assert heard() == [f"customer:{cast.globex.pk}"]


def test_a_new_key_is_told_since_it_may_be_remembered_as_unknown(cast: Cast, heard: Heard):
    heard()
    _, plain = mint_proxy_key(cast.globex, name="ci", by=None)
    assert heard() == [f"key:{token.digest(plain).hex()}"]


def test_a_revoked_key_is_told(cast: Cast, heard: Heard):
    key, plain = a_proxy_key(cast.globex)
    heard()
    revoke_proxy_key(key, by=None)
    assert heard() == [f"key:{token.digest(plain).hex()}"]


def test_a_key_deleted_by_plain_sql_is_told(cast: Cast, heard: Heard):
    key, plain = a_proxy_key(cast.globex)
    heard()
    ProxyKey.objects.filter(pk=key.pk).delete()
    assert heard() == [f"key:{token.digest(plain).hex()}"]


def test_the_last_use_of_a_key_is_told_to_nobody(cast: Cast, heard: Heard):
    key, _ = a_proxy_key(cast.globex)
    heard()
    ProxyKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
    assert heard() == []


def test_the_expiry_of_a_key_changed_together_with_its_last_use_is_told(cast: Cast, heard: Heard):
    key, plain = a_proxy_key(cast.globex)
    heard()
    later = timezone.now() + timedelta(days=1)
    ProxyKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now(), expires_at=later)
    assert heard() == [f"key:{token.digest(plain).hex()}"]


def test_a_provider_key_concerns_its_organization(cast: Cast, heard: Heard):
    key = a_provider_key(cast.acme)
    heard()
    ProviderKey.objects.filter(pk=key.pk).update(disabled_at=timezone.now())
    assert heard() == [f"organization:{cast.acme.pk}"]
    provider_keys.replace_provider_key(key, secret="sk-of-next-year-1", by=None)
    assert heard() == [f"organization:{cast.acme.pk}"]
    provider_keys.delete_provider_key(key, by=None)
    assert heard() == [f"organization:{cast.acme.pk}"]


def test_a_rotation_of_the_vault_is_told_to_nobody(cast: Cast, heard: Heard, settings):
    a_provider_key(cast.acme)
    heard()
    settings.VAULT_KEYS = f"next:{'A' * 43}=,{settings.VAULT_KEYS}"
    assert rotate_vault().rotated == 1
    assert heard() == []


def test_links_concern_their_customer(cast: Cast, heard: Heard):
    first, second = a_provider_key(cast.acme), a_provider_key(cast.acme)
    heard()
    links.assign_provider_key(cast.globex, first, by=None)
    assert heard() == [f"customer:{cast.globex.pk}"]
    CustomerProviderKey.objects.filter(customer=cast.globex).update(provider_key=second)
    assert heard() == [f"customer:{cast.globex.pk}"]
    links.unassign_provider_key(cast.globex, "openai", by=None)
    assert heard() == [f"customer:{cast.globex.pk}"]


def test_a_link_moved_to_another_customer_is_told_to_both(cast: Cast, heard: Heard):
    a_link(cast.globex)
    heard()
    CustomerProviderKey.objects.filter(customer=cast.globex).update(customer=cast.initech)
    assert sorted(heard()) == sorted([f"customer:{cast.globex.pk}", f"customer:{cast.initech.pk}"])


def test_an_organizations_settings_are_told(cast: Cast, heard: Heard):
    heard()
    type(cast.acme).objects.filter(pk=cast.acme.pk).update(default_markup_percent=20)
    assert heard() == [f"organization:{cast.acme.pk}"]


def test_a_deleted_customer_is_told_with_its_keys(cast: Cast, heard: Heard):
    _, plain = a_proxy_key(cast.globex)
    a_link(cast.globex)
    heard()
    Customer.objects.get(pk=cast.globex.pk).delete()
    assert set(heard()) == {f"customer:{cast.globex.pk}", f"key:{token.digest(plain).hex()}"}


def test_redis_hears_the_same_after_the_commit(cast: Cast, redis: Redis):
    key, plain = a_proxy_key(cast.globex)
    with redis.pubsub() as listener:
        listener.subscribe("tollgate_grants")
        assert listener.get_message(timeout=1)["type"] == "subscribe"
        with transaction.atomic():
            revoke_proxy_key(key, by=None)
            assert listener.get_message(timeout=0.1) is None
        message = listener.get_message(timeout=1)
    assert message["data"].decode() == f"key:{token.digest(plain).hex()}"


def test_a_redis_that_is_away_undoes_nothing(cast: Cast, settings, tmp_path):
    key, _ = a_proxy_key(cast.globex)
    settings.REDIS_URL = f"unix://{tmp_path}/nobody-listens.sock"
    revoke_proxy_key(key, by=None)
    assert not ProxyKey.objects.live(timezone.now()).filter(pk=key.pk).exists()


def test_names_for_models_concern_their_organization(cast: Cast, heard: Heard):
    heard()
    alias = a_model_alias(cast.acme)
    assert heard() == [f"organization:{cast.acme.pk}"]
    type(alias).objects.filter(pk=alias.pk).update(model="gpt-5")
    assert heard() == [f"organization:{cast.acme.pk}"]
    alias.delete()
    assert heard() == [f"organization:{cast.acme.pk}"]
