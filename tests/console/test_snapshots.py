"""The pages of many users out of snapshots: the same as added up, and as of when where they are behind."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from apps.usage import snapshots
from apps.usage.models import Snapshot
from apps.usage.snapshots import Asked, take_snapshot
from tests.cast import Cast, a_customer_member
from tests.pages import rows_of, text_of
from tests.used import a_property_hour, an_hour

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR = NOW.replace(hour=10)
DAY = timedelta(days=1)
AS_OF = "as of 10 Mar 12:00:00"
PAGES = [
    "users/",
    "users/?sort=customer",
    "users/?q=AN&above=0.5",
    "users/?model=o4-mini",
    "users/?name=Plan&value=pro&sort=-latency_p95_ms",
    "users/?since=2026-03-09&until=2026-03-10",
    "users/distribution/",
    "users/distribution/?cut=middle",
    "insights/",
]


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture(autouse=True)
def taken(monkeypatch) -> list[Asked]:
    """What takes any time at all is taken at once, as by a worker that has nothing else to do; what was."""
    found: list[Asked] = []

    def take(task: str, text: str) -> None:
        asked = Asked.of_text(text)
        if take_snapshot(asked):
            found.append(asked)
            Snapshot.objects.update(took_ms=1000)

    monkeypatch.setattr(snapshots, "SLOW_MS", 0)
    monkeypatch.setattr(snapshots, "after_commit", take)
    return found


@pytest.fixture(params=["console", "portal"])
def visitor(request, client: Client, cast: Cast) -> tuple[Client, str]:
    for number, (customer, user) in enumerate([(cast.globex, "ann"), (cast.globex, None), (cast.initech, "ann")]):
        amounts = {"end_user": user, "requests": 5 + number, "cost": Decimal(number + 1), "price": Decimal(7)}
        an_hour(customer, HOUR - number * DAY, model="o4-mini" if number else "gpt-4o", **amounts)
        a_property_hour(customer, HOUR, "plan", "pro", **amounts)
    an_hour(cast.shady, HOUR, end_user="mal", cost=Decimal(100))
    who = cast.olivia if request.param == "console" else a_customer_member(cast.globex).user
    client.force_login(who)
    return client, f"/{request.param}/"


def told(answer) -> str:
    assert answer.status_code == 200
    return text_of(answer)


@pytest.mark.parametrize("page", PAGES)
def test_the_second_visit_shows_what_the_first_added_up(visitor, taken, page):
    client, face = visitor
    first = client.get(f"{face}{page}")
    assert len(taken) == 1
    assert taken[0].customer_id == (None if face == "/console/" else taken[0].customer_id)
    second = client.get(f"{face}{page}")
    assert told(second) == told(first)
    assert rows_of(second) == rows_of(first)
    assert len(taken) == 1
    assert "mal" not in told(second)


def test_what_is_behind_says_as_of_when_until_it_is_taken_anew(visitor, cast, time_machine):
    client, face = visitor
    client.get(f"{face}users/")
    assert AS_OF not in told(client.get(f"{face}users/"))
    an_hour(cast.globex, HOUR, end_user="new", requests=3)
    page = told(client.get(f"{face}users/"))
    assert AS_OF in page
    assert "new 3" not in page.replace("Globex ", "")
    time_machine.move_to(NOW + timedelta(minutes=1), tick=False)
    client.get(f"{face}users/")  # has it taken anew
    page = told(client.get(f"{face}users/"))
    assert "as of" not in page
    assert "new 3" in page.replace("Globex ", "")


def test_the_file_has_the_rows_of_the_page(visitor, cast):
    client, face = visitor

    def rows() -> list[bytes]:
        return b"".join(client.get(f"{face}users/users.csv?sort=-requests").streaming_content).splitlines()

    before = rows()
    client.get(f"{face}users/?sort=-requests")
    assert rows() == before
    an_hour(cast.globex, HOUR, end_user="new", requests=3)
    assert rows() == before


def test_a_customers_snapshot_has_its_users_only(client, cast, taken):
    an_hour(cast.globex, HOUR, end_user="ann")
    an_hour(cast.initech, HOUR, end_user="ira")
    for member, mine, others in (
        (a_customer_member(cast.globex), "ann", "ira"),
        (a_customer_member(cast.initech), "ira", "ann"),
    ):
        client.force_login(member.user)
        client.get("/portal/users/")
        page = told(client.get("/portal/users/"))
        assert f"{mine} 10" in page
        assert f"{others} 10" not in page
    assert [asked.customer_id for asked in taken] == [cast.globex.pk, cast.initech.pk]
