"""What a customer limits itself: its keys and its end users; and where it sees what was refused."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from apps.accounts.models import AuditEvent
from apps.customers.models import CustomerRole
from apps.customers.services import update_customer
from apps.keys.models import ProxyKey
from apps.keys.services.proxy_keys import limit_proxy_key
from apps.limits.services import set_end_user_limits
from apps.usage.models import Result
from tests.cast import Cast, a_customer_member, a_proxy_key, reread
from tests.heard import Heard
from tests.pages import rows_of, text_of
from tests.used import a_request, an_hour

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
END_USERS = "/portal/end-users/limits/"
LIMITS = "/portal/limits/"


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def gina(client: Client, cast: Cast) -> Client:
    client.force_login(cast.gina)
    return client


@pytest.fixture
def viewer(client: Client, cast: Cast) -> Client:
    client.force_login(a_customer_member(cast.globex, CustomerRole.VIEWER).user)
    return client


def page_of(key: ProxyKey) -> str:
    return f"/portal/developer/keys/{key.pk}/"


# Keys


def test_a_key_is_limited_by_one_form(gina: Client, cast: Cast):
    key, _ = a_proxy_key(cast.globex, "ci", daily_cap=Decimal(5))
    fields = {
        "requests_per_minute": "60",
        "requests_per_hour": "600",
        "requests_per_day": "6000",
        "tokens_per_minute": "100000",
        "max_concurrent": "0",
        "daily_cap": "",
        "monthly_cap": "12.5",
        "total_cap": "0.000001",
        "allowed_models": "gpt-4o*, anthropic/*",
        "allowed_networks": "203.0.113.0/24",
    }
    assert "Saved. It holds from now on." in text_of(gina.post(f"{page_of(key)}limits/", fields, follow=True))
    key = reread(key)
    assert [getattr(key, name) for name in fields] == [
        *(60, 600, 6000, 100_000, 0),
        *(None, Decimal("12.5"), Decimal("0.000001")),
        ["gpt-4o*", "anthropic/*"],
        ["203.0.113.0/24"],
    ]
    event = AuditEvent.objects.get(action="proxy_key.limit")
    assert (event.actor_id, event.customer_id) == (cast.gina.pk, cast.globex.pk)
    assert event.changes["daily_cap"] == ["5", None]


WRONG = [
    ({"monthly_cap": "-1"}, "greater than or equal to 0"),
    ({"requests_per_day": "many"}, "Enter a whole number."),
    ({"allowed_models": "gpt 4o"}, "without spaces"),
    ({"allowed_networks": "home"}, "is not a network"),
]


@pytest.mark.parametrize(("fields", "reason"), WRONG)
def test_limits_that_make_no_sense_change_nothing(gina: Client, cast: Cast, fields, reason):
    key, _ = a_proxy_key(cast.globex, "ci", requests_per_minute=5)
    answer = gina.post(f"{page_of(key)}limits/", fields)
    assert answer.status_code == 200
    assert reason in text_of(answer)
    assert reread(key).requests_per_minute == 5


def test_a_keys_page_has_its_limits_and_what_is_left(gina: Client, cast: Cast):
    update_customer(cast.globex, by=None, monthly_cap=Decimal(500))
    key, _ = a_proxy_key(cast.globex, "ci", requests_per_hour=600, monthly_cap=Decimal(50), allowed_models=["gpt-4o*"])
    an_hour(cast.globex, NOW, price=Decimal("12.5"), proxy_key_id=key.pk)
    an_hour(cast.globex, NOW, price=Decimal(100))
    said = text_of(gina.get(page_of(key)))
    assert "Requests an hour 0 of 600 600 left Frees up as time passes" in said
    assert "Spend this month $12.50 of $50.00 $37.50 left as recorded Begins anew on 1 Apr 00:00" in said
    assert "Models gpt-4o* Networks from anywhere" in said
    assert "The whole account: $500" in text_of(gina.get(f"{page_of(key)}limits/"))


def test_a_keys_limits_are_shown_while_redis_is_away(gina: Client, cast: Cast, settings):
    key, _ = a_proxy_key(cast.globex, "ci", requests_per_hour=600, monthly_cap=Decimal(50))
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    said = text_of(gina.get(page_of(key)))
    assert "Where the key stands is not known at the moment: Redis is away." in said
    assert "Requests an hour 600 Spend a month $50.00" in said


def test_the_list_of_keys_leads_to_each(gina: Client, cast: Cast):
    key, _ = a_proxy_key(cast.globex, "ci")
    assert f'<a href="{page_of(key)}">ci</a>' in gina.get("/portal/developer/").content.decode()


def test_who_may_not_manage_keys_sees_limits_and_changes_none(viewer: Client, cast: Cast):
    key, _ = a_proxy_key(cast.globex, "ci", requests_per_hour=600)
    said = text_of(viewer.get(page_of(key)))
    assert "Requests an hour 0 of 600" in said
    assert "Change" not in said
    assert viewer.post(f"{page_of(key)}limits/", {}).status_code == 403
    assert reread(key).requests_per_hour == 600


# End users


def test_a_default_and_limits_of_their_own(gina: Client, cast: Cast):
    assert "All have the same" in text_of(gina.get(END_USERS))
    gina.post(f"{END_USERS}default/", {"requests_per_minute": "20", "monthly_cap": "5"})
    gina.post(f"{END_USERS}add/", {"end_user": " ann ", "monthly_cap": "50"})
    gina.post(f"{END_USERS}add/", {"end_user": "vip"})
    an_hour(cast.globex, NOW, price=Decimal("12.5"), end_user="ann")
    said = text_of(gina.get(END_USERS))
    assert "Default for all end users Change Remove Requests a minute 20 Spend a month $5.00" in said
    assert "ann Change Remove Spend this month $12.50 of $50.00 $37.50 left as recorded" in said
    assert "vip Change Remove Not limited at all" in said


def test_limits_of_an_end_user_are_changed_and_removed(gina: Client, cast: Cast):
    row = set_end_user_limits(cast.globex, "ann", by=None, daily_cap=Decimal(1), max_concurrent=2)
    assert 'value="2"' in gina.get(f"{END_USERS}{row.pk}/edit/").content.decode()
    gina.post(f"{END_USERS}{row.pk}/edit/", {"daily_cap": "3", "end_user": "ben"})
    changed = reread(row)
    assert (changed.end_user, changed.daily_cap, changed.max_concurrent) == ("ann", 3, None)
    assert "Removed. It holds from now on." in text_of(gina.post(f"{END_USERS}{row.pk}/remove/", follow=True))
    assert not cast.globex.end_user_limits.exists()
    actions = AuditEvent.objects.filter(actor_id=cast.gina.pk).order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["end_user_limit.set", "end_user_limit.remove"]


def test_the_default_is_changed_and_removed(gina: Client, cast: Cast):
    for most in ("20", "30"):
        gina.post(f"{END_USERS}default/", {"requests_per_minute": most})
    row = cast.globex.end_user_limits.get()
    assert (row.end_user, row.requests_per_minute) == (None, 30)
    gina.post(f"{END_USERS}{row.pk}/remove/")
    assert not cast.globex.end_user_limits.exists()


SENSELESS = [
    ({"end_user": ""}, "This field is required."),
    ({"end_user": " "}, "This field is required."),
    ({"end_user": "a\x00b"}, "Null characters are not allowed."),
    ({"end_user": "x" * 513}, "at most 512 characters"),
    ({"end_user": "ann"}, "It has limits of its own already: change those."),
    ({"end_user": "ben", "daily_cap": "-1"}, "greater than or equal to 0"),
]


@pytest.mark.parametrize(("fields", "reason"), SENSELESS)
def test_a_form_that_makes_no_sense_limits_nobody(gina: Client, cast: Cast, fields, reason):
    set_end_user_limits(cast.globex, "ann", by=None, daily_cap=Decimal(1))
    answer = gina.post(f"{END_USERS}add/", fields)
    assert answer.status_code == 200
    assert reason in text_of(answer)
    assert cast.globex.end_user_limits.get().daily_cap == 1


def test_an_end_user_with_the_default_is_found_by_its_id(gina: Client, cast: Cast):
    set_end_user_limits(cast.globex, None, by=None, daily_cap=Decimal(2))
    set_end_user_limits(cast.globex, "annabel", by=None, daily_cap=Decimal(9))
    an_hour(cast.globex, NOW, price=Decimal("0.5"), end_user="ann")
    answer = gina.get(END_USERS, {"q": "ann"})
    said = text_of(answer)
    assert "ann Has the default Give it limits of its own Spend today $0.5000 of $2.00 $1.50 left" in said
    assert "annabel Change Remove Spend today $0.00 of $9.00" in said
    assert f'href="{END_USERS}add/?user=ann"' in answer.content.decode()
    assert 'value="ann"' in gina.get(f"{END_USERS}add/", {"user": "ann"}).content.decode()
    assert "Has the default" not in text_of(gina.get(END_USERS, {"q": "annabel"}))


def test_end_users_are_searched_and_paged(gina: Client, cast: Cast):
    for number in range(25):
        set_end_user_limits(cast.globex, f"user-{number:02}", by=None, max_concurrent=1)
    set_end_user_limits(cast.globex, "100%", by=None, max_concurrent=1)
    second = gina.get(END_USERS, {"q": "USER", "page": "2"})
    assert [row.name for row in second.context["end_users"].rows] == [f"user-{number}" for number in range(20, 25)]
    assert [row.name for row in gina.get(END_USERS, {"q": "%"}).context["end_users"].rows] == ["100%"]
    assert "Nobody of that id has limits of its own" in text_of(gina.get(END_USERS, {"q": "zoe\x00"}))


def test_more_end_users_are_no_more_queries(gina: Client, cast: Cast, django_assert_max_num_queries):
    for number in range(20):
        set_end_user_limits(cast.globex, f"user-{number}", by=None, daily_cap=Decimal(1), monthly_cap=Decimal(2))
    with django_assert_max_num_queries(12):
        gina.get(END_USERS)


def test_end_users_are_shown_while_redis_is_away(gina: Client, cast: Cast, settings):
    set_end_user_limits(cast.globex, "ann", by=None, daily_cap=Decimal(9))
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    said = text_of(gina.get(END_USERS, {"q": "ann"}))
    assert "Where end users stand is not known at the moment: Redis is away." in said
    assert "ann Change Remove Spend a day $9.00" in said


def test_who_may_not_manage_keys_sees_end_users_and_changes_none(viewer: Client, cast: Cast):
    row = set_end_user_limits(cast.globex, "ann", by=None, daily_cap=Decimal(9))
    said = text_of(viewer.get(END_USERS))
    assert "ann Spend today $0.00 of $9.00" in said
    assert not [word for word in ("Change", "Remove", "Limit an end user", "Set a default") if word in said]
    for path in ("default/", "add/", f"{row.pk}/edit/", f"{row.pk}/remove/"):
        assert viewer.post(END_USERS + path, {"end_user": "ben"}).status_code == 403
    assert cast.globex.end_user_limits.get().daily_cap == 9


# Who is at a limit, and what was refused


def test_the_customer_sees_its_own_limits_and_refusals_alone(gina: Client, cast: Cast):
    key, _ = a_proxy_key(cast.globex, "ci")
    limit_proxy_key(key, by=None, max_concurrent=0)
    set_end_user_limits(cast.globex, "ann", by=None, requests_per_minute=0)
    update_customer(cast.initech, by=None, requests_per_minute=0)
    told = {"result": Result.REFUSED, "status": 429, "error_code": "rate_limit_exceeded", "error_message": "Enough."}
    a_request(cast.globex, NOW - timedelta(hours=1), proxy_key_id=key.pk, **told)
    a_request(cast.initech, NOW, **told)
    answer = gina.get(LIMITS, {"customer": cast.initech.pk})
    assert rows_of(answer) == [
        "Whose Limit Used Held Of Left Resets",
        "Key ci Requests at once 0 0 0 0 Lets nothing through",
        "End user ann Requests a minute 0 0 0 0 Lets nothing through",
        "Time Key End user Reason What the client was told",
        "10 Mar 11:00:00 ci ada Limit reached 429 Enough.",
    ]
    assert [row.url for row in answer.context["reached"]] == [page_of(key), f"{END_USERS}?q=ann"]
    csv = gina.get(f"{LIMITS}refusals.csv", {"customer": cast.initech.pk}).content.decode()
    assert csv.splitlines() == [
        "time,key,end_user,model,reason,status,message",
        "2026-03-10T11:00:00+00:00,ci,ada,gpt-4o-mini,Limit reached,429,Enough.",
    ]


def test_the_customer_reads_the_name_it_bought_in_the_list_of_refusals(gina: Client, cast: Cast):
    told = {"result": Result.REFUSED, "status": 429, "error_code": "rate_limit_exceeded", "error_message": "Enough."}
    a_request(cast.globex, NOW - timedelta(hours=1), alias="house-model", **told)
    (_, line) = gina.get(f"{LIMITS}refusals.csv").content.decode().splitlines()
    assert ",house-model," in line
    assert "gpt-4o-mini" not in line


@pytest.mark.parametrize("path", [LIMITS, f"{LIMITS}refusals.csv", END_USERS])
def test_no_page_of_limits_tells_what_it_costs_the_operator(gina: Client, cast: Cast, path):
    set_end_user_limits(cast.globex, "ada", by=None, monthly_cap=Decimal(100))
    an_hour(cast.globex, NOW, cost=Decimal("7.77"), price=Decimal(9))
    a_request(cast.globex, NOW, cost=Decimal("7.77"), price=Decimal(9), result=Result.REFUSED)
    said = gina.get(path).content.decode()
    assert not [word for word in ("7.77", "1.23", "margin", "Margin", "cost") if word in said]


def test_the_page_never_fails_while_redis_is_away(gina: Client, cast: Cast, settings):
    update_customer(cast.globex, by=None, requests_per_minute=0)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    said = text_of(gina.get(LIMITS))
    assert "Limits are not known at the moment: Redis is away. Requests a minute 0" in said
    assert "Who is at a limit is not known at the moment" in said


# A change takes effect


@pytest.mark.django_db(transaction=True)
def test_every_change_is_told_to_the_proxies(gina: Client, cast: Cast, heard: Heard):
    key, _ = a_proxy_key(cast.globex, "ci")
    heard()
    of_key, of_customer = f"key:{bytes(key.key_hash).hex()}", f"customer:{cast.globex.pk}"
    gina.post(f"{page_of(key)}limits/", {"requests_per_minute": "5"})
    assert set(heard()) == {of_key}
    gina.post(f"{END_USERS}default/", {"requests_per_minute": "5"})
    assert set(heard()) == {of_customer}
    gina.post(f"{END_USERS}add/", {"end_user": "ann"})
    assert set(heard()) == {of_customer}
    row = cast.globex.end_user_limits.get(end_user="ann")
    gina.post(f"{END_USERS}{row.pk}/edit/", {"requests_per_minute": "6"})
    assert set(heard()) == {of_customer}
    gina.post(f"{END_USERS}{row.pk}/remove/")
    assert set(heard()) == {of_customer}
