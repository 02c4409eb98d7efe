"""Which keys a customer's calls are sent with: one a provider, or several with weights."""

from typing import Any

import pytest
from django.test import Client

from apps.keys.models import ProviderKey
from tests.cast import Cast, a_provider_key, reread
from tests.pages import text_of


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


@pytest.fixture
def keys(cast: Cast) -> list[ProviderKey]:
    return [a_provider_key(cast.acme, name=name) for name in ("one", "two", "three")]


def post(olivia: Client, cast: Cast, **fields: Any) -> Any:
    return olivia.post(f"/console/customers/{cast.globex.pk}/keys/", fields)


def links_of(cast: Cast) -> list[tuple[str, int, int]]:
    links = cast.globex.provider_key_links.order_by("position", "-weight")
    return [(link.provider_key.name, link.weight, link.position) for link in links]


def test_one_key_and_then_none(olivia: Client, cast: Cast, keys):
    assert post(olivia, cast, openai=keys[1].pk).status_code == 302
    assert links_of(cast) == [("two", 1, 0)]
    assert post(olivia, cast, openai="").status_code == 302
    assert links_of(cast) == []


def test_several_with_weights_and_back_to_one(olivia: Client, cast: Cast, keys):
    one, two, three = (str(key.pk) for key in keys)
    several = {f"weight_{one}": 3, f"weight_{two}": 1, f"weight_{three}": 1, f"position_{three}": 1}
    assert post(olivia, cast, openai=one, **several).status_code == 302
    assert links_of(cast) == [("one", 3, 0), ("two", 1, 0), ("three", 1, 1)]
    form = olivia.get(f"/console/customers/{cast.globex.pk}/keys/").context["form"]
    assert [form[f"{field}_{three}"].initial for field in ("weight", "position")] == [1, 1]
    assert form["openai"].initial == keys[0].pk
    assert "weight 3, position 0" in text_of(olivia.get(f"/console/customers/{cast.globex.pk}/"))
    assert post(olivia, cast, openai=two).status_code == 302
    assert links_of(cast) == [("two", 1, 0)]


def test_a_weight_that_is_none_is_told(olivia: Client, cast: Cast, keys):
    assert "greater than or equal to 1" in text_of(post(olivia, cast, **{f"weight_{keys[0].pk}": 0}))
    assert links_of(cast) == []


def test_retries_are_the_organizations_or_the_customers_own(olivia: Client, cast: Cast):
    settings = {
        "name": "Acme",
        "time_zone": "UTC",
        "default_markup_percent": "0",
        "on_limiter_outage": "refuse_capped",
        "on_client_gone": "read_on",
        "retries": "2",
        "retry_statuses": "429, 503",
        "retry_wait_ms": "250",
        "retry_most_wait_ms": "5000",
    }
    assert olivia.post("/console/settings/", settings).status_code == 302
    acme = reread(cast.acme)
    assert (acme.retries, acme.retry_statuses, acme.retry_wait_ms, acme.retry_most_wait_ms) == (
        2,
        [429, 503],
        250,
        5000,
    )
    assert "404 is not tried again" in text_of(olivia.post("/console/settings/", settings | {"retry_statuses": "404"}))
    assert "less than or equal to 5" in text_of(olivia.post("/console/settings/", settings | {"retries": "6"}))
    edit = f"/console/customers/{cast.globex.pk}/edit/"
    assert olivia.post(edit, {"name": "Globex", "retries": "0"}).status_code == 302
    assert reread(cast.globex).retries == 0
    assert olivia.post(edit, {"name": "Globex", "retries": ""}).status_code == 302
    assert reread(cast.globex).retries is None
