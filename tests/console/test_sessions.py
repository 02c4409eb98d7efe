"""Sessions in the console and the portal: the list, and the tree of each."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from tests.cast import Cast
from tests.pages import rows_of, text_of
from tests.used import a_request

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def trip(cast: Cast) -> None:
    """A session of Globex in two steps; others of others by the same id."""
    of_trip = {"session_id": "a/b ?&1", "session_name": "Trip"}
    a_request(cast.globex, NOW - timedelta(minutes=5), session_path="/plan", cost=Decimal("0.0777"), **of_trip)
    a_request(cast.globex, NOW - timedelta(minutes=4), session_path="/plan/hotel", end_user="bob", **of_trip)
    a_request(cast.globex, NOW - timedelta(minutes=3), alias="house", **of_trip)
    a_request(cast.initech, NOW, session_id="a/b ?&1", price=Decimal(555))
    a_request(cast.shady, NOW, session_id="a/b ?&1", price=Decimal(777))


def test_the_operator_sees_all_customers_sessions(client: Client, cast: Cast, trip):
    client.force_login(cast.olivia)
    assert rows_of(client.get("/console/sessions/")) == [
        "Session Customer User First Last Duration Requests Cost Price",
        "a/b ?&1 Initech ada 10 Mar 12:00:00 10 Mar 12:00:00 800 ms 1 $0.2500 $555.00",
        "Trip a/b ?&1 Globex ada +1 10 Mar 11:55:00 10 Mar 11:57:00 2 min 1 s 3 $0.5777 $1.12",
    ]
    chosen = client.get(f"/console/sessions/?customer={cast.globex.pk}&q=tri&period=today")
    assert len(rows_of(chosen)) == 2
    row = chosen.context["found"].rows[0]
    assert rows_of(client.get(row.url)) == [
        "Step Status When Took Tokens Cost Price",
        "house Served 800 ms 1.5k $0.2500 $0.3750",
        "plan 2 1 min 1 s 3k $0.3277 $0.7500",
        "gpt-4o-mini-2024-07-18 Served 800 ms 1.5k $0.0777 $0.3750",
        "hotel 1 800 ms 1.5k $0.2500 $0.3750",
        "gpt-4o-mini-2024-07-18 Served 800 ms 1.5k $0.2500 $0.3750",
    ]


def test_the_customer_sees_its_own_without_costs(client: Client, cast: Cast, trip):
    client.force_login(cast.gina)
    listed = client.get("/portal/sessions/")
    assert rows_of(listed) == [
        "Session User First Last Duration Requests Spend",
        "Trip a/b ?&1 ada +1 10 Mar 11:55:00 10 Mar 11:57:00 2 min 1 s 3 $1.12",
    ]
    story = client.get(listed.context["found"].rows[0].url)
    assert rows_of(story)[0] == "Step Status When Took Tokens Spend"
    assert len(rows_of(story)) == 6
    for page in (listed, story):
        assert not [word for word in ("0.0777", "0.5777", "555", "777", "Cost") if word in page.content.decode()]


@pytest.mark.parametrize(("query", "status"), [("", 302), ("?id=", 302), ("?id=nobodys", 404)])
def test_one_that_is_not_there(client: Client, cast: Cast, trip, query, status):
    client.force_login(cast.olivia)
    assert client.get(f"/console/customers/{cast.globex.pk}/session/{query}").status_code == status
    client.force_login(cast.gina)
    assert client.get(f"/portal/session/{query}").status_code == status


def test_somebody_elses_customer_has_none(client: Client, cast: Cast, trip):
    client.force_login(cast.olivia)
    url = f"/console/customers/{cast.shady.pk}/session/"
    assert client.get(url, {"id": "a/b ?&1"}).status_code == 404


@pytest.mark.parametrize("query", ["", "?q=zzz", "?customer=none", "?period=all&before=x", "?period=never"])
def test_with_none_it_says_what_makes_one(client: Client, cast: Cast, query):
    client.force_login(cast.olivia)
    answer = client.get(f"/console/sessions/{query}")
    assert answer.status_code == 200
    assert "session" in text_of(answer).lower()
