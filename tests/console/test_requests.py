"""The operator's explorer of requests, and the page of each."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from apps.pricing.models import ModelPrice
from apps.pricing.rate_cards import set_own_rates
from apps.usage.models import Request, Result
from apps.usage.queries.cursors import microseconds
from tests.cast import Cast, a_provider_key, a_proxy_key
from tests.pages import rows_of, text_of
from tests.used import a_request

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


@pytest.fixture
def told(cast: Cast):
    """A request with all that one can have."""
    key, _ = a_proxy_key(cast.globex, "production")
    provider_key = a_provider_key(cast.acme, name="main")
    price = ModelPrice.objects.create(
        provider="openai",
        model="gpt-4o-mini",
        rates={"input": "0.15", "cache_read": "0.075", "output": "0.6"},
        units={"web_search": "0.01"},
        effective_from=NOW - timedelta(days=9),
        source="genai-prices",
    )
    ModelPrice.objects.create(  # what it costs by now
        provider="openai", model="gpt-4o-mini", rates={"input": "99"}, effective_from=NOW, source="genai-prices"
    )
    tried = {"provider_key": str(provider_key.pk), "status": 503, "error_code": "overloaded", "took_ms": 130}
    return a_request(
        cast.globex,
        NOW - timedelta(minutes=1),
        proxy_key_id=key.pk,
        provider_key_id=provider_key.pk,
        price_id=price.pk,
        markup_percent=Decimal(20),
        input_tokens=1200,
        cache_read_tokens=300,
        output_tokens=450,
        units={"web_search": 2},
        cost=Decimal("0.0204725"),
        price=Decimal("0.024567"),
        is_streamed=True,
        first_token_ms=210,
        latency_ms=1710,
        alias="house-model",
        properties={"plan": "premium"},
        session_id="s-1",
        session_path="/trip",
        session_name="Trip to Lisbon",
        client_request_id="c-1",
        provider_request_id="p-1",
        client_ip="203.0.113.9",
        attempts=[tried, tried | {"status": 200, "error_code": "", "took_ms": 1500}],
    )


def page_of(request) -> str:
    return f"/console/requests/{request.id}/?at={microseconds(request.started_at)}"


# The explorer


def test_all_customers_requests_newest_first(olivia: Client, cast: Cast, told):
    a_request(cast.initech, NOW, end_user=None, result=Result.REFUSED, status=429, cost=0, price=0, output_tokens=0)
    a_request(cast.shady, NOW)
    answer = olivia.get("/console/requests/")
    assert rows_of(answer) == [
        "Time Customer Model User Status Tokens, in → out Latency Cost Price",
        "10 Mar 12:00:00 Initech gpt-4o-mini-2024-07-18 no user Refused 429 1k → 0 800 ms $0.00 $0.00",
        "10 Mar 11:59:00 Globex house-model ada Served 1.5k → 450 1.71 s $0.0205 $0.0246",
    ]
    assert page_of(told) in answer.content.decode().replace("&amp;", "&")


def test_times_are_of_the_operators_zone(olivia: Client, cast: Cast):
    cast.acme.time_zone = "America/New_York"
    cast.acme.save()
    a_request(cast.globex, datetime(2026, 3, 10, 3, 30, tzinfo=UTC), end_user="yesterday")
    a_request(cast.globex, datetime(2026, 3, 10, 4, 0, tzinfo=UTC), end_user="today")
    said = text_of(olivia.get("/console/requests/?period=today"))
    assert "10 Mar 00:00:00" in said
    assert "yesterday" not in said
    chosen = olivia.get("/console/requests/?since=2026-03-09T23:30&until=2026-03-10T00:00")
    assert ["yesterday" in row for row in rows_of(chosen)[1:]] == [True]


NONSENSE = [
    "status=abc",
    "since=never",
    "since=2026-03-10T00:00&until=2026-03-09T00:00",
    "price_above=-1",
    "price_above=NaN",
    "latency=1e9",
    "latency=99999999999",
    "result=perhaps",
    "period=sometimes",
    "customer=none",
    "key=none",
    "properties=a;b;c;d;e;f",
    "user=" + "x" * 600,
]


@pytest.mark.parametrize("query", NONSENSE)
def test_a_filter_of_nonsense_shows_nothing_and_says_why(olivia: Client, cast: Cast, query):
    a_request(cast.globex, NOW)
    answer = olivia.get(f"/console/requests/?{query}")
    assert answer.status_code == 200
    assert "That cannot be searched for" in text_of(answer)
    assert rows_of(answer) == []


@pytest.mark.parametrize("query", ["user=%00", "before=x", "after=%ff", "error=%25%27%22", "period=all", "nobody=1"])
def test_odd_queries_break_nothing(olivia: Client, cast: Cast, query):
    a_request(cast.globex, NOW)
    assert olivia.get(f"/console/requests/?{query}").status_code == 200


def test_what_is_filtered_by_is_told_and_can_be_taken_away(olivia: Client, cast: Cast):
    a_request(cast.globex, NOW, result=Result.REFUSED, error_code="x")
    answer = olivia.get(f"/console/requests/?result=refused&customer={cast.globex.pk}&error=x")
    active = {str(each.label): (str(each.value), each.without) for each in answer.context["found"].form.active}
    assert active["Result"] == ("Refused", f"customer={cast.globex.pk}&error=x")
    assert active["Customer"] == ("Globex", "result=refused&error=x")
    assert len(rows_of(answer)) == 2


def test_the_keys_to_choose_from_are_those_of_the_chosen_customer(olivia: Client, cast: Cast):
    a_proxy_key(cast.globex, "key-of-globex")
    key, _ = a_proxy_key(cast.initech, "key-of-initech")
    foreign, _ = a_proxy_key(cast.shady, "key-of-shady")
    said = olivia.get(f"/console/requests/?customer={cast.globex.pk}").content.decode()
    assert "key-of-globex" in said
    assert "key-of-initech" not in said
    assert "key-of-initech" in olivia.get(f"/console/requests/?key={key.pk}").content.decode()
    assert "cannot be searched" in text_of(olivia.get(f"/console/requests/?key={foreign.pk}"))


def test_an_id_leads_to_its_request(olivia: Client, told):
    for text in (str(told.id), "c-1", "p-1"):
        assert olivia.get("/console/requests/", {"id": text, "period": "today"})["Location"] == page_of(told)
    assert "No request fits" in text_of(olivia.get("/console/requests/?id=another"))


def test_a_client_that_used_an_id_twice_sees_both(olivia: Client, cast: Cast, told):
    a_request(cast.globex, NOW, client_request_id="c-1")
    assert len(rows_of(olivia.get("/console/requests/?id=c-1"))) == 3


def test_pages_lead_to_older_and_newer_ones(olivia: Client, cast: Cast):
    for number in range(120):
        a_request(cast.globex, NOW - timedelta(minutes=number), end_user=f"user-{number}")
    pages = [olivia.get("/console/requests/?model=gpt*").context["found"]]
    while pages[-1].older:
        pages.append(olivia.get(f"/console/requests/?{pages[-1].older}").context["found"])
    users = [[row.end_user for row in page.rows] for page in pages]
    assert users == [
        [f"user-{number}" for number in range(first, last)] for first, last in ((0, 50), (50, 100), (100, 120))
    ]
    assert all("model=gpt" in page.older for page in pages[:-1])
    back = olivia.get(f"/console/requests/?{pages[2].newer}").context["found"]
    assert [row.end_user for row in back.rows] == users[1]


def test_with_no_requests_it_says_when_they_come(olivia: Client):
    assert "No requests in the last 30 days They appear here seconds after" in text_of(olivia.get("/console/requests/"))


def test_few_queries(olivia: Client, cast: Cast, django_assert_max_num_queries):
    for number in range(60):
        a_request(cast.globex if number % 2 else cast.initech, NOW - timedelta(minutes=number))
    for query in ("", "model=gpt*&error=x&period=all", "user=ada", f"customer={cast.globex.pk}&no_user=on"):
        with django_assert_max_num_queries(15):  # with a savepoint, which is none outside a test
            olivia.get(f"/console/requests/?{query}")


# Live


def test_live_rows_come_only_when_there_are_new_ones(olivia: Client, cast: Cast):
    a_request(cast.globex, NOW)
    page = olivia.get("/console/requests/?live=1")
    poll = page.context["found"].poll
    assert f'hx-get="/console/requests/?{poll}"'.replace("&", "&amp;") in page.content.decode()
    assert olivia.get(f"/console/requests/?{poll}", headers=HTMX).status_code == 204
    a_request(cast.globex, NOW - timedelta(hours=1), end_user="late")  # it began before the others, and ended after
    rows = olivia.get(f"/console/requests/?{poll}", headers=HTMX)
    assert len(rows_of(rows)) == 3
    assert "<html" not in rows.content.decode()
    assert rows.context["found"].poll != poll


def test_an_older_page_is_never_live(olivia: Client, cast: Cast):
    a_request(cast.globex, NOW)
    assert "hx-trigger" not in olivia.get("/console/requests/?live=1&before=x").content.decode()


# One request


def test_the_whole_story(olivia: Client, told):
    answer = olivia.get(page_of(told))
    assert rows_of(answer) == [
        "What Count USD Amount",
        "Input 1,200 0.15 a million $0.00018",
        "Read from the cache 300 0.075 a million $0.0000225",
        "Output 450 0.6 a million $0.00027",
        "web search 2 0.01 each $0.02",
        "Cost $0.0204725",
        "Markup of 20% $0.0040945",
        "Price $0.024567",
        "No. Provider key Status Error Took",
        "1 main 503 overloaded 130 ms",
        "2 main 200 – 1.50 s",
    ]
    said = text_of(answer)
    for each in (
        "10 Mar 2026 11:59:00 Served 200",
        "openai/gpt-4o-mini from 2026-03-01, genai-prices",
        "Tokens 1.95k 1.5k in, 450 out",
        "Latency 1.71 s 210 ms to the first token Speed 300 tokens of output a second",
        "Key production Model house-model → gpt-4o-mini Served by gpt-4o-mini-2024-07-18",
        "Provider openai with the key “main”",
        "Session Trip to Lisbon /trip plan premium From 203.0.113.9",
        f"Id {told.id} Client's id c-1 Provider's id p-1",
    ):
        assert each in said
    assert "does not come to" not in said


def test_a_sum_that_differs_from_what_is_stored_is_told(olivia: Client, told):
    type(told).objects.filter(id=told.id).update(cost=Decimal(1), price=Decimal(2))
    assert "a cost of $1 and a price of $2 are recorded" in text_of(olivia.get(page_of(told)))


WITHOUT_LINES = [
    pytest.param({"cost": None, "price": None}, "The price of this model is not known.", id="unknown"),
    pytest.param({"cost": 0, "price": 0, "result": Result.REFUSED}, "Nothing was charged.", id="refused"),
    pytest.param({}, "The price came with the request", id="sent with it"),
    pytest.param(
        {"cost": None, "price": None, "result": Result.UNFINISHED}, "our process ended before the call", id="unfinished"
    ),
]


@pytest.mark.parametrize(("fields", "says"), WITHOUT_LINES)
def test_where_there_is_nothing_to_break_down_it_says_why(olivia: Client, cast: Cast, fields, says):
    assert says in text_of(olivia.get(page_of(a_request(cast.globex, NOW, **fields))))


def test_a_refusal_has_its_reason(olivia: Client, cast: Cast):
    told = {"error_code": "rate_limit_exceeded", "error_message": "<b>Wait</b> a minute."}
    refused = a_request(cast.globex, NOW, result=Result.REFUSED, status=429, cost=0, price=0, **told)
    assert "Limit reached rate_limit_exceeded <b>Wait</b> a minute." in text_of(olivia.get(page_of(refused)))


@pytest.mark.parametrize("at", ["", "?at=", "?at=x", "?at=-1", "?at=" + "9" * 40, "?at=0"])
def test_it_is_found_without_its_time(olivia: Client, told, at):
    assert olivia.get(f"/console/requests/{told.id}/{at}").status_code == 200


def test_somebody_elses_is_not_there(olivia: Client, cast: Cast):
    assert olivia.get(page_of(a_request(cast.shady, NOW))).status_code == 404


# By which rule of a rate card it was sold


def sold_by(cast: Cast, told, price: str | None, **rule):
    """The request as it is when it was sold by a rule of Globex's own."""
    rules = [{"match": "house-*", **rule}]
    version = set_own_rates(cast.globex, rules=rules, effective_from=NOW - timedelta(days=1), by=None)
    found = Request.objects.filter(id=told.id)
    found.update(rate_rule_id=version.rules.get().pk, price=price)
    return found.get()


def test_the_rule_that_it_was_sold_by_and_what_it_made_of_it(olivia: Client, cast: Cast, told):
    request = sold_by(cast, told, "0.5096", mode="absolute", rates={"input": "3", "output": "12"}, per_request="0.5")
    Request.objects.filter(id=told.id).update(price="0.5099")
    answer = olivia.get(page_of(request))
    text = text_of(answer)
    assert "Sold by the customer's own rates, version 1 , house-*" in text.replace("version 1,", "version 1 ,")
    assert "Fee for a call 1 0.5 each $0.5" in text
    assert "Output 450 12 a million $0.0054" in text
    assert "Markup of" not in text
    assert "This does not come to what was charged" not in text


def test_a_price_without_a_known_cost_is_told_as_that(olivia: Client, cast: Cast, told):
    request = sold_by(cast, told, "0.25", mode="absolute", per_request="0.25")
    Request.objects.filter(id=told.id).update(cost=None, price_id=None)
    text = text_of(olivia.get(page_of(request)))
    assert "Cost not known" in text
    assert "Fee for a call 1 0.25 each $0.25" in text
