"""Customers: the list, a new one, one in detail, its limits."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.test import Client

from apps.accounts.models import AuditEvent
from apps.customers.models import Customer
from apps.customers.services import suspend_customer, update_customer
from apps.keys.services.proxy_keys import mint_proxy_key
from apps.usage.models import Result
from apps.usage.queries.cursors import microseconds
from tests.cast import Cast, a_customer, a_link, a_provider_key, reread
from tests.pages import rows_of, text_of
from tests.used import a_request, an_hour

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW)


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


# The list


def test_the_list_has_this_months_figures(olivia: Client, cast: Cast):
    an_hour(cast.globex, NOW, requests=1200, cost=Decimal(2), price=Decimal("3.5"))
    an_hour(cast.globex, NOW - timedelta(days=20), requests=7)  # of last month
    update_customer(cast.globex, by=None, monthly_cap=Decimal(3))
    suspend_customer(cast.initech, by=None, at=NOW)
    assert rows_of(olivia.get("/console/customers/")) == [
        "Customer Status Requests Tokens Cost Price Monthly cap",
        "Globex Cap reached 1.2k 1.5k $2.00 $3.50 $3.00",
        "Initech Suspended 0 0 $0.00 $0.00 none",
    ]


@pytest.mark.parametrize(
    ("sort", "first"), [("name", "Globex"), ("requests", "Initech"), ("cost", "Globex"), ("price", "Initech")]
)
def test_the_list_is_sorted_by_any_of_these(olivia: Client, cast: Cast, sort, first):
    an_hour(cast.globex, NOW, requests=1, cost=Decimal(2), price=Decimal(2))
    an_hour(cast.initech, NOW, requests=2, cost=Decimal(1), price=Decimal(9))
    assert rows_of(olivia.get(f"/console/customers/?sort={sort}"))[1].startswith(first)


def test_the_list_is_searched_and_paged(olivia: Client, cast: Cast):
    for number in range(30):
        a_customer(cast.acme, f"Shop {number:02}")
    assert len(rows_of(olivia.get("/console/customers/?q=shop"))) == 26
    assert rows_of(olivia.get("/console/customers/?q=shop&page=2"))[1:] == [
        f"Shop {number} Active 0 0 $0.00 $0.00 none" for number in range(25, 30)
    ]
    assert "No customer of that name" in text_of(olivia.get("/console/customers/?q=nobody"))


def test_without_customers_it_says_how_to_begin(client: Client, cast: Cast):
    client.force_login(cast.mallory)
    Customer.objects.filter(organization=cast.evil_corp).delete()
    assert "No customers yet Add your first customer" in text_of(client.get("/console/customers/"))


# A new one


def test_one_form_makes_a_customer_with_limits_and_keys_and_invites_its_admin(
    olivia: Client, cast: Cast, django_capture_on_commit_callbacks
):
    key = a_provider_key(cast.acme, "openai")
    form = {
        "name": "Hooli",
        "email": "gavin@hooli.example",
        "markup_percent": "12.5",
        "requests_per_hour": "600",
        "monthly_cap": "250",
        "allowed_models": "gpt-4o*, anthropic/*",
        "allowed_networks": "203.0.113.0/24",
        "shortens_output": "on",
        "key_openai": key.pk,
    }
    with django_capture_on_commit_callbacks(execute=True):
        answer = olivia.post("/console/customers/add/", form, follow=True)
    hooli = cast.acme.customers.get(name="Hooli")
    assert (hooli.markup_percent, hooli.requests_per_hour, hooli.monthly_cap) == (Decimal("12.5"), 600, 250)
    assert (hooli.requests_per_minute, hooli.daily_cap, hooli.total_cap) == (None, None, None)
    assert (hooli.allowed_models, hooli.allowed_networks) == (["gpt-4o*", "anthropic/*"], ["203.0.113.0/24"])
    assert hooli.shortens_output is True
    assert [link.provider_key for link in hooli.provider_key_links.all()] == [key]
    assert "Hooli was added. An invitation went to gavin@hooli.example." in text_of(answer)
    assert [message.to for message in mail.outbox] == [["gavin@hooli.example"]]
    assert AuditEvent.objects.filter(action="customer.add", customer_id=hooli.pk, actor_id=cast.olivia.pk).count() == 1


def test_without_a_mail_server_the_link_is_told(olivia: Client, cast: Cast, settings):
    settings.EMAIL_BACKEND = "apps.kit.mail.StderrBackend"
    said = text_of(
        olivia.post("/console/customers/add/", {"name": "Hooli", "email": "gavin@hooli.example"}, follow=True)
    )
    link = re.search(r"give gavin@hooli.example this link yourself. It works once: http://[^/]+(/\S+)", said)
    assert link is not None
    olivia.logout()
    assert "Join Hooli at Acme" in text_of(olivia.get(link[1]))


WRONG = [
    pytest.param({"name": ""}, "This field is required.", id="no name"),
    pytest.param({"email": "nobody"}, "Enter a valid email address.", id="no address"),
    pytest.param({"daily_cap": "-1"}, "greater than or equal to 0", id="a cap below zero"),
    pytest.param({"requests_per_minute": "many"}, "Enter a whole number.", id="no number"),
    pytest.param({"allowed_networks": "home"}, "is not a network", id="no network"),
    pytest.param({"allowed_models": "gpt 4o"}, "without spaces", id="no glob"),
]


@pytest.mark.parametrize(("fields", "reason"), WRONG)
def test_a_form_that_makes_no_sense_makes_nothing(olivia: Client, cast: Cast, fields, reason):
    answer = olivia.post("/console/customers/add/", {"name": "Hooli", **fields})
    assert answer.status_code == 200
    assert reason in text_of(answer)
    assert cast.acme.customers.count() == 2


# One in detail


def test_the_detail_page_has_its_figures_and_nobody_elses(olivia: Client, cast: Cast):
    an_hour(cast.globex, NOW, requests=10, cost=Decimal(2), price=Decimal(3), end_user=None)
    an_hour(cast.initech, NOW, requests=500)
    a_link(cast.globex, "openai", name="main")
    said = text_of(olivia.get(f"/console/customers/{cast.globex.pk}/"))
    assert "Requests 10" in said
    assert "Price $3.00 $1.00 margin" in said
    assert "no user named 10 1.5k $2.00 $3.00" in said
    assert "openai main …" in said
    assert "gina@example.com" in said
    assert "No requests yet." in said


def test_limits_are_shown_with_what_is_used_of_them(olivia: Client, cast: Cast):
    update_customer(cast.globex, by=None, requests_per_day=1000, monthly_cap=Decimal(50))
    an_hour(cast.globex, NOW - timedelta(hours=1), price=Decimal("12.5"))
    said = text_of(olivia.get(f"/console/customers/{cast.globex.pk}/"))
    assert "Requests in 24 hours 0 of 1k" in said
    assert "Spend this month $12.50 of $50.00" in said  # which the database knows, where Redis has forgotten
    assert "Begins anew on 1 Apr 00:00" in said
    assert "No limits are set." in text_of(olivia.get(f"/console/customers/{cast.initech.pk}/"))


def test_a_customers_page_asks_the_database_a_dozen_times(olivia: Client, cast: Cast, django_assert_max_num_queries):
    mint_proxy_key(cast.globex, name="ci", by=None, requests_per_minute=5)
    an_hour(cast.globex, NOW)
    with django_assert_max_num_queries(12):
        page = text_of(olivia.get(f"/console/customers/{cast.globex.pk}/"))
    assert "Key “ci” Requests a minute 0 of 5" in page


def test_all_of_a_customers_requests_are_in_the_explorer(olivia: Client, cast: Cast):
    cast.acme.time_zone = "Asia/Kolkata"
    cast.acme.save()
    a_request(cast.initech, NOW)
    ours = a_request(cast.globex, NOW - timedelta(hours=1), result=Result.FAILED, status=500, cost=None, price=None)
    answer = olivia.get(f"/console/customers/{cast.globex.pk}/requests/", follow=True)
    assert rows_of(answer)[1:] == [
        "10 Mar 16:30:00 Globex gpt-4o-mini-2024-07-18 ada Failed 500 1k → 500 800 ms unknown unknown"
    ]
    link = f"/console/requests/{ours.id}/?at={microseconds(ours.started_at)}"
    assert link in olivia.get(f"/console/customers/{cast.globex.pk}/").content.decode()


# Changes


def test_limits_are_changed_and_written_down(olivia: Client, cast: Cast):
    url = f"/console/customers/{cast.globex.pk}/edit/"
    answer = olivia.post(url, {"name": "Globex", "requests_per_minute": "60"}, follow=True)
    assert "Saved. It holds from now on." in text_of(answer)
    assert reread(cast.globex).requests_per_minute == 60
    event = AuditEvent.objects.get(action="customer.update", customer_id=cast.globex.pk)
    assert event.changes == {"requests_per_minute": [None, 60]}


def test_a_customer_is_suspended_and_served_again(olivia: Client, cast: Cast):
    url = f"/console/customers/{cast.globex.pk}/"
    assert "Globex is suspended: its calls are refused." in text_of(olivia.post(f"{url}suspend/", follow=True))
    assert reread(cast.globex).is_suspended
    assert "Globex is served again." in text_of(olivia.post(f"{url}resume/", follow=True))
    assert not reread(cast.globex).is_suspended
