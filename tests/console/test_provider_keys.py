"""Provider keys: what is put in about an Azure resource."""

import time

import pytest
from django.test import Client

from apps.keys.circuits import ToldCircuit, encode, hash_of
from apps.keys.models import ProviderKey
from apps.keys.services.provider_keys import add_provider_key
from tests.cast import Cast, reread
from tests.pages import text_of

AZURE = {"provider": "azure", "name": "main", "secret": "sk-azure-secret-000", "base_url": "https://a.example"}


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


def test_a_key_is_added_with_its_deployments(olivia: Client, cast: Cast):
    lines = "prod-4o = gpt-4o\r\n\r\nears=whisper-1\r\n"
    olivia.post("/console/provider-keys/add/", AZURE | {"deployments": lines})
    key = cast.acme.provider_keys.get(provider="azure")
    assert key.deployments == {"prod-4o": "gpt-4o", "ears": "whisper-1"}


@pytest.mark.parametrize("lines", ["prod-4o", "prod-4o =", "= gpt-4o", "a = b\na = c"])
def test_what_is_no_deployment_is_said(olivia: Client, cast: Cast, lines):
    answer = olivia.post("/console/provider-keys/add/", AZURE | {"deployments": lines})
    assert "Not a deployment and its model" in text_of(answer)
    assert not cast.acme.provider_keys.filter(provider="azure").exists()


def test_deployments_are_changed(olivia: Client, cast: Cast):
    key = add_provider_key(cast.acme, **AZURE, deployments={"prod-4o": "gpt-4o"}, by=None)
    page = f"/console/provider-keys/{key.pk}/deployments/"
    assert page in olivia.get("/console/provider-keys/").content.decode()
    assert "prod-4o = gpt-4o" in olivia.get(page).content.decode()
    olivia.post(page, {"deployments": "prod-4o = gpt-4.1"})
    assert reread(key).deployments == {"prod-4o": "gpt-4.1"}
    olivia.post(page, {"deployments": "prod 4o = gpt-4.1"})
    assert reread(key).deployments == {"prod-4o": "gpt-4.1"}


# Circuits: told by proxies (tests/proxy/test_circuit_board.py), shown with each key


@pytest.fixture
def key(cast: Cast) -> ProviderKey:
    return add_provider_key(cast.acme, provider="openai", name="main", secret="sk-test-0123456789", by=None)


def told(
    redis, key: ProviderKey, process: str, *, failures: int, opened_at: float = 0.0, tries_at: float = 0.0
) -> None:
    redis.hset(hash_of(key.pk.bytes), process, encode(ToldCircuit(failures, opened_at, tries_at)))


def test_circuits_are_shown_beside_each_key(olivia, key, redis):
    now = time.time()
    shown = lambda: " ".join(olivia.get("/console/provider-keys/").content.decode().split())  # noqa: E731
    assert "Closed" in shown()
    told(redis, key, "one", failures=7, opened_at=now - 5, tries_at=now + 25)
    told(redis, key, "two", failures=5, opened_at=now - 3, tries_at=now + 27)
    page = shown()
    assert '<span class="badge badge-bad">Open</span>' in page
    assert "7 failures in a row, in 2 processes" in page
    redis.delete(hash_of(key.pk.bytes))
    told(redis, key, "one", failures=5, opened_at=now - 60, tries_at=now - 30)
    assert "the next call tries it" in shown()
    redis.delete(hash_of(key.pk.bytes))
    told(redis, key, "one", failures=1)
    assert "1 failure in a row" in shown()


def test_while_redis_is_away_no_circuit_is_known(olivia, key, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1"
    assert "not known" in olivia.get("/console/provider-keys/").content.decode()
