"""Events become requests: the same records, prices and sums as of calls through the proxy, each once."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from apps.customers.services import update_customer
from apps.ingest.calls import request_id_of
from apps.ingest.models import SentEvent
from apps.ingest.services import KEPT_LONGER, Status, forget_sent
from apps.pricing.rating import Tokens
from apps.usage.audit import audit
from apps.usage.models import Batch, HourlyPropertyUsage, HourlyUsage, PropertyName, Request, Result, UsageSource
from apps.usage.record import SENT_KEY
from apps.usage.rollup import roll_up
from tests.cast import Cast, a_customer, an_organization, at_once
from tests.ingest.conftest import COST, NOW, a_price, send, statuses, told

ACCEPTED, DUPLICATE, CONFLICT, INVALID = Status


def test_an_event_is_a_request_with_all_it_said(cast: Cast, price):
    update_customer(cast.globex, by=None, markup_percent=Decimal(20))
    cast.globex.refresh_from_db()
    (result,) = send(
        cast.globex,
        told(
            "ev-1",
            model_served="gpt-test-2026",
            endpoint="responses",
            tokens={"input": 1000, "cache_read": 200, "output": 500},
            units={"web_search": 2},
            service_tier="flex",
            end_user="ünï-7",
            properties={"Plan": "premium", "Seats": 3, "Trial": False},
            session={"id": "s1", "path": "/a/b", "name": "Onboarding"},
            latency_ms=812,
            first_token_ms=90,
            is_streamed=True,
            client_request_id="mine",
            provider_request_id="chatcmpl-1",
            provider_cost="0.01",
        ),
    )
    request = Request.objects.get()
    assert result.status is ACCEPTED
    assert request.id == result.request_id == request_id_of(cast.acme.pk, cast.globex.pk, "ev-1")
    assert request.id.version == 8
    assert (request.organization_id, request.customer_id) == (cast.acme.pk, cast.globex.pk)
    assert request.proxy_key_id == SENT_KEY
    assert request.started_at == datetime(2026, 3, 10, 11, 59, tzinfo=UTC)
    assert (request.model, request.model_served, request.endpoint) == ("gpt-test", "gpt-test-2026", "responses")
    assert (request.input_tokens, request.cache_read_tokens, request.output_tokens) == (1000, 200, 500)
    assert (request.cost, request.price) == (Decimal("0.0072"), Decimal("0.00864"))
    assert (request.price_id, request.markup_percent) == (price.pk, Decimal(20))
    assert (request.result, request.status, request.usage_source) == (Result.SERVED, 200, UsageSource.REPORTED)
    assert (request.end_user, request.units) == ("ünï-7", {"web_search": 2})
    assert request.properties == {"plan": "premium", "seats": "3", "trial": "false"}
    assert (request.session_id, request.session_path, request.session_name) == ("s1", "/a/b", "Onboarding")
    assert (request.latency_ms, request.first_token_ms, request.is_streamed) == (812, 90, True)
    assert (request.client_request_id, request.provider_request_id) == ("mine", "chatcmpl-1")
    assert (request.service_tier, request.provider_cost) == ("flex", Decimal("0.01"))
    assert set(PropertyName.objects.values_list("name", "label")) == {
        ("plan", "Plan"),
        ("seats", "Seats"),
        ("trial", "Trial"),
    }


def test_what_was_sent_is_in_the_sums_of_its_own_hour(cast: Cast, price):
    send(
        cast.globex,
        told("now", properties={"Plan": "pro"}, end_user="ada"),
        told("late", started_at="2026-01-31T23:30:00Z", end_user="ada"),
    )
    roll_up()
    assert list(HourlyUsage.objects.order_by("hour").values_list("hour", "requests", "cost", "end_user")) == [
        (datetime(2026, 1, 31, 23, tzinfo=UTC), 1, COST, "ada"),
        (datetime(2026, 3, 10, 11, tzinfo=UTC), 1, COST, "ada"),
    ]
    assert HourlyPropertyUsage.objects.get().value == "pro"
    assert audit().is_equal
    assert Batch.objects.get().rows == 2


def test_the_price_in_force_when_it_happened_holds(cast: Cast, price):
    a_price(rates={"input": "4", "output": "20"}, effective_from=datetime(2026, 3, 1, tzinfo=UTC))
    send(cast.globex, told("a", started_at="2026-02-28T23:59:59.999999Z"), told("b", started_at="2026-03-01T00:00:00Z"))
    assert list(Request.objects.order_by("started_at").values_list("cost", flat=True)) == [COST, 2 * COST]


def test_a_model_that_nobody_knows_has_no_price_yet(cast: Cast, price):
    send(cast.globex, told(model="unheard-of"))
    request = Request.objects.get()
    assert (request.cost, request.price, request.price_id) == (None, None, None)


def test_the_name_that_was_served_finds_the_price_where_the_one_asked_for_does_not(cast: Cast, price):
    send(cast.globex, told(model="house-model", model_served="gpt-test"))
    assert Request.objects.get().cost == COST


def test_what_failed_and_used_nothing_costs_nothing(cast: Cast):
    send(cast.globex, told(tokens=None, status=429, error_code="rate_limited", error_message="slow\0 down"))
    request = Request.objects.get()
    assert (request.result, request.status, request.cost, request.price) == (Result.FAILED, 429, 0, 0)
    assert (request.error_code, request.error_message) == ("rate_limited", "slow down")


def test_an_event_counts_once_however_often_it_is_sent(cast: Cast, price):
    first = send(cast.globex, told())
    again = send(cast.globex, told(), told())
    assert statuses(first) == [ACCEPTED]
    assert statuses(again) == [DUPLICATE, DUPLICATE]
    assert {result.request_id for result in again} == {first[0].request_id}
    assert (Request.objects.count(), Batch.objects.count()) == (1, 1)


def test_another_time_does_not_make_it_another_event(cast: Cast, price):
    send(cast.globex, told())
    (again,) = send(cast.globex, told(started_at="2026-02-01T00:00:00Z"))
    assert (again.status, again.field) == (CONFLICT, "id")
    assert Request.objects.get().started_at == datetime(2026, 3, 10, 11, 59, tzinfo=UTC)


def test_of_two_with_one_key_in_a_batch_the_first_counts(cast: Cast, price):
    results = send(cast.globex, told("a"), told("b"), told("a"), told("a", model="other"))
    assert statuses(results) == [ACCEPTED, ACCEPTED, DUPLICATE, CONFLICT]
    assert Request.objects.count() == 2


def test_properties_in_another_order_are_the_same_event(cast: Cast, price):
    send(cast.globex, told(properties={"a": "1", "b": "2"}))
    assert statuses(send(cast.globex, told(properties={"b": "2", "a": "1"}))) == [DUPLICATE]


def test_a_key_is_its_customers_own(cast: Cast, price):
    other = a_customer(an_organization(), "Globex")
    for customer in (cast.globex, cast.initech, other):
        assert statuses(send(customer, told("the same"))) == [ACCEPTED]
    assert Request.objects.count() == 3
    assert Request.objects.filter(organization=cast.acme).count() == 2


def test_what_is_wrong_with_one_event_does_not_concern_the_others(cast: Cast, price):
    results = send(cast.globex, told("a"), told("b", provider="No Such!"), told("c"))
    assert statuses(results) == [ACCEPTED, INVALID, ACCEPTED]
    assert results[1].field == "provider"
    assert statuses(send(cast.globex, told("b"))) == [ACCEPTED]  # mended


WHEN = [  # said to have begun, accepted, and then stored as
    pytest.param(NOW + timedelta(minutes=5), NOW, id="a-clock-ahead-is-put-right"),
    pytest.param(NOW + timedelta(minutes=5, microseconds=1), None, id="in-the-future"),
    pytest.param(NOW - timedelta(days=90), NOW - timedelta(days=90), id="late"),
    pytest.param(NOW - timedelta(days=90, microseconds=1), None, id="too-late"),
    pytest.param(datetime(2026, 3, 9, 23, 0, 0, 123456, UTC), datetime(2026, 3, 9, 23, 0, 0, 123456, UTC), id="exact"),
]


@pytest.mark.parametrize(("began", "stored"), WHEN)
def test_when_it_may_have_been(cast: Cast, price, began, stored):
    (result,) = send(cast.globex, told(started_at=began.isoformat()))
    assert list(Request.objects.values_list("started_at", flat=True)) == ([] if stored is None else [stored])
    assert (result.status, result.field) == ((INVALID, "started_at") if stored is None else (ACCEPTED, ""))


def test_history_may_be_of_any_age_and_counts_once_even_when_its_keys_are_forgotten(cast: Cast, price):
    old = told(started_at="2021-05-01T10:00:00+02:00")
    assert statuses(send(cast.globex, old, is_history=True)) == [ACCEPTED]
    SentEvent.objects.all().delete()
    assert statuses(send(cast.globex, old, told("new"), is_history=True)) == [DUPLICATE, ACCEPTED]
    assert Request.objects.count() == 2
    roll_up()
    assert audit().is_equal
    assert statuses(send(cast.globex, told("x", started_at="2019-12-31T23:59:59Z"), is_history=True)) == [INVALID]


def test_keys_are_kept_for_as_long_as_their_events_are_taken(cast: Cast, price, settings):
    send(cast.globex, told("old"))
    send(cast.globex, told("new", started_at="2026-03-12T00:00:00Z"), at=NOW + timedelta(days=2))
    gone = NOW + settings.SENT_MAX_AGE + KEPT_LONGER
    assert forget_sent(at=gone) == 0
    assert forget_sent(at=gone + timedelta(seconds=1)) == 1
    assert SentEvent.objects.get().id == request_id_of(cast.acme.pk, cast.globex.pk, "new")
    assert statuses(send(cast.globex, told("old"), at=gone)) == [INVALID]  # so it could not be counted again


def test_what_cannot_be_stored_can_be_sent_again_once_it_is_mended(cast: Cast, price):
    update_customer(cast.globex, by=None, markup_percent=Decimal(99999))
    cast.globex.refresh_from_db()
    a_price(model="dear", match={"equals": "dear"}, rates={"input": "900000000"})
    dear = told("dear", model="dear", tokens={"input": 1_000_000_000})
    results = send(cast.globex, told("a"), dear, told("b"))
    assert statuses(results) == [ACCEPTED, INVALID, ACCEPTED]
    assert "cannot be stored" in results[1].reason
    assert Request.objects.count() == SentEvent.objects.count() == Batch.objects.get().rows == 2
    assert statuses(send(cast.globex, told("dear", model="dear", tokens={"input": 1}))) == [ACCEPTED]


@pytest.mark.django_db(transaction=True)
def test_ten_identical_batches_at_once_count_once(cast: Cast):
    a_price()
    events = [told(f"event-{number}") for number in range(50)]
    shuffled = [events, events[::-1]]
    batches = iter(shuffled * 5)
    outcomes = at_once(10, lambda: statuses(send(cast.globex, *next(batches))))
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    counted = Counter(status for outcome in outcomes for status in outcome)
    assert counted == {ACCEPTED: 50, DUPLICATE: 450}
    assert Request.objects.count() == 50
    assert sum(Batch.objects.values_list("rows", flat=True)) == 50
    assert roll_up() == 50
    assert audit().is_equal


def test_ids_tell_organization_customer_and_key_apart():
    one, two = UUID(int=1), UUID(int=2)
    ids = {request_id_of(o, c, key) for o in (one, two) for c in (one, two) for key in ("a", "b", "ä")}
    assert len(ids) == 12


def test_tokens_of_all_kinds_are_stored(cast: Cast, price):
    every = Tokens(*range(1, 12))
    send(cast.globex, told(tokens={kind: getattr(every, kind) for kind in every.__struct_fields__}))
    request = Request.objects.get()
    assert [getattr(request, f"{kind}_tokens") for kind in every.__struct_fields__] == list(range(1, 12))
