"""Hours are the sums of their requests, counted once, whoever counts and however often they die."""

import signal
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from django.db import DataError, connection, transaction

from apps.accounts.models import Organization, time_zones
from apps.pricing.rating import Tokens
from apps.usage import rollup
from apps.usage.audit import audit
from apps.usage.models import (
    Batch,
    DailyCustomer,
    DailyModel,
    DailyPropertyUsage,
    DailyTotal,
    DailyUsage,
    HourlyPropertyUsage,
    HourlyUsage,
    Request,
)
from apps.usage.record import CANCELLED, ESTIMATED, FAILED, NONE, REFUSED, SERVED, encode
from apps.usage.rollup import roll_up
from apps.usage.ship import Shipper
from tests.cast import a_proxy_key, at_once, reread
from tests.usage.conftest import NOON, a_call, an_intent, manage, write_spool

MEASURES = {
    "requests": 1,
    "refused": 0,
    "failed": 0,
    "client_errors": 0,
    "rate_limited": 0,
    "server_errors": 0,
    "cancelled": 0,
    "unfinished": 0,
    "streamed": 0,
    "unpriced": 0,
    "estimated": 0,
    "input_tokens": 1000,
    "cache_read_tokens": 200,
    "cache_write_5m_tokens": 0,
    "cache_write_1h_tokens": 0,
    "cache_write_tokens": 0,
    "input_audio_tokens": 0,
    "input_image_tokens": 0,
    "output_tokens": 300,
    "reasoning_tokens": 0,
    "output_audio_tokens": 0,
    "output_image_tokens": 0,
    "cost": Decimal("0.000345"),
    "price": Decimal("0.000414"),
    "latency_ms": 800,
    "first_token_ms": 0,
    "first_tokens": 0,
    "first_at": NOON,
    "last_at": NOON,
}
OF_DAYS = (DailyUsage, DailyTotal, DailyCustomer, DailyModel, DailyPropertyUsage)
NOTHING = {"input_tokens": 0, "cache_read_tokens": 0, "output_tokens": 0, "cost": 0, "price": 0, "latency_ms": 0}
NO_USE = {"usage_source": NONE, "tokens": Tokens(), "cost": Decimal(0), "price": Decimal(0)}
BROKEN = {"failed": 1, "server_errors": 1}
UNKNOWN = {"cost": None, "price": None}

COUNTED = [  # how a call ended, and what is other than for a served one
    pytest.param({}, {}, id="served"),
    pytest.param({"first_token_ms": 90}, {"first_token_ms": 90, "first_tokens": 1}, id="first-token"),
    pytest.param({"first_token_ms": 0}, {"first_tokens": 1}, id="first-token-at-once"),
    pytest.param({"result": FAILED, "status": 500, **NO_USE}, {**NOTHING, **BROKEN, "latency_ms": 800}, id="failed"),
    pytest.param({"result": FAILED}, BROKEN, id="failed-and-charged"),
    pytest.param({"result": FAILED, "status": 429}, {"failed": 1, "rate_limited": 1}, id="provider-429"),
    pytest.param({"result": FAILED, "status": 400}, {"failed": 1, "client_errors": 1}, id="provider-400"),
    pytest.param({"result": FAILED, "status": 499}, {"failed": 1, "client_errors": 1}, id="provider-499"),
    pytest.param({"result": FAILED, "status": 399}, BROKEN, id="neither-4xx-nor-5xx"),
    pytest.param({"result": FAILED, "status": 0}, BROKEN, id="unreachable"),
    pytest.param({"result": REFUSED, "status": 429, **NO_USE}, {**NOTHING, "refused": 1}, id="our-429"),
    pytest.param({"result": CANCELLED, "status": 499}, {"cancelled": 1}, id="client-gone"),
    pytest.param({"result": CANCELLED}, {"cancelled": 1}, id="cancelled"),
    pytest.param({"result": REFUSED, "first_token_ms": 3, **NO_USE}, {**NOTHING, "refused": 1}, id="refused"),
    pytest.param({"usage_source": ESTIMATED}, {"estimated": 1}, id="estimated"),
    pytest.param(UNKNOWN, {"unpriced": 1, "cost": 0, "price": 0}, id="unpriced"),
    pytest.param({**NO_USE, **UNKNOWN}, {**NOTHING, "unpriced": 1, "latency_ms": 800}, id="unpriced-without-usage"),
]


def measures(row: object) -> dict[str, object]:
    return {name: getattr(row, name) for name in MEASURES}


