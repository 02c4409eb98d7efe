"""The operator's limits page: who is at one, what was refused; and the limits of a customer's end users."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from apps.accounts.models import AuditEvent, Role
from apps.customers.services import update_customer
from apps.keys.services.proxy_keys import limit_proxy_key
from apps.limits.services import set_end_user_limits
from apps.usage.models import Result
from tests.cast import Cast, a_member, a_proxy_key
from tests.pages import rows_of, text_of
from tests.used import a_request, an_hour

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
URL = "/console/limits/"
TOLD = "The limit of this key is 5 requests a minute, of which 5 are used"


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


def end_users(cast: Cast) -> str:
    return f"/console/customers/{cast.globex.pk}/end-users/limits/"


# Who is at a limit


def test_everybody_at_a_limit_is_listed_with_what_is_left(olivia: Client, cast: Cast):
    an_hour(cast.globex, NOW, price=Decimal("9.75"), end_user="ann")
    an_hour(cast.shady, NOW, price=Decimal(1000))
    update_customer(cast.globex, by=None, monthly_cap=Decimal(10), requests_per_hour=100)
    update_customer(cast.initech, by=None, monthly_cap=Decimal(10))
    update_customer(cast.shady, by=None, monthly_cap=Decimal(1))
    key, _ = a_proxy_key(cast.initech, "ci")
    limit_proxy_key(key, by=None, max_concurrent=0)
    set_end_user_limits(cast.globex, "ann", by=None, daily_cap=Decimal(5), requests_per_day=9)
    answer = olivia.get(URL)
    assert rows_of(answer) == [
        "Customer Whose Limit Used Held Of Left Resets",
        "Globex All calls Spend this month $9.75 $0.00 $10.00 $0.2500 1 Apr 00:00",
        "Initech Key ci Requests at once 0 0 0 0 Lets nothing through",
        "Globex End user ann Spend today $9.75 $0.00 $5.00 $0.00 11 Mar 00:00",
    ]
    assert [row.url for row in answer.context["reached"]] == [
        f"/console/customers/{cast.globex.pk}/",
        f"/console/customers/{cast.initech.pk}/",
        f"{end_users(cast)}?q=ann",
    ]


def test_where_very_many_are_at_one_the_first_are_listed(olivia: Client, cast: Cast):
    for number in range(103):
        set_end_user_limits(cast.globex, f"user-{number:03}", by=None, max_concurrent=0)
    answer = olivia.get(URL)
    assert len(rows_of(answer)) == 101
    assert "The first 100 of 103" in text_of(answer)


def test_when_nobody_is_at_one_it_says_so(olivia: Client, cast: Cast):
    update_customer(cast.globex, by=None, monthly_cap=Decimal(10))
    said = text_of(olivia.get(URL))
    assert "Nobody is: calls are let in." in said
    assert "Nothing was refused" in said


def test_while_redis_is_away_that_is_said_and_the_history_shown(olivia: Client, cast: Cast, settings):
    a_refusal(cast.globex)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = olivia.get(URL)
    assert "Who is at a limit is not known at the moment: Redis is away." in text_of(answer)
    assert len(rows_of(answer)) == 2


# What was refused


def a_refusal(customer, at: datetime = NOW, code: str = "rate_limit_exceeded", status: int = 429, **fields) -> None:
    message = f"{TOLD}. Try again in 3 s."
    values = {"error_code": code, "status": status, "error_message": message, "cost": 0, "price": 0}
    a_request(customer, at, result=Result.REFUSED, **values | fields)


@pytest.fixture
def refused(cast: Cast) -> None:
    """4 of two customers within 30 days, one before that, one of another operator's, and one that was served."""
    key, _ = a_proxy_key(cast.globex, "ci")
    a_refusal(cast.globex, NOW - timedelta(minutes=1), proxy_key_id=key.pk)
    a_refusal(cast.globex, NOW - timedelta(days=3), "spend_cap_reached", 402, end_user=None)
    a_refusal(cast.initech, NOW - timedelta(days=1))
    a_refusal(cast.initech, NOW - timedelta(days=29), "quite_new", 400)
    a_refusal(cast.globex, NOW - timedelta(days=30, hours=13))
    a_refusal(cast.shady)
    a_request(cast.globex, NOW)


def shown(answer) -> list[str]:
    """Day, customer and reason of each row."""
    rows = answer.context["history"].rows
    return [f"{row.time:%d} {row.customer} {row.reason} {row.status}" for row in rows]


@pytest.mark.usefixtures("refused")
def test_refusals_are_told_newest_first_and_nobody_elses(olivia: Client):
    answer = olivia.get(URL)
    assert rows_of(answer) == [
        "Time Customer Key End user Reason What the client was told",
        f"10 Mar 11:59:00 Globex ci ada Limit reached 429 {TOLD}",
        f"9 Mar 12:00:00 Initech – ada Limit reached 429 {TOLD}",
        f"7 Mar 12:00:00 Globex – no user Spend cap reached 402 {TOLD}",
        f"9 Feb 12:00:00 Initech – ada quite_new 400 {TOLD}",
    ]
    assert "Limit reached 429 2 quite_new 400 1 Spend cap reached 402 1" in text_of(answer)


