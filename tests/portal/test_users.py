"""A customer's users pages: its own users, with what it pays, never what that costs its operator."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from apps.customers.end_users import block_end_user, note_end_user
from apps.customers.models import CustomerRole
from tests.cast import Cast, a_customer_member
from tests.pages import rows_of, text_of
from tests.used import a_property_hour, a_request, an_hour

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR = NOW.replace(hour=10)
DAY = timedelta(days=1)
URL = "/portal/users/"


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW)


@pytest.fixture
def gina(client: Client, cast: Cast) -> Client:
    client.force_login(cast.gina)
    return client


@pytest.fixture
def used(cast: Cast) -> None:
    """What is bought as “house” is served by a model that the customer isn't told of."""
    hidden = {"model": "gpt-4o-mini-secret", "sold_as": "house", "provider": "hidden"}
    an_hour(cast.globex, HOUR, end_user="ann", requests=12, refused=2, cost=Decimal("2.17"), price=Decimal(3), **hidden)
    an_hour(cast.globex, HOUR - DAY, end_user="bob", requests=8, cost=Decimal("0.17"), price=Decimal(5))
    an_hour(cast.initech, HOUR, end_user="ira-user", requests=5, cost=Decimal(9), price=Decimal(6), sold_as="theirs")
    a_property_hour(cast.globex, HOUR, "plan", "pro", end_user="ann", cost=Decimal("2.17"))
    a_property_hour(cast.initech, HOUR, "secret", "x", end_user="ira-user")
    a_request(cast.globex, HOUR, end_user="ann", alias="house", model_served="gpt-4o-mini-secret", cost=Decimal("2.17"))


@pytest.mark.usefixtures("used")
def test_the_table_has_the_customers_own_users_and_what_it_pays(gina: Client):
    answer = gina.get(URL)
    assert rows_of(answer) == [
        (
            "User Trend Requests Spend Active days A day Tokens each Tokens in Tokens out Spend each Errors "
            "Refused Latency p95 First active Last active"
        ),
        "bob 8 $5.00 1 8 188 1k 500 $0.6250 0.0% 0 – – 9 Mar 2026 9 Mar 10:00",
        "ann 12 $3.00 1 10 150 1k 500 $0.3000 0.0% 2 – – 10 Mar 2026 10 Mar 10:00",
    ]


PATHS = ("", "?sort=-cost", "?sort=-margin", "?name=Plan&value=pro", "users.csv", "users.csv?sort=cost", "user/?id=ann")


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize("path", PATHS)
def test_no_page_tells_a_cost_or_a_hidden_model_or_another_customer(gina: Client, path: str):
    answer = gina.get(URL + path)
    said = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert answer.status_code == 200
    for secret in (b"2.17", b"0.17", b"margin", b"Margin", b"gpt-4o-mini-secret", b"ira-user", b"theirs", b"secret"):
        assert secret not in said.lower(), secret


@pytest.mark.usefixtures("used")
def test_what_can_be_chosen_is_the_customers_own(gina: Client):
    table = gina.get(URL).context["table"]
    assert table.models == ["gpt-4o-mini", "house"]
    assert [name for name, _ in table.form.fields["name"].choices] == ["", "Plan"]
    assert "customer" not in table.form.fields
    chosen = gina.get(f"{URL}?model=house").context["table"]
    assert [user.row.end_user for user in chosen.rows] == ["ann"]
    assert gina.get(f"{URL}?model=gpt-4o-mini-secret").context["table"].rows == []


@pytest.mark.usefixtures("used")
def test_above_is_of_what_is_paid(gina: Client, cast: Cast):
    found = gina.get(f"{URL}?above=4&customer={cast.initech.pk}").context["table"]
    assert [user.row.end_user for user in found.rows] == ["bob"]


@pytest.mark.usefixtures("used")
def test_the_file_has_the_customers_own(gina: Client):
    written = b"".join(gina.get(f"{URL}users.csv").streaming_content).decode().splitlines()
    assert written[0] == (
        "user,first_active,last_active,active_days,requests,refused,requests_per_active_day,tokens_per_request,"
        "input_tokens,output_tokens,price,price_per_request,error_rate,average_latency_ms,latency_p50_ms,latency_p95_ms,unpriced"
    )
    assert [line.split(",")[0] for line in written[1:]] == ["bob", "ann"]


@pytest.mark.usefixtures("used")
def test_a_users_page(gina: Client):
    answer = gina.get(f"{URL}user/?id=ann")
    assert "Spend $3.00 $0.3000 by request" in text_of(answer)
    assert rows_of(answer) == [
        "Model Requests Tokens Spend Spend each Errors Latency p95",
        "house 12 1.5k $3.00 $0.3000 0.0% – –",
        "Plan Requests Tokens Spend",
        "pro 10 1.5k $3.00",
        "Time Model Status Tokens in Tokens out Latency Spend",
        "10 Mar 10:00:00 house Served 1k 500 800 ms $0.3750",
    ]


@pytest.mark.usefixtures("used")
def test_a_user_of_another_customer_is_nobody_here(gina: Client):
    assert "No requests in these days" in text_of(gina.get(f"{URL}user/?id=ira-user"))


def test_what_the_operator_blocked_stays_blocked_and_its_note_is_not_seen(gina: Client, cast: Cast):
    block_end_user(cast.globex, "ann", by=cast.olivia, at=NOW, reason="abuse", is_operator=True)
    note_end_user(cast.globex, "ann", "operators only", by=cast.olivia, is_operator=True)
    said = text_of(gina.get(f"{URL}user/?id=ann"))
    assert "abuse Only the operator of this service can lift that." in said
    assert "operators only" not in said
    said = text_of(gina.post(f"{URL}user/unblock/", {"id": "ann"}, follow=True))
    assert "The operator of this service has blocked this user" in said
    assert cast.globex.end_users.get().is_blocked


def test_a_developer_blocks_and_a_viewer_does_not(client: Client, cast: Cast):
    for role, status, is_blocked in ((CustomerRole.VIEWER, 403, False), (CustomerRole.DEVELOPER, 302, True)):
        client.force_login(a_customer_member(cast.globex, role).user)
        assert client.post(f"{URL}user/block/", {"id": "ann"}).status_code == status
        assert cast.globex.end_users.filter(name="ann").exists() is is_blocked
    assert not cast.initech.end_users.exists()
    said = text_of(client.post(f"{URL}user/unblock/", {"id": "ann"}, follow=True))
    assert "Its calls are let in again." in said
