"""The page on which an organization says how much of its usage is counted apart and kept."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from apps.accounts.models import Role
from apps.usage.keeping import Keeping
from apps.usage.models import DayCardinality
from tests.cast import Cast, a_member
from tests.pages import rows_of, text_of
from tests.used import an_hour

NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)
URL = "/console/settings/keeping/"
EMPTY = {"most_end_users": "", "most_property_values": "", "requests_days": "", "hours_days": "", "days_days": ""}


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW)


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


def own(cast: Cast) -> tuple[int | None, ...] | None:
    fields = ("most_end_users", "requests_days", "hours_days", "days_days")
    return Keeping.objects.filter(organization=cast.acme).values_list(*fields).first()


def test_it_says_what_is_there_and_what_may_be_chosen(olivia: Client, cast: Cast):
    told = text_of(olivia.get(URL))
    assert "1 to 200,000. Empty: 200,000, as this installation has it." in told
    assert "31 or more. Empty: for ever." in told
    assert "Hourly sums ever none yet" in told
    an_hour(cast.globex, NOW - timedelta(days=80))
    an_hour(cast.shady, NOW - timedelta(days=90))
    assert "Hourly sums ever 1 Apr 2026" in rows_of(olivia.get(URL))
    assert URL in olivia.get("/console/settings/").content.decode()


def test_it_is_saved_and_shown(olivia: Client, cast: Cast):
    assert olivia.post(URL, EMPTY | {"most_end_users": "500", "hours_days": "90"}).status_code == 302
    assert own(cast) == (500, None, 90, None)
    page = olivia.get(URL)
    assert page.context["form"]["most_end_users"].value() == 500
    assert "Hourly sums 90 days none yet" in rows_of(page)
    assert cast.acme.audit_events.get(action="keeping.update").changes["hours_days"] == [None, 90]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"most_end_users": "200001"}, "At most 200,000; whoever runs this installation can give you more."),
        ({"most_end_users": "-1"}, "greater than or equal to 0"),
        ({"most_end_users": "0"}, "At least 1."),
        ({"hours_days": "1"}, "At least 31."),
        ({"hours_days": "90", "days_days": "30"}, "At least 400."),
        ({"days_days": "500"}, "Daily sums are kept for as long as hourly ones, or longer."),
        ({"requests_days": "99999999999999"}, "less than or equal to 2147483647"),
        ({"requests_days": "soon"}, "Enter a whole number."),
    ],
)
def test_what_cannot_be_is_told_once_and_nothing_is_changed(olivia: Client, cast: Cast, asked, told):
    answer = olivia.post(URL, EMPTY | asked)
    assert (answer.status_code, text_of(answer).count(told)) == (200, 1)
    assert own(cast) is None


def test_what_would_be_deleted_is_told_and_asked_for_once_more(olivia: Client, cast: Cast):
    an_hour(cast.globex, NOW - timedelta(days=80))
    asked = EMPTY | {"hours_days": "31"}
    told = text_of(olivia.post(URL, asked))
    assert "Nothing is changed yet: this deletes what is told here." in told
    assert "Hourly sums: all from 1 Apr 2026 until before 20 May 2026" in told
    assert "It goes within six hours" in told
    assert own(cast) is None
    assert olivia.post(URL, asked | {"confirmed": "on"}).status_code == 302
    assert own(cast) == (None, None, 31, None)


def test_a_cap_that_was_reached_is_told_here_and_above_the_users(olivia: Client, cast: Cast):
    an_hour(cast.globex, NOW, end_user="(other)")
    DayCardinality.objects.create(organization=cast.evil_corp, day=NOW, has_other_users=True)
    for url in (URL, "/console/users/"):
        assert "end users made calls" not in text_of(olivia.get(url))
    Keeping.objects.create(organization=cast.acme, most_end_users=7)
    DayCardinality.objects.create(organization=cast.acme, day=NOW, has_other_users=True)
    for url in (URL, "/console/users/"):
        assert "On 20 June more than 7 end users made calls" in text_of(olivia.get(url))
    assert "(other) Several" in text_of(olivia.get("/console/users/"))
    assert "no more could be counted apart" in text_of(olivia.get(f"/console/users/{cast.globex.pk}/?id=(other)"))
    assert "no more could be counted apart" not in text_of(olivia.get(f"/console/users/{cast.globex.pk}/?id=ann"))


def test_it_is_for_admins(client: Client, cast: Cast):
    client.force_login(a_member(cast.acme, Role.BILLING).user)
    assert client.get(URL).status_code == 403
    assert client.post(URL, EMPTY | {"most_end_users": "5"}).status_code == 403
    assert own(cast) is None
