"""What a proxy key's holder is told of its usage, and who is told nothing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from apps.billing.services.drawing import draw_usage
from apps.billing.services.lots import grant_credit
from apps.billing.services.wallets import open_wallet
from apps.customers.services import suspend_customer, update_customer
from apps.keys.services.proxy_keys import limit_proxy_key, revoke_proxy_key
from apps.proxy.protocols import routes
from tests.cast import Cast, a_proxy_key
from tests.used import an_hour

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR = NOW - timedelta(hours=1)
URL = "/v1/tollgate/usage"


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW)


def ask(client: Client, plain: str, header: str = "authorization"):
    return client.get(URL, headers={header: f"Bearer {plain}" if header == "authorization" else plain})


def test_this_months_usage_with_the_key_and_what_is_left(client: Client, cast: Cast):
    key, plain = a_proxy_key(cast.globex, "ci")
    other, _ = a_proxy_key(cast.globex, "other")
    update_customer(cast.globex, by=None, monthly_cap=Decimal(50), max_concurrent=8)
    limit_proxy_key(key, by=None, daily_cap=Decimal(5))
    limit_proxy_key(other, by=None, daily_cap=Decimal(1))
    an_hour(cast.globex, HOUR, proxy_key_id=key.pk, requests=10, refused=1, cost=Decimal(2), price=Decimal("2.5"))
    an_hour(cast.globex, HOUR, proxy_key_id=key.pk, model="o4-mini", cost=Decimal(1), price=Decimal("1.25"))
    an_hour(cast.globex, HOUR, proxy_key_id=other.pk, requests=500, price=Decimal(10))
    an_hour(cast.globex, NOW - timedelta(days=20), proxy_key_id=key.pk, requests=99, price=Decimal(99))
    answer = ask(client, plain)
    assert answer.status_code == 200
    assert answer.json() == {
        "object": "tollgate.usage",
        "customer": "Globex",
        "key": {"name": "ci", "last_four": plain[-4:]},
        "currency": "USD",
        "time_zone": "UTC",
        "month": {
            "since": "2026-03-01T00:00:00+00:00",
            **sums(20, "3.75", refused=1),
            "models": [
                {"model": "gpt-4o-mini", **sums(10, "2.5", refused=1)},
                {"model": "o4-mini", **sums(10, "1.25")},
            ],
        },
        "limits": [
            limit("customer", "max_concurrent", "requests", "8", "0", "8", None),
            limit("customer", "monthly_cap", "usd", "50", "13.75", "36.25", "2026-04-01T00:00:00+00:00"),
            limit("key", "daily_cap", "usd", "5", "3.75", "1.25", "2026-03-11T00:00:00+00:00"),
        ],
        "credit": None,
    }


def test_the_credit_that_is_left(client: Client, cast: Cast):
    _, plain = a_proxy_key(cast.globex)
    wallet = open_wallet(cast.globex, by=None, at=NOW)
    grant_credit(wallet, Decimal(10), key="a", by=None, at=NOW, expires_at=NOW + timedelta(days=5))
    grant_credit(wallet, Decimal(20), key="b", by=None, at=NOW)
    an_hour(cast.globex, HOUR, price=Decimal("2.5"))
    told = ask(client, plain).json()
    assert told["limits"] == [limit("customer", "prepaid_credit", "usd", "30", "2.5", "27.5", None)]
    draw_usage(wallet.pk, at=NOW)
    told = ask(client, plain).json()
    assert told["limits"] == [limit("customer", "prepaid_credit", "usd", "30", "2.5", "27.5", None)]
    assert told["credit"] == {
        "is_prepaid": True,
        "balance": "27.5",
        "expires_within_30_days": "7.5",
        "next_expiry": "2026-03-15T12:00:00+00:00",
    }


def sums(requests: int, spend: str, refused: int = 0) -> dict[str, object]:
    """Of hours with 100 tokens in, and 50 out, for each request."""
    tokens = {"input_tokens": requests * 100, "output_tokens": requests * 50}
    return {"requests": requests, "refused": refused, **tokens, "spend": spend}


def limit(scope: str, name: str, unit: str, most: str, used: str, left: str, resets_at: str | None):
    amounts = {"limit": most, "used": used, "held": "0", "left": left}
    return {"scope": scope, "name": name, "unit": unit, **amounts, "resets_at": resets_at}


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "x-goog-api-key", "api-key", "tollgate-auth"])
def test_the_key_may_be_where_its_sdk_puts_it(client: Client, cast: Cast, header):
    _, plain = a_proxy_key(cast.globex)
    assert ask(client, plain, header).status_code == 200


@pytest.mark.parametrize("plain", ["", "sk-of-a-provider", "tg_live_typo"])
def test_without_a_key_of_ours_nothing_is_told(client: Client, cast: Cast, plain):
    answer = ask(client, plain)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["code"] == "not_authenticated"


@pytest.mark.parametrize("what", ["revoked", "expired", "unknown"])
def test_a_key_that_is_not_valid_any_more_is_refused(client: Client, cast: Cast, time_machine, what):
    key, plain = a_proxy_key(cast.globex, expires_at=NOW + timedelta(hours=1))
    if what == "revoked":
        revoke_proxy_key(key, by=None)
    elif what == "expired":
        time_machine.move_to(NOW + timedelta(hours=2))
    else:
        key.delete()
    answer = ask(client, plain)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unknown_key")
    assert plain not in answer.content.decode()


def test_who_is_suspended_may_still_ask(client: Client, cast: Cast):
    _, plain = a_proxy_key(cast.globex)
    suspend_customer(cast.globex, by=None, at=NOW)
    assert ask(client, plain).status_code == 200


def test_while_redis_is_away_limits_are_not_known(client: Client, cast: Cast, settings, monkeypatch):
    _, plain = a_proxy_key(cast.globex)
    update_customer(cast.globex, by=None, max_concurrent=8)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert ask(client, plain).json()["limits"] is None


def test_a_key_may_ask_sixty_times_a_minute(client: Client, cast: Cast):
    _, plain = a_proxy_key(cast.globex)
    assert [ask(client, plain).status_code for _ in range(61)] == [200] * 60 + [429]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_proxy_leaves_the_path_to_us(method):
    assert routes.find(method, URL.encode(), []) is None
    assert not routes.is_ours(URL.encode())
