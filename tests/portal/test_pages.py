"""The customer's portal: its own usage, what it pays, and keys that are shown once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from apps.customers.models import CustomerRole
from apps.customers.services import suspend_customer, update_customer
from apps.keys.services.proxy_keys import revoke_proxy_key
from apps.keys.token import digest, looks_valid
from tests.cast import Cast, a_customer_member, a_link, a_proxy_key, reread
from tests.pages import rows_of, text_of
from tests.used import a_request, an_hour

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
PAGES = ["/portal/", "/portal/requests/", "/portal/developer/", "/portal/members/"]


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def gina(client: Client, cast: Cast) -> Client:
    client.force_login(cast.gina)
    return client


# Usage


def test_the_customer_sees_the_names_it_bought_not_what_stands_behind(gina: Client, cast: Cast):
    an_hour(cast.globex, NOW, model="gpt-4o-mini-2024-07-18", sold_as="house-model")
    said = text_of(gina.get("/portal/"))
    assert "house-model" in said
    assert "gpt-4o-mini" not in said


def test_the_customer_sees_what_it_pays(gina: Client, cast: Cast):
    key, _ = a_proxy_key(cast.globex, "production")
    an_hour(cast.globex, NOW, requests=10, cost=Decimal(2), price=Decimal(3), proxy_key_id=key.pk)
    an_hour(cast.initech, NOW, requests=500, price=Decimal(500))
    answer = gina.get("/portal/")
    said = text_of(answer)
    assert "Requests 10 0 streamed Tokens 1.5k 1k in, 500 out Spend $3.00 USD" in said
    assert rows_of(answer) == [
        "Model Requests Tokens Spend",
        "gpt-4o-mini 10 1.5k $3.00",
        "User Requests Tokens Spend",
        "ada 10 1.5k $3.00",
        "Key Requests Tokens Spend",
        "production 10 1.5k $3.00",
    ]


@pytest.mark.parametrize("page", PAGES)
def test_no_page_tells_what_it_costs_the_operator(gina: Client, cast: Cast, page):
    key, _ = a_proxy_key(cast.globex)
    a_link(cast.globex, "openai", secret="sk-of-the-operator-0123456789")
    an_hour(cast.globex, NOW, cost=Decimal("7.77"), price=Decimal(9), proxy_key_id=key.pk)
    a_request(cast.globex, NOW, cost=Decimal("7.77"), price=Decimal(9))
    page_said = gina.get(page).content.decode()
    assert not [word for word in ("7.77", "1.23", "margin", "Margin", "sk-of", "6789") if word in page_said]


def test_without_a_key_it_says_how_to_begin(gina: Client):
    assert "Make your first call Generate a key" in text_of(gina.get("/portal/"))


def test_a_suspended_customer_is_told(gina: Client, cast: Cast):
    suspend_customer(cast.globex, by=None, at=NOW)
    assert "This account is suspended: calls are refused." in text_of(gina.get("/portal/"))


def test_limits_are_shown_with_what_is_left(gina: Client, cast: Cast):
    update_customer(cast.globex, by=None, max_concurrent=8, daily_cap=Decimal(5))
    an_hour(cast.globex, NOW - timedelta(hours=1), price=Decimal(4))
    said = text_of(gina.get("/portal/"))
    assert "Requests at once 0 of 8" in said
    assert "Spend today $4.00 of $5.00" in said
    assert "Begins anew on 11 Mar 00:00" in said


def test_while_redis_is_away_the_page_says_so(gina: Client, cast: Cast, settings):
    update_customer(cast.globex, by=None, max_concurrent=8)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert "Limits are not known at the moment: Redis is away." in text_of(gina.get("/portal/"))


def test_requests_are_in_the_operators_zone(gina: Client, cast: Cast):
    cast.acme.time_zone = "America/New_York"
    cast.acme.save()
    a_request(cast.globex, NOW, end_user=None)
    assert rows_of(gina.get("/portal/requests/"))[1:] == [
        "10 Mar 08:00:00 gpt-4o-mini-2024-07-18 no user Served 1k → 500 800 ms $0.3750"
    ]


# Keys


def test_a_new_key_is_shown_once(gina: Client, cast: Cast):
    answer = gina.post("/portal/developer/", {"name": "ci", "days": ""})
    plain = answer.context["plain"]
    assert looks_valid(plain)
    assert f"Copy it now: it is not shown again. {plain}" in text_of(answer)
    key = cast.globex.proxy_keys.get()
    assert (key.name, key.key_hash, key.expires_at) == ("ci", digest(plain), None)
    again = gina.get("/portal/developer/").content.decode()
    assert plain not in again
    assert f"tg_live_…{plain[-4:]}" in again


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": "x" * 500}, {"name": "ci", "days": "12345678"}])
def test_a_form_that_makes_no_sense_makes_no_key(gina: Client, cast: Cast, fields):
    assert gina.post("/portal/developer/", {"days": "", **fields}).status_code == 200
    assert not cast.globex.proxy_keys.exists()


def test_the_table_tells_which_keys_work(gina: Client, cast: Cast):
    a_proxy_key(cast.globex, "works")
    a_proxy_key(cast.globex, "expired", expires_at=NOW + timedelta(hours=1))
    revoked, _ = a_proxy_key(cast.globex, "revoked")
    revoke_proxy_key(revoked, by=None, at=NOW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.utils.timezone.now", lambda: NOW + timedelta(days=1))
        rows = {row.split()[0]: row for row in rows_of(gina.get("/portal/developer/"))[1:]}
    assert "Active" in rows["works"]
    assert "Expired" in rows["expired"]
    assert "Revoked" in rows["revoked"]
    assert "Rotate" in rows["works"]
    assert "Revoke" not in rows["expired"].replace("Revoked", "")


def test_a_rotated_key_leaves_the_old_one_a_while(gina: Client, cast: Cast):
    old, _ = a_proxy_key(cast.globex, "production")
    answer = gina.post(f"/portal/developer/keys/{old.pk}/rotate/", {"overlap": "1440"})
    assert looks_valid(answer.context["plain"])
    assert cast.globex.proxy_keys.count() == 2
    assert reread(old).revoked_at == NOW + timedelta(days=1)


def test_a_revoked_key_is_refused_from_now_on(gina: Client, cast: Cast):
    key, _ = a_proxy_key(cast.globex, "production")
    answer = gina.post(f"/portal/developer/keys/{key.pk}/revoke/", follow=True)
    assert "The key “production” is refused from now on." in text_of(answer)
    assert reread(key).revoked_at == NOW


def test_a_viewer_sees_usage_and_no_keys(client: Client, cast: Cast):
    client.force_login(a_customer_member(cast.globex, CustomerRole.VIEWER).user)
    assert client.get("/portal/").status_code == 200
    assert client.get("/portal/developer/").status_code == 403
