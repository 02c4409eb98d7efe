"""Searching for requests: what fits each filter, and pages that have every request once."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection

from apps.kit.ids import uuid7
from apps.usage.models import Request, Result
from apps.usage.queries import explorer
from apps.usage.queries.bloom import bloom_filters
from apps.usage.queries.explorer import Search, found_page
from apps.usage.queries.requests import one_request
from tests.usage.conftest import NOON
from tests.used import a_request

KEY = UUID(int=7)
AT = NOON + timedelta(hours=1)


@pytest.fixture
def history(cast) -> dict[str, Request]:
    """Requests that differ in something each, by what that is; and one of a stranger."""

    def made(minutes: int, **fields) -> Request:
        return a_request(cast.globex, NOON - timedelta(minutes=minutes), **fields)

    refused = {"result": Result.REFUSED, "status": 429, "error_code": "rate_limit_exceeded", "price": 0, "cost": 0}
    failed = {"result": Result.FAILED, "status": 503, "error_code": "overloaded", "error_message": "Try 100% later_"}
    by_alias = {"model": "gpt-4o", "model_served": "gpt-4o-2024", "alias": "house", "error_message": "gpt-4o is slow"}
    a_request(cast.shady, NOON)
    return {
        "usual": made(0),
        "refused": made(1, error_message="The limit is reached.", **refused),
        "failed": made(2, **failed),
        "alias": made(3, result=Result.FAILED, status=500, error_code="server_error", **by_alias),
        "no user": made(4, end_user=None),
        "bob": made(5, end_user="Bob"),
        "key": made(6, proxy_key_id=KEY),
        "premium": made(7, properties={"plan": "premium", "feature": "chat"}),
        "free": made(8, properties={"plan": "free"}),
        "session": made(9, session_id="s 1"),
        "dear": made(10, cost=Decimal(5), price=Decimal(7)),
        "unpriced": made(11, cost=None, price=None),
        "slow": made(12, latency_ms=30_000),
        "embeddings": made(15, endpoint="embeddings"),
        "known": made(13, client_request_id="c-1", provider_request_id="p-1"),
        "last month": made(60 * 24 * 20),
        "initech's": a_request(cast.initech, NOON - timedelta(minutes=14)),
    }


FILTERS = [  # what is asked for, and what fits
    pytest.param({"result": Result.REFUSED}, {"refused"}, id="result"),
    pytest.param({"result": Result.CANCELLED}, set(), id="result of none"),
    pytest.param({"statuses": (503, 503)}, {"failed"}, id="status"),
    pytest.param({"statuses": (500, 599)}, {"failed", "alias"}, id="class of status"),
    pytest.param({"model": "house"}, {"alias"}, id="alias"),
    pytest.param({"endpoint": "embeddings"}, {"embeddings"}, id="operation"),
    pytest.param({"endpoint": "embed"}, set(), id="a part of an operation"),
    pytest.param({"model": "gpt-4o"}, {"alias"}, id="model as asked"),
    pytest.param({"model": "gpt-4o-2024"}, {"alias"}, id="model as served"),
    pytest.param({"model": "gpt-4o-2*"}, {"alias"}, id="beginning of a model"),
    pytest.param({"model": "gpt-4o%"}, set(), id="no wildcard of SQL"),
    pytest.param({"model": "gpt-4o", "is_sold_as": True}, set(), id="customers don't know what is behind an alias"),
    pytest.param({"model": "house", "is_sold_as": True}, {"alias"}, id="alias, for its customer"),
    pytest.param({"end_user": "Bob"}, {"bob"}, id="user"),
    pytest.param({"end_user": "bob"}, set(), id="user of another case"),
    pytest.param({"has_no_user": True}, {"no user"}, id="no user"),
    pytest.param({"proxy_key_id": KEY}, {"key"}, id="key"),
    pytest.param({"properties": {"plan": "premium"}}, {"premium"}, id="property"),
    pytest.param({"properties": {"plan": None}}, {"premium", "free"}, id="property with any value"),
    pytest.param({"properties": {"plan": "premium", "feature": "chat"}}, {"premium"}, id="two properties"),
    pytest.param({"properties": {"plan": "free", "feature": "chat"}}, set(), id="two that nobody has"),
    pytest.param({"session_id": "s 1"}, {"session"}, id="session"),
    pytest.param({"price_above": Decimal("0.375")}, {"dear"}, id="price above, not at"),
    pytest.param({"price_below": Decimal("0.375")}, {"refused"}, id="price below: an unknown one is neither"),
    pytest.param({"cost_above": Decimal("0.25")}, {"dear"}, id="cost above"),
    pytest.param({"cost_below": Decimal("0.25")}, {"refused"}, id="cost below"),
    pytest.param({"cost_below": Decimal(0)}, set(), id="below 0 is a bound, too"),
    pytest.param({"latency_above_ms": 29_999}, {"slow"}, id="latency"),
    pytest.param({"error": "LIMIT"}, {"refused"}, id="text of the error"),
    pytest.param({"error": "overload"}, {"failed"}, id="its code"),
    pytest.param({"error": "100% later_"}, {"failed"}, id="text with wildcards of SQL"),
    pytest.param({"error": "gpt-4o"}, {"alias"}, id="a provider's words"),
    pytest.param({"error": "gpt-4o", "is_sold_as": True}, set(), id="which tell its customer nothing"),
    pytest.param({"error": "server", "is_sold_as": True}, {"alias"}, id="but the code, which it was told"),
    pytest.param({"request_id": "c-1"}, {"known"}, id="the client's id"),
    pytest.param({"request_id": "p-1"}, {"known"}, id="the provider's id"),
    pytest.param({"request_id": "nobody's"}, set(), id="an id of nobody"),
    pytest.param({"until": NOON - timedelta(days=1)}, {"last month"}, id="until"),
    pytest.param({"since": NOON}, {"usual"}, id="since, included"),
    pytest.param({"until": NOON, "since": NOON}, set(), id="until, not included"),
    pytest.param({"error": "LIMIT", "since": NOON}, set(), id="all at once"),
]


@pytest.mark.parametrize(("asked", "fitting"), FILTERS)
def test_filters(cast, history, asked, fitting):
    page = found_page(Search(cast.acme.pk, **asked), at=AT)
    assert page.requests == sorted((history[name] for name in fitting), key=lambda each: each.started_at, reverse=True)
    of_customer = found_page(Search(cast.acme.pk, cast.globex.pk, **asked), at=AT)
    assert {each.id for each in of_customer.requests} == {history[name].id for name in fitting - {"initech's"}}
    assert found_page(Search(cast.evil_corp.pk, cast.globex.pk, **asked), at=AT).requests == []


def test_our_own_id_in_any_writing(cast, history):
    for text in (str(history["bob"].id), history["bob"].id.hex.upper()):
        assert found_page(Search(cast.acme.pk, request_id=text), at=AT).requests == [history["bob"]]
        assert found_page(Search(cast.evil_corp.pk, request_id=text), at=AT).requests == []


@pytest.fixture
def ties(cast) -> list[UUID]:
    """Twelve requests, four each at one time, weeks apart; newest first."""
    for number in range(12):
        a_request(cast.globex, NOON - timedelta(days=40 * (number // 4)), end_user="ada")
    return list(Request.objects.order_by("-started_at", "-id").values_list("id", flat=True))


SEARCHES = [
    pytest.param({}, id="any"),
    pytest.param({"end_user": "ada"}, id="by an index"),
    pytest.param({"latency_above_ms": 1}, id="by looking"),
]


@pytest.mark.parametrize("asked", SEARCHES)
@pytest.mark.parametrize("limit", [1, 3, 5, 12, 50])
def test_older_and_newer_pages_have_every_request_once(cast, ties, asked, limit):
    search = Search(cast.acme.pk, **asked)
    pages = [found_page(search, at=AT, limit=limit)]
    while pages[-1].older:
        pages.append(found_page(search, at=AT, before=pages[-1].older, limit=limit))
    assert [each.id for page in pages for each in page.requests] == ties
    assert pages[0].newer is None
    for page, newer in zip(pages[1:], pages, strict=False):
        assert page.newer
        assert found_page(search, at=AT, after=page.newer, limit=limit).requests[-len(newer.requests) :] == (
            newer.requests
        )


@pytest.mark.parametrize("asked", SEARCHES)
def test_what_arrives_meanwhile_moves_no_page(cast, ties, asked):
    search = Search(cast.acme.pk, **asked)
    first = found_page(search, at=AT, limit=5)
    a_request(cast.globex, NOON, end_user="ada")
    a_request(cast.globex, NOON + timedelta(minutes=1), end_user="ada")
    second = found_page(search, at=AT, before=first.older, limit=5)
    assert [each.id for each in second.requests] == ties[5:10]
    assert len(found_page(search, at=AT, after=second.newer, limit=50).requests) == 14


@pytest.mark.parametrize("cursor", ["x", "?" * 40, "A" * 32, "_" * 500, "_" * 32, "é" * 32, ""])
@pytest.mark.parametrize("way", ["before", "after"])
def test_a_cursor_of_nonsense_breaks_nothing(cast, ties, cursor, way):
    found = found_page(Search(cast.acme.pk), at=AT, **{way: cursor})
    assert [each.id for each in found.requests] in (ties, [])


def test_a_search_whose_time_is_up_goes_on_where_it_stopped(cast, ties, monkeypatch):
    """Each look takes a second: two stretches fit into the patience, the rest is for other pages."""
    clock = iter(range(1000))
    monkeypatch.setattr(explorer, "monotonic", lambda: next(clock))
    search = Search(cast.acme.pk, latency_above_ms=1, since=NOON - timedelta(days=100))
    page = found_page(search, at=AT, patience_s=2.5)
    assert page.searched_to is not None
    found = list(page.requests)
    while page.older:
        page = found_page(search, at=AT, before=page.older, patience_s=2.5)
        found += page.requests
    assert [each.id for each in found] == ties


@pytest.mark.django_db(transaction=True)
def test_a_query_that_takes_too_long_is_given_up(cast, ties, monkeypatch):
    slow = Request.objects.filter(organization_id=cast.acme.pk).extra(where=["pg_sleep(0.2) IS NOT NULL"])
    monkeypatch.setattr(Search, "rows", lambda self: slow)
    page = found_page(Search(cast.acme.pk), at=AT, patience_s=0.05)
    assert page.requests == []
    assert page.searched_to == AT + explorer.AHEAD
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_one_request_by_its_id(cast):
    old = a_request(cast.globex, NOON - timedelta(days=70))  # its id says that it was made now
    assert one_request(cast.acme.pk, None, old.id) == old
    assert one_request(cast.acme.pk, cast.globex.pk, old.id, started_at=old.started_at) == old
    assert one_request(cast.acme.pk, None, old.id, started_at=NOON) == old
    assert one_request(cast.acme.pk, cast.initech.pk, old.id, started_at=old.started_at) is None
    assert one_request(cast.evil_corp.pk, None, old.id, started_at=old.started_at) is None
    assert one_request(cast.acme.pk, None, uuid7()) is None


def test_planning_is_as_it_was_after_a_search_for_an_id(cast, history):
    """How well the index of ids serves is for a larger table to show: see docs/requests.md."""

    def may_read_all() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW enable_seqscan")
            return cursor.fetchone()[0]

    with bloom_filters():
        assert may_read_all() == "off"
    found_page(Search(cast.acme.pk, request_id="c-1"), at=AT)
    one_request(cast.acme.pk, None, uuid7())
    assert may_read_all() == "on"


def test_an_index_is_told_from_a_search(cast):
    search = Search(cast.acme.pk)
    assert search.has_index
    assert replace(search, end_user="ada", error="x").has_index
    assert not replace(search, cost_below=Decimal(0)).has_index
    assert not replace(search, result=Result.FAILED).has_index
