"""Sessions: listed where their last request is, each once, with all that they cost."""

from datetime import timedelta
from decimal import Decimal

import pytest

from apps.usage.models import Result
from apps.usage.queries import sessions
from apps.usage.queries.periods import Period
from apps.usage.queries.sessions import one_session, recent_sessions, requests_of_session, sessions_of_user
from tests.usage.conftest import NOON
from tests.used import a_request

MINUTE = timedelta(minutes=1)


def step(customer, session: str, minutes: float, **fields):
    """A request of a session, some minutes before noon."""
    return a_request(customer, NOON - minutes * MINUTE, session_id=session, **fields)


def all_of(cast, limit: int, **asked) -> list[str]:
    """The ids of the sessions on all pages."""
    found, cursor = [], None
    for _ in range(50):
        page = recent_sessions(cast.acme.pk, before=cursor, limit=limit, **asked)
        found += [session.id for session in page.sessions]
        if (cursor := page.older) is None:
            return found
    raise AssertionError("it has no end")


@pytest.fixture
def history(cast) -> None:
    """Three sessions, the one within the other; one of another customer with a name that is taken."""
    for minutes in (50, 30, 1):
        step(cast.globex, "long", minutes)
    for minutes in (20, 10):
        step(cast.globex, "middle", minutes)
    step(cast.globex, "first", 60)
    step(cast.initech, "middle", 15)
    step(cast.shady, "middle", 0)
    a_request(cast.globex, NOON)  # of none


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 50])
@pytest.mark.parametrize("stride", [1, 2, 1000])
def test_each_is_listed_once_that_with_the_latest_request_first(cast, history, monkeypatch, limit, stride):
    monkeypatch.setattr(sessions, "STRIDE", stride)
    assert all_of(cast, limit) == ["long", "middle", "middle", "first"]
    assert all_of(cast, limit, customer_id=cast.globex.pk) == ["long", "middle", "first"]


def test_a_page_that_is_cut_short_is_gone_on_from(cast, history, monkeypatch):
    monkeypatch.setattr(sessions, "STRIDE", 1)
    monkeypatch.setattr(sessions, "MOST_STRIDES", 2)
    page = recent_sessions(cast.acme.pk)
    assert ([session.id for session in page.sessions], page.is_cut_short) == (["long", "middle"], True)
    assert all_of(cast, 50) == ["long", "middle", "middle", "first"]


def test_requests_at_one_time_are_of_one_page(cast):
    for name in ("a", "b", "c", "d", "e"):
        step(cast.globex, name, 0)
        step(cast.globex, name, 0)
    assert sorted(all_of(cast, 2)) == ["a", "b", "c", "d", "e"]


def test_what_a_session_comes_to(cast):
    step(cast.globex, "s", 10, session_name="Old name", latency_ms=60_000, end_user="ada")
    step(cast.globex, "s", 9, session_name="New name", latency_ms=1000, end_user="bob", cost=Decimal("0.000000000001"))
    step(cast.globex, "s", 8, latency_ms=500, end_user=None, cost=None, price=None)
    step(cast.globex, "s", 7, latency_ms=1, result=Result.REFUSED, cost=0, price=0)
    step(cast.globex, "s", 6, latency_ms=1500, result=Result.FAILED, cost=0, price=0)
    session = one_session(cast.acme.pk, cast.globex.pk, "s")
    assert session == (
        cast.globex.pk,
        "s",
        "New name",
        NOON - 10 * MINUTE,
        NOON - 6 * MINUTE,
        NOON - 6 * MINUTE + timedelta(milliseconds=1500),
        5,
        1,
        1,
        1,
        Decimal("0.250000000001"),
        Decimal("0.75"),
        2,
        "ada",
    )


def test_a_period_has_those_with_a_request_in_it_whole(cast, history):
    period = Period(NOON - 25 * MINUTE, NOON - 5 * MINUTE)
    page = recent_sessions(cast.acme.pk, cast.globex.pk, period=period)
    assert [(session.id, session.requests) for session in page.sessions] == [("middle", 2)]
    period = Period(NOON - 55 * MINUTE, NOON - 25 * MINUTE)
    assert all_of(cast, 1, period=period) == ["long"]


@pytest.mark.parametrize(("wanted", "found"), [("LON", ["long"]), ("trip", ["named"]), ("%", []), ("FIR", ["first"])])
def test_by_a_part_of_the_id_or_name(cast, history, wanted, found):
    step(cast.globex, "named", 70, session_name="A Trip")
    assert all_of(cast, 10, customer_id=cast.globex.pk, wanted=wanted) == found


def test_somebody_elses_is_none(cast, history):
    assert one_session(cast.evil_corp.pk, cast.globex.pk, "long") is None
    assert one_session(cast.acme.pk, cast.initech.pk, "long") is None
    assert requests_of_session(cast.acme.pk, cast.shady.pk, "middle", limit=5) == []
    assert recent_sessions(cast.acme.pk, cast.shady.pk).sessions == []


def test_requests_of_one_in_order(cast, history):
    found = requests_of_session(cast.acme.pk, cast.globex.pk, "long", limit=2)
    assert [request.started_at for request in found] == [NOON - 50 * MINUTE, NOON - 30 * MINUTE]


def test_a_list_by_a_user_misses_none_that_others_go_on_with(cast):
    """On each page a session is looked for by what fits: another's later request in it is no reason to pass it over."""
    step(cast.globex, "a", 50, end_user="ada")
    step(cast.globex, "b", 40, end_user="ada", session_name="Trip")
    step(cast.globex, "a", 30, end_user="bob")
    step(cast.globex, "b", 20, end_user="bob")
    step(cast.globex, "c", 10, end_user="bob", session_name="Trip")
    step(cast.initech, "d", 5, end_user="ada")
    step(cast.shady, "e", 1, end_user="ada")
    for limit in (1, 2, 50):
        assert all_of(cast, limit, end_user="ada") == ["d", "b", "a"]
        assert all_of(cast, limit, end_user="ada", customer_id=cast.globex.pk) == ["b", "a"]
        assert all_of(cast, limit, wanted="trip") == ["c", "b"]
        assert all_of(cast, limit, wanted="B", end_user="bob") == ["b"]
        assert all_of(cast, limit, end_user="eve") == []


def test_the_sessions_of_a_user(cast, django_assert_num_queries):
    step(cast.globex, "a", 50, end_user="ada", cost=Decimal(1))
    step(cast.globex, "b", 40, end_user="ada", session_name="Trip")
    step(cast.globex, "a", 30, end_user="bob", cost=Decimal(2))
    step(cast.globex, "c", 10, end_user="bob")
    step(cast.globex, "d", 200, end_user="ada")
    step(cast.initech, "a", 5, end_user="ada", cost=Decimal(4))
    step(cast.shady, "e", 1, end_user="ada")
    a_request(cast.globex, NOON, end_user="ada")  # of none
    period = Period(NOON - 60 * MINUTE, NOON)
    with django_assert_num_queries(1):
        found = sessions_of_user(cast.acme.pk, cast.globex.pk, "ada", period=period, limit=5)
    assert [(session.id, session.name, session.requests, session.users) for session in found] == [
        ("b", "Trip", 1, 1),
        ("a", None, 2, 2),
    ]
    assert found[1] == one_session(cast.acme.pk, cast.globex.pk, "a")
    assert found[1].cost == 3
    [newest] = sessions_of_user(cast.acme.pk, cast.globex.pk, "ada", period=period, limit=1)
    assert newest.id == "b"
    assert sessions_of_user(cast.acme.pk, cast.shady.pk, "ada", period=period, limit=5) == []