@pytest.mark.parametrize(("outcome", "differences"), COUNTED)
def test_what_counts_where(cast, root, ship, outcome, differences):
    write_spool(root, a_call(cast.globex, outcome=outcome, properties=[("Plan", "pro")]))
    ship()
    assert roll_up() == 1
    for model in (HourlyUsage, HourlyPropertyUsage, *OF_DAYS):
        assert measures(model.objects.get()) == MEASURES | differences


def test_streamed_requests_are_counted_unless_refused(cast, root, ship):
    for result in (SERVED, REFUSED):
        write_spool(root, a_call(cast.globex, is_streamed=True, outcome={"result": result}))
    ship()
    roll_up()
    assert HourlyUsage.objects.get().streamed == 1


def test_unfinished_requests_are_counted_and_left_out_of_latency(cast, root, ship):
    write_spool(root, [encode(an_intent(cast.globex, model="gpt-4o-mini-2024-07-18")), *a_call(cast.globex)])
    ship()
    roll_up()
    hour = HourlyUsage.objects.get()
    assert (hour.requests, hour.unfinished, hour.unpriced, hour.latency_ms) == (2, 1, 0, 800)


def test_every_token_kind_is_summed(cast, root, ship):
    tokens = Tokens(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
    write_spool(root, [payload for _ in range(3) for payload in a_call(cast.globex, outcome={"tokens": tokens})])
    ship()
    roll_up()
    hour = HourlyUsage.objects.values().get()
    assert [value for name, value in hour.items() if name.endswith("_tokens") and name != "first_tokens"] == [
        3 * count for count in range(1, 12)
    ]


def test_hours_are_told_apart_by_all_their_keys(cast, root, ship):
    customers = (cast.globex, cast.initech, cast.shady)
    others = (
        {"proxy_key_id": cast.initech.pk.bytes},
        {"provider": "azure"},
        {"outcome": {"model_served": "other"}},
        {"end_user": "ann"},
        {"end_user": "Ann"},
        {"end_user": ""},
        {"at": NOON - timedelta(microseconds=1)},
    )
    for _ in range(2):
        calls = [*map(a_call, customers), *(a_call(cast.globex, **other) for other in others)]
        write_spool(root, [payload for call in calls for payload in call])
        ship()
        roll_up()
    assert list(HourlyUsage.objects.values_list("requests", flat=True)) == [2] * 10


def test_property_hours_have_each_property_of_a_request(cast, root, ship):
    write_spool(root, a_call(cast.globex, properties=[("Plan", "pro"), ("feature", "chat")]))
    write_spool(root, a_call(cast.globex, properties=[("PLAN", "pro")]))
    write_spool(root, a_call(cast.globex))
    ship()
    roll_up()
    hours = HourlyPropertyUsage.objects.values_list("name", "value", "requests")
    assert set(hours) == {("plan", "pro", 2), ("feature", "chat", 1)}


def test_first_and_last_request_of_the_hour(cast, root, ship):
    for minute in (30, 59, 10):
        write_spool(root, a_call(cast.globex, at=NOON.replace(minute=minute)))
        ship()
        roll_up()
    hour = HourlyUsage.objects.get()
    assert (hour.first_at.minute, hour.last_at.minute) == (10, 59)


def test_late_and_reordered_requests_land_in_their_own_hour(cast, root, ship):
    times = [NOON + timedelta(hours=number) for number in (0, 30, -24, 5, 0, -24 * 40)]
    for at in times:
        write_spool(root, a_call(cast.globex, at=at))
        ship()
        roll_up()
    hours = HourlyUsage.objects.values_list("hour", "requests")
    assert dict(hours) == {at: times.count(at) for at in times}
    assert audit().is_equal


def test_last_use_of_a_key_is_its_latest_request(cast, root, ship):
    (used, _), (unused, _) = a_proxy_key(cast.globex), a_proxy_key(cast.globex)
    for at in (NOON, NOON - timedelta(days=1)):
        write_spool(root, a_call(cast.globex, at=at, proxy_key_id=used.pk.bytes))
        ship()
        roll_up()
        assert reread(used).last_used_at == NOON
    assert reread(unused).last_used_at is None


def test_requests_of_an_organization_that_is_gone_hold_nothing_up(cast, root, ship):
    write_spool(root, a_call(cast.globex) + a_call(cast.shady))
    ship()
    cast.evil_corp.delete()
    assert roll_up() == 2
    assert HourlyUsage.objects.get().organization_id == cast.acme.pk
    assert audit().is_equal


def test_rolled_up_batches_are_not_rolled_up_again(cast, root, ship):
    write_spool(root, a_call(cast.globex))
    ship()
    assert [roll_up(), roll_up()] == [1, 0]
    assert Batch.objects.get().rolled_up_at is not None


def test_roll_up_ends_when_its_time_is_over(cast, root, ship):
    write_spool(root, a_call(cast.globex))
    ship()
    assert roll_up(within=timedelta(0)) == 0


def test_batch_that_cannot_be_added_holds_up_no_other(cast, root):
    calls = [a_call(cast.globex, at=NOON + number * timedelta(hours=1)) for number in range(6)]
    write_spool(root, [payload for call in calls for payload in call])
    Shipper(root, batch_rows=1).ship()
    full = Request.objects.get(started_at=NOON + timedelta(hours=2))
    keys = {name: getattr(full, name) for name in ("organization_id", "customer_id", "proxy_key_id", "provider")}
    hour = HourlyUsage.objects.create(
        hour=full.started_at,
        model=full.model_served,
        sold_as=full.model_served,
        requests=2**63 - 1,
        first_at=NOON,
        last_at=NOON,
        **keys,
    )
    assert roll_up() == 5
    assert Batch.objects.get(rolled_up_at=None).pk == full.batch_id
    hour.delete()
    assert roll_up() == 1
    assert audit().is_equal


# Many at once, and killed


def varied_calls(cast, number: int, *, seed: int = 1) -> Iterator[bytes]:
    """Calls that differ in all that hours are told apart by, and share hours all the same."""
    chance = Random(seed)
    for _ in range(number):
        tokens = Tokens(*(chance.randrange(1000) for _ in range(11)))
        amounts = [Decimal(chance.randrange(10**12)).scaleb(-12) for _ in range(2)]
        yield from a_call(
            chance.choice((cast.globex, cast.initech, cast.shady)),
            at=NOON + timedelta(seconds=chance.randrange(3 * 3600)),
            end_user=chance.choice((None, "ann", "bob")),
            properties=chance.choice(([], [("Plan", "pro")], [("Plan", "free"), ("Team", "x")])),
            outcome={"tokens": tokens, "cost": amounts[0], "price": amounts[1], "latency_ms": chance.randrange(9000)},
        )


@pytest.fixture
def many_batches(cast, root) -> None:
    """300 requests in 60 batches that share their hours."""
    write_spool(root, varied_calls(cast, 300))
    Shipper(root, batch_rows=5).ship()
    assert Batch.objects.count() == 60


@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once_count_each_request_once(many_batches, monkeypatch):
    monkeypatch.setattr(rollup, "MOST_BATCHES", 2)
    counted = at_once(4, roll_up)
    assert sum(counted) == Request.objects.count() == 300
    assert audit().is_equal
    assert not Batch.objects.filter(rolled_up_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_eight_workers_at_once_meet_no_deadlock(cast, root, monkeypatch):
    monkeypatch.setattr(rollup, "MOST_BATCHES", 1)
    for seed in range(5):
        write_spool(root, varied_calls(cast, 200, seed=seed))
        Shipper(root, batch_rows=5).ship()
        assert sum(at_once(8, roll_up)) == 200
    assert deadlocks() == 0
    assert audit().is_equal


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["rollup_after_claim", "rollup_before_commit"])
def test_worker_killed_anywhere_leaves_hours_exact(many_batches, root, place):
    killed = manage("rollup", fail=f"{place}:kill:2", TOLLGATE_SPOOL=str(root))
    assert killed.returncode == -signal.SIGKILL
    assert audit().is_equal
    assert (audit().requests, audit().waiting) == (300, 50)
    assert roll_up() == 50
    assert audit().is_equal
    assert sum(HourlyUsage.objects.values_list("requests", flat=True)) == 300


# Zones


def test_every_zone_that_an_organization_may_have_has_hours(db):
    with connection.cursor() as cursor:
        zones = list(time_zones())
        cursor.execute("SELECT count(date_trunc('hour', now(), zone)) FROM unnest(%s::text[]) AS zone", [zones])
        assert cursor.fetchone() == (len(zones),)


@pytest.mark.parametrize("zone", ["localtime", "Mars/Base", ""])
def test_a_zone_that_would_stop_the_roll_up_of_all_is_not_stored(cast, zone):
    with pytest.raises(DataError), transaction.atomic():
        Organization.objects.filter(pk=cast.acme.pk).update(time_zone=zone)
