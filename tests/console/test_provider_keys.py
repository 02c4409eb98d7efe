"""Provider keys: what is put in about an Azure resource."""

import pytest
from django.test import Client

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