CHOICES = [
    ({"customer": "Initech"}, ["09 Initech Limit reached 429", "09 Initech quite_new 400"]),
    ({"reason": "spend_cap_reached"}, ["07 Globex Spend cap reached 402"]),
    ({"since": "2026-03-09", "until": "2026-03-09"}, ["09 Initech Limit reached 429"]),
    ({"since": "2026-02-07", "until": "2026-02-08"}, ["07 Globex Limit reached 429"]),
]


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize(("choice", "expected"), CHOICES)
def test_refusals_are_chosen_by_customer_reason_and_days(olivia: Client, cast: Cast, choice, expected):
    if "customer" in choice:
        choice = {"customer": cast.initech.pk}
    assert shown(olivia.get(URL, choice)) == expected


NONSENSE = [
    ({"customer": "no id"}, "is not a valid"),
    ({"reason": "because"}, "Select a valid choice."),
    ({"since": "yesterday"}, "Enter a valid date."),
    ({"since": "2026-03-10", "until": "2026-03-09"}, "It lies before the first day"),
    ({"until": "9999-12-31"}, "or far from now"),
]


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize(("choice", "reason"), NONSENSE)
def test_a_choice_that_makes_no_sense_shows_nothing(olivia: Client, choice, reason):
    answer = olivia.get(URL, choice)
    assert answer.status_code == 200
    assert shown(answer) == []
    assert reason in text_of(answer)


@pytest.mark.usefixtures("refused")
def test_another_operators_customer_cannot_be_chosen(olivia: Client, cast: Cast):
    answer = olivia.get(URL, {"customer": cast.shady.pk})
    assert shown(answer) == []
    assert "Shady" not in answer.content.decode()


def test_refusals_are_paged_and_the_choice_is_kept(olivia: Client, cast: Cast):
    for number in range(60):
        a_refusal(cast.globex, NOW - timedelta(minutes=number))
        a_refusal(cast.initech, NOW - timedelta(minutes=number))
    first = olivia.get(URL, {"customer": cast.globex.pk})
    second = olivia.get(f"{URL}?{first.context['history'].next}")
    rows = first.context["history"].rows + second.context["history"].rows
    assert [row.time for row in rows] == [NOW - timedelta(minutes=number) for number in range(60)]
    assert {row.customer for row in rows} == {"Globex"}
    assert second.context["history"].next is None


def test_days_are_those_of_the_operators_zone(olivia: Client, cast: Cast):
    cast.acme.time_zone = "Asia/Kolkata"
    cast.acme.save()
    a_refusal(cast.globex, datetime(2026, 3, 8, 18, 29, tzinfo=UTC))
    a_refusal(cast.globex, datetime(2026, 3, 8, 18, 30, tzinfo=UTC))
    a_refusal(cast.globex, datetime(2026, 3, 9, 18, 30, tzinfo=UTC))
    answer = olivia.get(URL, {"since": "2026-03-09", "until": "2026-03-09"})
    assert [f"{row.time:%d %H:%M}" for row in answer.context["history"].rows] == ["09 00:00"]


@pytest.mark.usefixtures("refused")
def test_the_chosen_refusals_as_csv(olivia: Client):
    answer = olivia.get(f"{URL}refusals.csv", {"reason": "spend_cap_reached"})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.content.decode().splitlines() == [
        "time,customer,key,end_user,model,reason,status,message",
        f'2026-03-07T12:00:00+00:00,Globex,,,gpt-4o-mini,Spend cap reached,402,"{TOLD}. Try again in 3 s."',
    ]


# Limits of a customer's end users


def test_the_operator_sets_limits_of_end_users(olivia: Client, cast: Cast):
    url = end_users(cast)
    assert "None: an end user is limited only where it has limits of its own." in text_of(olivia.get(url))
    olivia.post(f"{url}default/", {"requests_per_minute": "20"})
    said = text_of(olivia.post(f"{url}add/", {"end_user": "ann", "daily_cap": "2.5"}, follow=True))
    assert "Saved. It holds from now on." in said
    assert "Requests a minute 20" in said
    assert "ann Change Remove Spend today $0.00 of $2.50 $2.50 left" in said
    found = cast.globex.end_user_limits.order_by("end_user").values_list("end_user", "requests_per_minute", "daily_cap")
    assert list(found) == [("ann", None, Decimal("2.5")), (None, 20, None)]
    events = AuditEvent.objects.filter(action="end_user_limit.set", customer_id=cast.globex.pk, actor_id=cast.olivia.pk)
    assert events.count() == 2


def test_a_customers_page_leads_to_those_of_its_end_users(olivia: Client, cast: Cast):
    assert f'href="{end_users(cast)}"' in olivia.get(f"/console/customers/{cast.globex.pk}/").content.decode()


def test_who_may_only_look_sees_no_buttons(client: Client, cast: Cast):
    set_end_user_limits(cast.globex, "ann", by=None, daily_cap=Decimal(1))
    client.force_login(a_member(cast.acme, Role.VIEWER).user)
    said = text_of(client.get(end_users(cast)))
    assert "ann Spend today" in said
    assert not [word for word in ("Change", "Remove", "Limit an end user", "Set a default") if word in said]


@pytest.mark.parametrize("action", ["edit", "remove"])
def test_limits_of_another_customer_are_not_reached_through_ones_own(olivia: Client, cast: Cast, action):
    for customer in (cast.initech, cast.shady):
        row = set_end_user_limits(customer, "ann", by=None, daily_cap=Decimal(1))
        assert olivia.post(f"{end_users(cast)}{row.pk}/{action}/", {"daily_cap": "9"}).status_code == 404
        row.refresh_from_db()
        assert row.daily_cap == 1
