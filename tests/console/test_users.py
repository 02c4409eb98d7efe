"""The operator's users pages: all customers' users, exact, ordered, chosen, as CSV, and each on a page of its own."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

import pytest
from django.test import Client

from apps.accounts.models import Organization, Role
from tests.cast import Cast, a_member
from tests.pages import rows_of, text_of
from tests.used import a_property_hour, a_request, an_hour

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR = NOW.replace(hour=10)
DAY = timedelta(days=1)
URL = "/console/users/"
ODD = "=2+5\u202e<script>alert('é 日本')</script> & “%s”/?#"


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW)


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


@pytest.fixture
def used(cast: Cast) -> None:
    an_hour(cast.globex, HOUR, end_user="ann", requests=12, refused=2, failed=1, cost=Decimal(2), price=Decimal(3))
    an_hour(cast.globex, HOUR - DAY, end_user="ann", requests=8, cost=Decimal(4), price=Decimal(5), model="o4-mini")
    an_hour(cast.globex, HOUR, end_user=None, requests=3, cost=Decimal(1), price=Decimal(1))
    an_hour(cast.initech, HOUR, end_user="ann", requests=5, cost=Decimal(9), price=Decimal(6))
    an_hour(cast.shady, HOUR, end_user="mal", requests=500, cost=Decimal(100), price=Decimal(100))


def csv_of(answer) -> str:
    return b"".join(answer.streaming_content).decode()


@pytest.mark.usefixtures("used")
def test_the_table_has_the_users_of_the_operators_customers(olivia: Client):
    answer = olivia.get(URL)
    assert rows_of(answer) == [
        (
            "User Customer Trend Requests Cost Price Margin Active days A day Tokens each Tokens in Tokens out "
            "Cost each Errors Refused Latency p95 First active Last active"
        ),
        "ann Initech 5 $9.00 $6.00 -$3.00 1 5 300 1k 500 $1.80 0.0% 0 – – 10 Mar 2026 10 Mar 10:00",
        "ann Globex 20 $6.00 $8.00 $2.00 2 9 167 2k 1k $0.3333 5.6% 2 – – 9 Mar 2026 10 Mar 10:00",
        "no user named Globex 3 $1.00 $1.00 $0.00 1 3 500 1k 500 $0.3333 0.0% 0 – – 10 Mar 2026 10 Mar 10:00",
    ]
    assert "1 to 3 of 3" in text_of(answer)


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("sort=requests", ["None Globex", "ann Initech", "ann Globex"]),
        ("sort=-requests", ["ann Globex", "ann Initech", "None Globex"]),
        ("sort=nonsense", ["ann Initech", "ann Globex", "None Globex"]),
        ("q=AN", ["ann Initech", "ann Globex"]),
        ("above=6", ["ann Initech", "ann Globex"]),
        ("above=6.01", ["ann Initech"]),
        ("model=o4-mini", ["ann Globex"]),
        ("period=today", ["ann Initech", "ann Globex", "None Globex"]),
        ("since=2026-03-09&until=2026-03-09", ["ann Globex"]),
        ("since=2026-03-11&until=2026-03-09", ["ann Initech", "ann Globex", "None Globex"]),  # nonsense: as usual
        ("since=0001-01-01&until=9999-12-31", ["ann Initech", "ann Globex", "None Globex"]),
        ("q=%00", ["ann Initech", "ann Globex", "None Globex"]),
        ("q=zoe", []),
    ],
)
def test_users_are_chosen_and_ordered(olivia: Client, asked: str, expected: list[str]):
    table = olivia.get(f"{URL}?{asked}").context["table"]
    assert [f"{user.row.end_user} {user.customer}" for user in table.rows] == expected


@pytest.mark.usefixtures("used")
def test_one_customers_users(olivia: Client, cast: Cast):
    table = olivia.get(f"{URL}?customer={cast.initech.pk}").context["table"]
    assert [user.customer for user in table.rows] == ["Initech"]
    for wrong, why in ((cast.shady.pk, "Select a valid choice"), ("nonsense", "not a valid UUID")):
        answer = olivia.get(f"{URL}?customer={wrong}")
        assert answer.context["table"].rows == []
        assert why in text_of(answer)


def test_by_a_property_and_not_by_a_model_too(olivia: Client, cast: Cast):
    a_property_hour(cast.globex, HOUR, "plan", "pro", end_user="ann", requests=4)
    a_property_hour(cast.globex, HOUR, "plan", "free", end_user="bob", requests=4)
    table = olivia.get(f"{URL}?name=Plan&value=pro").context["table"]
    assert [(user.row.end_user, user.row.figures.requests) for user in table.rows] == [("ann", 4)]
    assert "not by both" in text_of(olivia.get(f"{URL}?name=Plan&value=pro&model=gpt-4o-mini"))
    assert "Which one?" in text_of(olivia.get(f"{URL}?name=Plan"))
    assert olivia.get(f"{URL}?name=Secret&value=1").context["table"].rows == []


def test_days_are_the_organizations(olivia: Client, cast: Cast):
    Organization.objects.filter(pk=cast.acme.pk).update(time_zone="Pacific/Auckland")
    cast.globex.refresh_from_db()  # and so its organization
    an_hour(cast.globex, datetime(2026, 3, 9, 10, tzinfo=UTC), end_user="before")  # 23:00 on the 9th there
    an_hour(cast.globex, datetime(2026, 3, 9, 11, tzinfo=UTC), end_user="after")  # midnight
    table = olivia.get(f"{URL}?since=2026-03-10&until=2026-03-10").context["table"]
    assert [user.row.end_user for user in table.rows] == ["after"]
    assert "11 Mar 00:00" not in text_of(olivia.get(URL))


def test_pages_follow_each_other(olivia: Client, cast: Cast):
    for number in range(53):
        an_hour(cast.globex, HOUR, end_user=f"user-{number:02}", cost=Decimal(number))
    first = olivia.get(f"{URL}?sort=cost&q=user")
    assert "1 to 50 of 53" in text_of(first)
    second = olivia.get(f"{URL}?{first.context['table'].next}")
    assert [user.row.end_user for user in second.context["table"].rows] == ["user-50", "user-51", "user-52"]
    assert "51 to 53 of 53" in text_of(second)
    assert second.context["table"].next is None
    assert olivia.get(f"{URL}?page=99").status_code == 200
    assert olivia.get(f"{URL}?page=-1").context["table"].first == 1


def test_nobody_yet(olivia: Client):
    assert "Users appear with their first call" in text_of(olivia.get(URL))
    assert "Nobody fits what is chosen" in text_of(olivia.get(f"{URL}?q=zoe"))


@pytest.mark.usefixtures("used")
def test_the_file_has_all_that_are_chosen_exactly(olivia: Client):
    answer = olivia.get(f"{URL}users.csv?q=ann&sort=cost")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="users.csv"'
    assert csv_of(answer).splitlines() == [
        (
            "customer,user,first_active,last_active,active_days,requests,refused,requests_per_active_day,"
            "tokens_per_request,input_tokens,output_tokens,cost,price,margin,cost_per_request,price_per_request,"
            "error_rate,average_latency_ms,latency_p50_ms,latency_p95_ms,unpriced"
        ),
        (
            "Globex,ann,2026-03-09T10:00:00+00:00,2026-03-10T10:00:00+00:00,2,20,2,9.0,166.7,2000,1000,6.000000000000,"
            "8.000000000000,2.000000000000,0.333333333333,0.444444444444,0.0556,888.9,,,0"
        ),
        (
            "Initech,ann,2026-03-10T10:00:00+00:00,2026-03-10T10:00:00+00:00,1,5,0,5.0,300.0,1000,500,9.000000000000,"
            "6.000000000000,-3.000000000000,1.800000000000,1.200000000000,0.0000,1600.0,,,0"
        ),
    ]


def test_names_that_would_be_formulas_or_markup_are_harmless(olivia: Client, cast: Cast):
    an_hour(cast.globex, HOUR, end_user=ODD)
    page = olivia.get(URL)
    assert "<script>alert" not in page.content.decode()
    url = page.context["table"].rows[0].url
    assert url == f"{URL}{cast.globex.pk}/?id={quote(ODD, safe='').replace('%20', '+')}"
    detail = olivia.get(url)
    assert detail.context["user_detail"].row.figures.requests == 10
    assert "<script>alert" not in detail.content.decode()
    assert "\n" + "Globex,\"'=2+5" not in csv_of(olivia.get(f"{URL}users.csv"))
    assert ",'=2+5\u202e<script>" in csv_of(olivia.get(f"{URL}users.csv")).replace('"', "")


# A user's page


def detail(cast: Cast, asked: str) -> str:
    return f"{URL}{cast.globex.pk}/?{asked}"


@pytest.mark.usefixtures("used")
def test_a_users_page_has_its_figures_alone(olivia: Client, cast: Cast):
    a_property_hour(cast.globex, HOUR, "plan", "pro", end_user="ann", requests=4, cost=Decimal(2), price=Decimal(3))
    a_property_hour(cast.initech, HOUR, "plan", "other", end_user="ann", requests=9)
    a_request(cast.globex, HOUR, end_user="ann")
    a_request(cast.globex, HOUR, end_user="bob")
    answer = olivia.get(detail(cast, "id=ann"))
    said = text_of(answer)
    assert "Requests 20 2 refused Active days 2 9 requests a day Tokens 3k 167 by request" in said
    assert "Cost $6.00 $0.3333 by request Price $8.00 $2.00 margin Errors 5.6% 1 failed Latency – p95 –" in said
    assert "Active from 9 Mar 2026 10:00 to 10 Mar 2026 10:00" in said
    assert "2 active days in a year" in said
    assert rows_of(answer) == [
        "Model Requests Tokens Cost Price Cost each Errors Latency p95",
        "o4-mini 8 1.5k $4.00 $5.00 $0.5000 0.0% – –",
        "gpt-4o-mini 12 1.5k $2.00 $3.00 $0.2000 10.0% – –",
        "Plan Requests Tokens Cost Price",
        "pro 4 1.5k $2.00 $3.00",
        "Time Model Status Tokens in Tokens out Latency Cost Price",
        "10 Mar 10:00:00 gpt-4o-mini-2024-07-18 Served 1k 500 800 ms $0.2500 $0.3750",
    ]


@pytest.mark.usefixtures("used")
def test_requests_that_name_nobody_have_a_page_too(olivia: Client, cast: Cast):
    answer = olivia.get(detail(cast, ""))
    assert "No user named" in text_of(answer)
    assert answer.context["user_detail"].row.figures.requests == 3


def test_a_user_who_never_called_has_an_empty_page(olivia: Client, cast: Cast):
    said = text_of(olivia.get(detail(cast, "id=zoe")))
    assert "zoe No requests in these days" in said
    assert "Requests 0 0 refused" in said


def test_the_calendar_shades_days_by_how_much_was_called(olivia: Client, cast: Cast):
    for days, requests in ((0, 100), (1, 50), (2, 1), (400, 7)):
        an_hour(cast.globex, HOUR - days * DAY, end_user="ann", requests=requests)
    calendar = olivia.get(detail(cast, "id=ann")).context["user_detail"].calendar
    assert {(day.day.isoformat(), day.requests, day.level) for day in calendar.days if day.requests} == {
        ("2026-03-10", 100, 4),
        ("2026-03-09", 50, 2),
        ("2026-03-08", 1, 1),
    }
    assert (calendar.days[0].day.isoformat(), calendar.days[-1].day.isoformat()) == ("2025-03-10", "2026-03-10")
    assert calendar.active_days == 3


def test_a_user_is_blocked_noted_and_let_in_again(olivia: Client, cast: Cast):
    an_hour(cast.globex, HOUR, end_user=ODD)
    page = f"{URL}{cast.globex.pk}/"
    answer = olivia.post(f"{page}block/", {"id": ODD, "reason": "<i>scripted"}, follow=True)
    assert answer.context["user_detail"].key.end_user == ODD
    assert "Blocked since 10 Mar 2026 12:00: its calls are refused. <i>scripted" in text_of(answer)
    assert "<i>scripted" not in answer.content.decode()
    assert "Blocked" in rows_of(olivia.get(URL))[1]
    said = text_of(olivia.post(f"{page}note/", {"id": ODD, "note": "asked for a refund"}, follow=True))
    assert "asked for a refund" in said
    said = text_of(olivia.post(f"{page}unblock/", {"id": ODD}, follow=True))
    assert "Its calls are let in again." in said
    assert "Blocked since" not in said
    assert [event.action for event in cast.acme.audit_events.order_by("pk")][-3:] == [
        "end_user.block",
        "end_user.note",
        "end_user.unblock",
    ]


def test_nobody_cannot_be_blocked(olivia: Client, cast: Cast):
    for verb in ("block", "unblock", "note"):
        answer = olivia.post(f"{URL}{cast.globex.pk}/{verb}/", {"id": " \x00"}, follow=True)
        assert answer.status_code == 200
    assert cast.globex.end_users.count() == 0


def test_a_viewer_sees_and_does_nothing(client: Client, cast: Cast):
    client.force_login(a_member(cast.acme, Role.VIEWER).user)
    assert "Block this user" not in text_of(client.get(detail(cast, "id=ann")))
    assert client.post(f"{URL}{cast.globex.pk}/block/", {"id": "ann"}).status_code == 403


@pytest.mark.usefixtures("used")
def test_how_users_are_spread(olivia: Client):
    answer = olivia.get(f"{URL}distribution/?cut=all")
    spreads = answer.context["spreads"]
    assert (spreads.requests.told.users, spreads.requests.told.median) == (2, 5)
    assert "2 users, half make 5 or fewer" in text_of(answer)
    assert olivia.get(f"{URL}distribution/?cut=nonsense&customer=1").status_code == 200


def test_a_users_page_has_its_sessions(olivia: Client, cast: Cast):
    an_hour(cast.globex, HOUR, end_user=ODD, requests=3, last_at=HOUR + timedelta(minutes=9))
    a_request(cast.globex, HOUR, end_user=ODD, session_id="s/1", session_name="Trip", latency_ms=1000)
    a_request(cast.globex, HOUR + timedelta(minutes=9), end_user=ODD, session_id="s/1", latency_ms=1000)
    a_request(cast.globex, HOUR, end_user="ann", session_id="s/2")
    page = olivia.get(detail(cast, f"id={quote(ODD)}"))
    assert "Trip 10 Mar 10:00:00 10 Mar 10:09:00 9 min 1 s 2 $0.5000 $0.7500" in rows_of(page)
    [row] = page.context["user_detail"].sessions
    assert olivia.get(row.url).status_code == 200
    urls = page.context["urls"]
    assert [each.session.id for each in olivia.get(urls["sessions"]).context["found"].rows] == ["s/1"]
    assert text_of(olivia.get(urls["requests"])).count("gpt-4o-mini-2024-07-18") == 2
    nobodys = olivia.get(detail(cast, ""))
    assert "Newest sessions" not in text_of(nobodys)
    assert "no_user=on" in nobodys.context["urls"]["requests"]


@pytest.mark.usefixtures("used")
def test_pages_ask_the_database_a_dozen_times(olivia: Client, cast: Cast, django_assert_max_num_queries):
    for path in (URL, f"{URL}?sort=-latency_p95_ms", detail(cast, "id=ann"), f"{URL}distribution/"):
        with django_assert_max_num_queries(12):
            olivia.get(path)


def test_another_operators_customer_does_not_exist(olivia: Client, cast: Cast):
    assert olivia.get(f"{URL}{cast.shady.pk}/?id=mal").status_code == 404
