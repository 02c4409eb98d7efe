"""Every address of the API with every object of somebody else, from the resolver: it does not exist there."""

import json
import re
from collections.abc import Iterator, Mapping
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from apps.alerts.owners import Owner
from apps.api.v1.billing_urls import billing_paths
from apps.customers.models import Customer
from tests.alerts.conftest import a_channel, a_rule
from tests.cast import Cast, a_proxy_key, an_api_token
from tests.isolation import billing_objects
from tests.isolation.test_foreign_objects import a_limit, a_rate_card, everything, undone
from tests.used import a_request

BILLING = ("payments", "invoices", "credit-notes", "ledger-transactions", "subscriptions")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
Objects = Mapping[str, object]
BODIES = {  # of those that want one: what would be right
    "PUT": {"user": "mallory"},
    "PATCH": {"daily_cap": "1"},
    "mute": {"until": None},
}


def addresses() -> Iterator[URLPattern]:
    """Those of version 1 that name an object. One that names another kind: please add it to `objects_of`."""
    for pattern in get_resolver("apps.api.v1.urls").url_patterns:
        assert isinstance(pattern, URLPattern), f"look into {pattern} here too"
        if pattern.pattern.converters:
            yield pattern


ADDRESSES = list(addresses())
OF_BILLING = [pattern for pattern in ADDRESSES if pattern in billing_paths]


def url_of(pattern: URLPattern, objects: Objects) -> str:
    """Its path with these objects in it."""
    path = str(pattern.pattern)
    for name in pattern.pattern.converters:
        path = re.sub(rf"<\w+:{name}>", str(objects[name]), path)
    return f"/api/v1/{path}"


def objects_of(customer: Customer, owner: Owner | None = None) -> Objects:
    """Something of each kind that addresses name."""
    return {
        **billing_objects.of_billing(customer),
        "customer_id": customer.pk,
        "card_id": a_rate_card(customer.organization),
        "key_id": a_proxy_key(customer)[0].pk,
        "limit_id": a_limit(customer),
        "request_id": a_request(customer, timezone.now()).id,
        "rule_id": a_rule(owner or Owner(customer.organization)).pk,
        "channel_id": a_channel(owner or Owner(customer.organization)).pk,
    }


def body_for(method: str, url: str) -> object:
    """What would be right there."""
    if method == "PATCH" and "/alerts/" in url:
        return {"threshold": "50"}
    named = url.rsplit("/", 1)[-1]
    if named in billing_objects.BODIES:
        return billing_objects.BODIES[named]
    return BODIES.get(named) or BODIES.get(method, {})


def ask(client: Client, method: str, url: str, plain: str) -> int:
    return client.generic(
        method,
        url,
        data=json.dumps(body_for(method, url)),
        content_type="application/json",
        headers={"authorization": f"Bearer {plain}", "idempotency-key": str(uuid4())},
    ).status_code


@pytest.fixture
def tokens(cast: Cast, settings) -> Mapping[str, str]:
    settings.API_RATE = 10**9
    return {"Acme": an_api_token(cast.acme)[1], "Globex": an_api_token(cast.acme, cast.globex)[1]}


@pytest.mark.parametrize("whose", ["Acme", "Globex"])
def test_what_is_somebody_elses_does_not_exist_and_stays_as_it_is(client: Client, cast: Cast, tokens, whose: str):
    if whose == "Acme":
        owners = [Owner(cast.evil_corp), Owner(cast.acme, cast.globex)]  # not even its own customers' rules
        strangers = [objects_of(cast.shady, owner) for owner in owners]
    else:
        owners = [Owner(cast.evil_corp), Owner(cast.acme), Owner(cast.acme, cast.initech)]
        strangers = [objects_of(cast.initech, owner) for owner in owners]
    ask(client, "GET", "/api/v1/keys", tokens[whose])  # its use is noted
    before = everything()
    for pattern in ADDRESSES:
        for objects in strangers:
            url = url_of(pattern, objects)
            statuses = {method: ask(client, method, url, tokens[whose]) for method in METHODS}
            # A customer's token may not do some things at all; whatever it may, it does not find.
            assert set(statuses.values()) <= ({404, 405} if whose == "Acme" else {403, 404, 405}), (url, statuses)
            assert 404 in statuses.values() or set(statuses.values()) <= {403, 405}, (url, statuses)
    assert everything() == before


def test_what_is_ones_own_does(client: Client, cast: Cast, tokens):
    """Or the test above would prove nothing."""
    objects = objects_of(cast.globex)
    for pattern in ADDRESSES:
        url = url_of(pattern, objects)
        for method in METHODS:
            with undone():
                # A conflict, and a body that lacks something, are of what was found.
                found = (200, 201, 202, 204, 405, *((400, 409) if pattern in OF_BILLING else ()))
                assert ask(client, method, url, tokens["Acme"]) in found, (method, url)


@pytest.mark.parametrize("parameter", ["customer"])
def test_a_foreign_customer_as_a_parameter_does_not_exist(client: Client, cast: Cast, tokens, parameter):
    for whose, foreign in (("Acme", cast.shady), ("Globex", cast.initech), ("Acme", None)):
        customer = uuid4() if foreign is None else foreign.pk
        for path in ("keys", "metrics", "properties", "requests", "exports/usage", *BILLING):
            assert ask(client, "GET", f"/api/v1/{path}?{parameter}={customer}", tokens[whose]) == 404, path
