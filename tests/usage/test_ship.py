"""From spools to rows: each request once, whatever is done twice or in the way."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from apps.kit.ids import uuid7
from apps.pricing.rating import Tokens
from apps.usage.models import Batch, DeadLetter, PropertyName, Request, Result, Spool
from apps.usage.record import ESTIMATED, FAILED, Attempt, encode
from apps.usage.segment import HEADER_BYTES
from apps.usage.ship import Shipper
from tests.cast import at_once
from tests.usage.conftest import NOON, a_call, an_intent, an_outcome, write_spool


def all_ids() -> set[bytes]:
    return {request_id.bytes for request_id in Request.objects.values_list("id", flat=True)}


def rewind() -> None:
    """PostgreSQL forgets how far the spools are shipped."""
    Spool.objects.update(segment=1, offset=HEADER_BYTES, keep_from=1, closed_at=None)


# Rows


def test_row_has_all_that_was_recorded(cast, root, ship):
    ids = {name: uuid7() for name in ("id", "proxy_key_id", "provider_key_id")}
    first_key = uuid7()  # that was tried before
    intent = an_intent(
        cast.globex,
        at=datetime(2026, 3, 10, 12, 0, 0, 123456, UTC),
        **{name: value.bytes for name, value in ids.items()} | {"provider_key_id": first_key.bytes},
        is_streamed=True,
        markup_percent=Decimal("12.5"),
        end_user="ann",
        properties=[("Plan", "pro"), ("Feature", "chat")],
        session_id="s-1",
        session_path="/a/b",
        session_name="Session",
        client_request_id="theirs",
        client_ip="2001:db8::1",
        alias="house-model",
        rate_rule_id=4321,
    )
    outcome = an_outcome(
        intent,
        result=FAILED,
        status=502,
        latency_ms=1234,
        first_token_ms=120,
        usage_source=ESTIMATED,
        tokens=Tokens(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
        cost=Decimal("0.000000000001"),
        price=Decimal("123.456789012345"),
        price_id=7,
        error_code="upstream",
        error_message="It is gone.",
        provider_request_id="req-1",
        units=(("web_search", 2), ("images\\odd", 1)),
        service_tier="priority",
        provider_cost=Decimal("0.0042"),
        provider_key_id=ids["provider_key_id"].bytes,
        attempts=[Attempt(first_key.bytes, 429, "rate_limit", 31), Attempt(ids["provider_key_id"].bytes, 502, "", 40)],
    )
    write_spool(root, [encode(intent), encode(outcome)])
    ship()
    assert Request.objects.values().get() == ids | {
        "started_at": datetime(2026, 3, 10, 12, 0, 0, 123456, UTC),
        "organization_id": cast.acme.pk,
        "customer_id": cast.globex.pk,
        "batch_id": Batch.objects.get().pk,
        "provider": "openai",
        "endpoint": "chat.completions",
        "model": "gpt-4o-mini",
        "model_served": "gpt-4o-mini-2024-07-18",
        "is_streamed": True,
        "result": Result.FAILED,
        "status": 502,
        "error_code": "upstream",
        "error_message": "It is gone.",
        "latency_ms": 1234,
        "first_token_ms": 120,
        "usage_source": 2,
        "input_tokens": 1,
        "cache_read_tokens": 2,
        "cache_write_5m_tokens": 3,
        "cache_write_1h_tokens": 4,
        "cache_write_tokens": 5,
        "input_audio_tokens": 6,
        "input_image_tokens": 7,
        "output_tokens": 8,
        "reasoning_tokens": 9,
        "output_audio_tokens": 10,
        "output_image_tokens": 11,
        "cost": Decimal("0.000000000001"),
        "price": Decimal("123.456789012345"),
        "price_id": 7,
        "markup_percent": Decimal("12.5000"),
        "rate_rule_id": 4321,
        "end_user": "ann",
        "properties": {"plan": "pro", "feature": "chat"},
        "session_id": "s-1",
        "session_path": "/a/b",
        "session_name": "Session",
        "client_request_id": "theirs",
        "provider_request_id": "req-1",
        "client_ip": "2001:db8::1",
        "alias": "house-model",
        "units": {"web_search": 2, "images\\odd": 1},
        "service_tier": "priority",
        "provider_cost": Decimal("0.0042"),
        "attempts": [
            {"provider_key": str(first_key), "status": 429, "error_code": "rate_limit", "took_ms": 31},
            {"provider_key": str(ids["provider_key_id"]), "status": 502, "error_code": "", "took_ms": 40},
        ],
    }


def test_row_without_what_may_be_missing(cast, root, ship):
    write_spool(root, a_call(cast.globex, outcome={"model_served": "", "cost": None, "price": None}))
    ship()
    request = Request.objects.get()
    assert request.model_served == "gpt-4o-mini"  # as asked for
    missing = ("provider_key_id", "first_token_ms", "cost", "price", "price_id", "end_user", "session_id", "client_ip")
    assert {getattr(request, name) for name in missing} == {None}
    assert request.properties == {}


def test_call_whose_process_died_is_unfinished(cast, root, ship):
    write_spool(root, [encode(an_intent(cast.globex, end_user="ann"))])
    assert ship() == 1
    request = Request.objects.get()
    assert (request.result, request.status, request.cost, request.price) == (Result.UNFINISHED, 0, None, None)
    assert (request.end_user, request.model_served, request.usage_source) == ("ann", "gpt-4o-mini", 0)


STRANGE = [
    pytest.param("tab\tnewline\nreturn\rbackslash\\", "tab\tnewline\nreturn\rbackslash\\", id="control"),
    pytest.param(r"\N", r"\N", id="null-of-copy"),
    pytest.param(r"\.", r"\.", id="end-of-copy"),
    pytest.param("nul\0nul", "nul\N{REPLACEMENT CHARACTER}nul", id="nul"),
    pytest.param("", "", id="empty"),
    pytest.param("' OR '1'='1", "' OR '1'='1", id="sql"),
    pytest.param("Ünï🦊", "Ünï🦊", id="unicode"),
    pytest.param("\u202etxt\x85\u2028", "\u202etxt\x85\u2028", id="unprintable"),
    pytest.param("x" * 512, "x" * 512, id="512-bytes"),
]


@pytest.mark.parametrize(("sent", "stored"), STRANGE)
def test_text_is_stored_as_sent(cast, root, ship, sent, stored):
    texts = ("end_user", "model", "session_id", "session_path", "session_name", "client_request_id")
    outcome = dict.fromkeys(("model_served", "error_code", "error_message", "provider_request_id"), sent)
    call = a_call(cast.globex, properties=[("Name", sent)], outcome=outcome, **dict.fromkeys(texts, sent))
    write_spool(root, call)
    assert ship() == 1
    request = Request.objects.get()
    assert {getattr(request, name) for name in (*texts, *outcome)} == {stored}
    assert request.properties == {"name": stored}
    assert not DeadLetter.objects.exists()


def test_too_long_text_is_kept_by_its_beginning_and_a_hash(cast, root, ship):
    write_spool(root, [payload for end in "ab" for payload in a_call(cast.globex, end_user="ü" * 5000 + end)])
    assert ship() == 2
    users = set(Request.objects.values_list("end_user", flat=True))
    assert len(users) == 2
    assert {user[:224] for user in users} == {"ü" * 224}
    assert {len(user.encode()) for user in users} == {448 + 3 + 32}


# Batches, positions, months


def test_spool_of_a_dead_process_is_shipped_to_its_end_and_closed(cast, root, ship):
    directory = write_spool(root, [payload for _ in range(3) for payload in a_call(cast.globex)])
    assert ship() == 3
    spool, batch = Spool.objects.get(), Batch.objects.get()
    assert spool.id.hex == directory.name
    assert spool.closed_at is not None
    assert (spool.segment, spool.offset) == (1, (directory / "00000001.seg").stat().st_size)
    assert (batch.rows, batch.first_started_at, batch.last_started_at) == (3, NOON, NOON)
    assert (batch.segment, batch.end, batch.rolled_up_at) == (1, spool.offset, None)


def test_spool_of_a_living_process_is_shipped_as_it_grows(cast, root, live_spool):
    shipper = Shipper(root)
    live_spool.write(*a_call(cast.globex))
    assert shipper.ship() == 1
    intent = an_intent(cast.globex)
    live_spool.write(encode(intent))
    assert shipper.ship() == 0
    live_spool.write(encode(an_outcome(intent)))
    assert shipper.ship() == 1
    assert Spool.objects.get().closed_at is None


def test_a_shipper_that_was_started_again_knows_what_waits(cast, root, live_spool, ship):
    intent = an_intent(cast.globex)
    live_spool.write(encode(intent), *a_call(cast.globex))
    assert ship() == 1
    live_spool.write(encode(an_outcome(intent)))
    assert ship() == 1


def test_all_segments_are_shipped_and_many_rows_are_several_batches(cast, root):
    payloads = [payload for _ in range(250) for payload in a_call(cast.globex)]
    directory = write_spool(root, payloads, segment_bytes=32 * 1024)
    assert len(list(directory.glob("*.seg"))) == 2
    assert Shipper(root, batch_rows=60).ship() == 250
    assert sum(Batch.objects.values_list("rows", flat=True)) == 250
    assert max(Batch.objects.values_list("rows", flat=True)) == 60


def test_months_that_have_no_partition_get_one(cast, root, ship):
    times = [datetime(2024, 2, 29, 23, 59, 59, 999999, UTC), datetime(2024, 3, 1, tzinfo=UTC), NOON]
    write_spool(root, [payload for at in times for payload in a_call(cast.globex, at=at)])
    assert ship() == 3
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM usage_request ORDER BY started_at")
        tables = [name for (name,) in cursor.fetchall()]
    assert tables == ["usage_request_2024_02", "usage_request_2024_03", "usage_request_2026_03"]


def test_partition_that_was_taken_away_is_made_again(cast, root, live_spool):
    shipper = Shipper(root)
    live_spool.write(*a_call(cast.globex))
    shipper.ship()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE usage_request_2026_03")
    live_spool.write(*a_call(cast.globex))
    assert shipper.ship() == 1


def test_names_of_properties_are_labelled_as_first_seen(cast, root, ship):
    names = [(cast.globex, "Plan"), (cast.initech, "PLAN"), (cast.shady, "plan"), (cast.globex, "Feature")]
    calls = [a_call(customer, properties=[(name, "x")]) for customer, name in names]
    for written in (calls[:3], calls[3:], calls):
        write_spool(root, [payload for call in written for payload in call])
        ship()
    assert set(PropertyName.objects.values_list("organization__name", "name", "label")) == {
        ("Acme", "plan", "Plan"),
        ("Acme", "feature", "Feature"),
        ("Evil Corp", "plan", "plan"),
    }


# Twice


def test_spools_shipped_again_ten_times_change_nothing(cast, root, ship):
    for customer in (cast.globex, cast.shady):
        write_spool(root, [payload for _ in range(20) for payload in a_call(customer)] + [encode(an_intent(customer))])
    assert ship() == 42
    rows, batches = set(Request.objects.values_list("pk", "batch_id")), set(Batch.objects.values_list())
    for _ in range(10):
        rewind()
        assert ship() == 0
    assert (set(Request.objects.values_list("pk", "batch_id")), set(Batch.objects.values_list())) == (rows, batches)


def test_what_a_restored_database_lacks_is_shipped_again(cast, root, live_spool, ship):
    """As from a backup: rows, batches and positions of one time, all of them."""
    waiting = an_intent(cast.globex)
    live_spool.write(encode(waiting), *a_call(cast.globex))
    ship()
    backup = Spool.objects.values().get()
    for _ in range(100):
        live_spool.write(*a_call(cast.globex))
    live_spool.write(encode(an_outcome(waiting)))
    ship()
    everything = all_ids()

    old = Batch.objects.order_by("pk").first()
    Request.objects.exclude(batch_id=old.pk).delete()
    Batch.objects.exclude(pk=old.pk).delete()
    Spool.objects.update(**backup)
    assert ship() == 101
    assert all_ids() == everything


def test_rows_that_are_missing_in_the_middle_come_in_a_batch_of_their_own(cast, root, ship):
    write_spool(root, [payload for _ in range(20) for payload in a_call(cast.globex)])
    ship()
    everything = all_ids()
    for request in Request.objects.all()[5:8]:
        request.delete()
    rewind()
    assert ship() == 3
    assert all_ids() == everything
    assert list(Batch.objects.order_by("pk").values_list("rows", flat=True)) == [20, 3]


@pytest.mark.django_db(transaction=True)
def test_four_shippers_at_once_ship_each_request_once(cast, root):
    for _ in range(6):
        write_spool(root, [payload for _ in range(50) for payload in a_call(cast.globex)])
    outcomes = at_once(4, lambda: Shipper(root, batch_rows=10).ship())
    while (more := Shipper(root).ship()) > 0:  # what each left to the others
        outcomes.append(more)
    assert sum(outcomes) == Request.objects.count() == 300
    assert sum(Batch.objects.values_list("rows", flat=True)) == 300


def test_shipper_that_was_overtaken_begins_anew(cast, root, live_spool):
    slow, fast = Shipper(root), Shipper(root)
    live_spool.write(*a_call(cast.globex))
    slow.ship()
    live_spool.write(*a_call(cast.globex))
    assert fast.ship() == 1
    live_spool.write(*a_call(cast.globex))
    assert [slow.ship(), slow.ship()] == [0, 1]
    assert Request.objects.count() == 3


# Poison

YEAR_3000 = datetime(3000, 1, 1, tzinfo=UTC)
POISON = [
    pytest.param({"at": YEAR_3000}, "It says that it began", id="year-3000"),
    pytest.param({"at": datetime(2019, 12, 31, tzinfo=UTC)}, "It says that it began", id="long-ago"),
    pytest.param({"started_at_us": 2**62}, "It says that it began", id="after-all-years"),
    pytest.param({"started_at_us": -(2**62)}, "It says that it began", id="before-all-years"),
    pytest.param({"started_at_us": -1}, "It says that it began", id="before-1970"),
    pytest.param({"organization_id": bytes(16)}, "There is no such organization.", id="unknown-tenant"),
    pytest.param({"organization_id": b"x"}, "There is no such organization.", id="tenant-of-one-byte"),
    pytest.param({"customer_id": b"x"}, "invalid input syntax for type uuid", id="customer-of-one-byte"),
    pytest.param({"outcome": {"cost": Decimal("NaN")}}, "request_amounts_in_range", id="cost-is-nan"),
    pytest.param({"outcome": {"price": Decimal(-1)}}, "request_amounts_in_range", id="negative-price"),
    pytest.param({"outcome": {"price": Decimal("1000000.01")}}, "request_amounts_in_range", id="dearest"),
    pytest.param({"outcome": {"tokens": Tokens(output=10**12 + 1)}}, "request_tokens_in_range", id="most-tokens"),
    pytest.param({"outcome": {"cost": Decimal("1e30")}}, "numeric field overflow", id="cost-too-large"),
    pytest.param({"outcome": {"tokens": Tokens(output=-1)}}, "request_tokens_in_range", id="negative-tokens"),
    pytest.param({"outcome": {"tokens": Tokens(input=2**63)}}, "out of range for type bigint", id="too-many-tokens"),
    pytest.param({"outcome": {"latency_ms": 2**31}}, "out of range for type integer", id="too-late"),
]


@pytest.mark.parametrize(("bad", "reason"), POISON)
def test_poison_is_a_dead_letter_and_all_the_others_land(cast, root, ship, bad, reason):
    good = [a_call(cast.globex) for _ in range(40)]
    poison = a_call(cast.globex, **bad)
    write_spool(root, [payload for call in [*good[:13], poison, *good[13:]] for payload in call])
    assert ship() == 40
    letter = DeadLetter.objects.get()
    assert reason in letter.reason
    assert bytes(letter.frame) == b"".join(poison)
    assert letter.spool_id == Spool.objects.get().id
    rewind()
    assert ship() == 0
    assert DeadLetter.objects.count() == 1


def test_poison_in_ten_thousand_takes_one_cycle(cast, root, ship):
    calls = [a_call(cast.globex) for _ in range(9_999)]
    calls.insert(5_000, a_call(cast.globex, outcome={"cost": Decimal("NaN")}))
    write_spool(root, [payload for call in calls for payload in call])
    assert ship() == 9_999
    assert DeadLetter.objects.count() == 1


def test_record_that_cannot_be_read_is_a_dead_letter_and_all_the_others_land(cast, root, ship):
    bad = a_call(cast.globex)[0].replace(b"gpt-4o-mini", b"gpt-4o-\xff\xffni")
    write_spool(root, [*a_call(cast.globex), bad, b"\xc1", *a_call(cast.globex)])
    assert ship() == 2
    assert sorted(bytes(letter.frame) for letter in DeadLetter.objects.all()) == sorted([bad, b"\xc1"])


def test_clock_that_is_a_day_off_is_believed(cast, root, ship):
    now = datetime.now(UTC)
    times = [now - timedelta(days=1), now + timedelta(days=1)]
    write_spool(root, [payload for at in times for payload in a_call(cast.globex, at=at)])
    assert ship() == 2
    assert sorted(Request.objects.values_list("started_at", flat=True)) == times


@pytest.mark.django_db(transaction=True)  # the database says so at the commit
def test_organization_that_was_deleted_since_is_known_to_be_gone(cast, root, live_spool):
    shipper = Shipper(root)
    live_spool.write(*a_call(cast.shady))
    shipper.ship()
    cast.evil_corp.delete()
    live_spool.write(*a_call(cast.shady, properties=[("New", "x")]), *a_call(cast.globex))
    assert shipper.ship() == 1
    assert DeadLetter.objects.get().reason == "There is no such organization."


def test_spool_that_cannot_be_read_holds_up_no_other(cast, root, ship, caplog):
    broken = write_spool(root, a_call(cast.globex))
    (broken / "00000001.seg").unlink()
    (broken / "00000001.seg").mkdir()
    write_spool(root, a_call(cast.globex))
    shipper = Shipper(root)
    assert [shipper.ship(), shipper.ship()] == [1, 0]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_folder_that_is_no_spool_is_left_alone(cast, root, ship):
    for name in ("lost+found", "not-a-uuid", "0" * 31):
        (root / name).mkdir(parents=True)
    assert ship() == 0
    assert not Spool.objects.exists()


def test_no_spools_at_all_is_nothing_to_ship(db, root, ship):
    assert ship() == 0
