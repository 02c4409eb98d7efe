import base64
import os
from threading import Event, Thread

import pytest
from django.db import connection

from apps.keys.models import ProviderKey
from apps.keys.services.provider_keys import replace_provider_key
from apps.keys.services.rotation import rotate_vault
from apps.keys.vault import open_provider_key
from tests.cast import Cast, a_provider_key, at_once, reread

OLD, NEW = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))


@pytest.fixture
def keys(cast: Cast, settings) -> list[ProviderKey]:
    """Five keys of two tenants, sealed under "old"; the ring has "new" before it."""
    settings.VAULT_KEYS = f"old:{OLD}"
    made = [a_provider_key(organization) for organization in [cast.acme] * 3 + [cast.evil_corp] * 2]
    settings.VAULT_KEYS = f"new:{NEW},old:{OLD}"
    return made


def secret_of(key: ProviderKey) -> str:
    return open_provider_key(reread(key), opened_by="test")


def test_after_a_rotation_the_old_key_may_go(keys, settings):
    secrets = [secret_of(key) for key in keys]
    rotation = rotate_vault()
    assert (rotation.newest, rotation.rotated, rotation.failed, rotation.unused) == ("new", 5, {}, ["old"])
    settings.VAULT_KEYS = f"new:{NEW}"
    assert [secret_of(key) for key in keys] == secrets


def test_the_secrets_themselves_are_not_sealed_again(keys):
    before = [bytes(key.ciphertext) for key in keys]
    rotate_vault()
    assert [bytes(reread(key).ciphertext) for key in keys] == before


def test_a_second_run_changes_nothing(keys):
    rotate_vault()
    before = list(ProviderKey.objects.order_by("pk").values_list("wrapped_key", "kek_id"))
    rotation = rotate_vault()
    assert (rotation.rotated, rotation.failed) == (0, {})
    assert list(ProviderKey.objects.order_by("pk").values_list("wrapped_key", "kek_id")) == before


def test_each_rotated_key_is_audited_with_its_tenant(cast: Cast, keys):
    rotate_vault()
    events = cast.evil_corp.audit_events.filter(action="provider_key.rotate")
    assert [event.changes for event in events] == [{"vault_key": ["old", "new"]}] * 2


def test_a_row_that_does_not_open_is_told_of_and_left(keys):
    ProviderKey.objects.filter(pk=keys[1].pk).update(wrapped_key=b"\0" * 60)
    rotation = rotate_vault()
    assert (rotation.rotated, list(rotation.failed), rotation.unused) == (4, [keys[1].pk], [])
    assert reread(keys[1]).kek_id == "old"


def test_a_row_under_a_key_that_is_not_in_the_ring_is_told_of(keys, settings):
    settings.VAULT_KEYS = f"new:{NEW}"
    rotation = rotate_vault()
    assert rotation.rotated == 0
    assert set(rotation.failed) == {key.pk for key in keys}
    assert "“old”" in rotation.failed[keys[0].pk]


@pytest.mark.django_db(transaction=True)
def test_two_rotations_at_once_rotate_each_key_once(cast: Cast, keys):
    rotations = at_once(2, rotate_vault)
    assert sum(rotation.rotated for rotation in rotations) == 5
    assert cast.acme.audit_events.filter(action="provider_key.rotate").count() == 3
    assert set(ProviderKey.objects.values_list("kek_id", flat=True)) == {"new"}


@pytest.mark.django_db(transaction=True)
def test_who_reads_while_keys_rotate_always_gets_the_secret(keys, settings):
    secrets, done, wrong = {key.pk: secret_of(key) for key in keys}, Event(), []
    reads = 0

    def read() -> None:
        nonlocal reads
        while not done.is_set():
            for key in keys:
                reads += 1
                if secret_of(key) != secrets[key.pk]:
                    wrong.append(key.pk)
        connection.close()

    reader = Thread(target=read)
    reader.start()
    try:
        for round_ in range(10):  # back and forth
            first, last = ("new", "old") if round_ % 2 == 0 else ("old", "new")
            values = {"new": NEW, "old": OLD}
            settings.VAULT_KEYS = f"{first}:{values[first]},{last}:{values[last]}"
            assert rotate_vault().rotated == 5
    finally:
        done.set()
        reader.join()
    assert wrong == []
    assert reads > 5


@pytest.mark.django_db(transaction=True)
def test_a_secret_replaced_during_a_rotation_is_not_undone(keys):
    actions = iter([rotate_vault, lambda: replace_provider_key(keys[0], secret="sk-of-next-year-1", by=None)])

    def one() -> None:
        next(actions)()

    assert at_once(2, one) == [None, None]
    assert secret_of(keys[0]) == "sk-of-next-year-1"
    assert reread(keys[0]).kek_id == "new"
