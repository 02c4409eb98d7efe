"""From frames to rows: once each, and only what has a right to be there."""

import base64
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from apps.bodies.errors import BodyUnreadable
from apps.bodies.frame import DroppedFrame
from apps.bodies.keeper import Keeper
from apps.bodies.landing import land
from apps.bodies.models import DroppedBodies, StoredBodies
from apps.bodies.partitions import attached
from apps.bodies.policy import RETENTIONS
from apps.bodies.queries import bodies_of, policy_for, stock_of
from apps.bodies.services import (
    enforce_policies,
    erase_bodies,
    forget_expired,
    set_body_policy,
    set_customer_body_policy,
    view_bodies,
)
from apps.bodies.ship import BodyShipper
from apps.keys.models import DataKey
from apps.keys.sealing import make_data_key
from apps.keys.services.rotation import rotate_vault
from apps.kit.ids import uuid7
from tests.bodies.making import ANSWER, REQUEST, a_frame, a_policy, kept, stored
from tests.cast import Cast
from tests.usage.conftest import manage
from tests.used import a_request

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def count() -> int:
    return StoredBodies.objects.count()


def seen_by_olivia(cast: Cast, request) -> tuple[str | None, str | None]:
    row = bodies_of(cast.acme, request.id, at=datetime.now(UTC))
    assert row is not None
    texts = view_bodies(row, cast.globex, by=cast.olivia)
    return texts.request, texts.response


def test_what_is_stored_is_read_again_and_noted(cast: Cast):
    request = stored(cast.globex)
    assert seen_by_olivia(cast, request) == (REQUEST, ANSWER)
    (event,) = cast.acme.audit_events.filter(action="request_body.view")
    assert (event.actor_id, event.target_id, event.customer_id) == (cast.olivia.pk, str(request.id), cast.globex.pk)
    assert cast.evil_corp.audit_events.filter(action="request_body.view").count() == 0


def test_what_lands_twice_is_there_once(cast: Cast):
    frame = a_frame(a_request(cast.globex, datetime.now(UTC)), kept())
    assert land([frame, frame], at=datetime.now(UTC)) == 1
    assert land([frame], at=datetime.now(UTC)) == 0
    assert count() == 1
    assert DataKey.objects.count() == 1


def test_nothing_in_the_database_is_in_the_open(cast: Cast):
    stored(cast.globex, request="a-very-secret-sentence")
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(b::text || encode(sealed, 'escape'), '') FROM request_bodies b")
        (everything,) = cursor.fetchone()
    assert "secret-sentence" not in everything


def test_what_says_it_is_of_another_operators_customer_does_not_land(cast: Cast):
    frame = a_frame(a_request(cast.globex, datetime.now(UTC)), kept())
    frame.organization_id = cast.evil_corp.pk.bytes
    assert land([frame], at=datetime.now(UTC)) == 0
    assert (count(), DataKey.objects.count()) == (0, 0)


def test_what_is_past_its_day_or_dated_wrongly_does_not_land(cast: Cast):
    frame = a_frame(a_request(cast.globex, NOW - timedelta(days=40)), kept(policy=a_policy(days=30)))
    assert land([frame], at=NOW) == 0
    frame = a_frame(a_request(cast.globex, NOW), kept())
    frame.last_day += 10_000
    assert land([frame], at=NOW) == 0
    assert count() == 0


def test_dropped_bodies_are_counted_once(cast: Cast):
    frame = DroppedFrame(uuid7().bytes, int(NOW.timestamp()) * 1_000_000, cast.acme.pk.bytes, cast.globex.pk.bytes, 3)
    land([frame], at=NOW)
    land([frame], at=NOW)
    assert DroppedBodies.objects.get().bodies == 3
    assert stock_of(cast.acme, at=NOW).dropped == 3
    assert stock_of(cast.evil_corp, at=NOW).dropped == 0
    assert stock_of(cast.acme, at=NOW + timedelta(days=8)).dropped == 0


@pytest.mark.parametrize("days", RETENTIONS)
def test_a_body_is_there_for_its_days_and_gone_after_them(cast: Cast, days):
    request = stored(cast.globex, policy=a_policy(days=days))
    began = request.started_at.replace(hour=0, minute=0, second=0, microsecond=0)
    last = began + timedelta(days=days + 1) - timedelta(seconds=1)
    assert bodies_of(cast.acme, request.id, at=last) is not None
    assert bodies_of(cast.acme, request.id, at=last + timedelta(seconds=2)) is None
    forget_expired(at=last)
    assert count() == 1
    (table,) = forget_expired(at=last + timedelta(seconds=2))
    assert table not in attached()
    assert (count(), DataKey.objects.count()) == (0, 0)


# What a customer's policy is


def test_nothing_is_stored_by_default(cast: Cast):
    assert policy_for(cast.globex) is None


NARROWED = [  # of both, 30 days and 64 KB
    pytest.param({}, (True, True, 30, 65536, ("a",)), id="as it is"),
    pytest.param({"keeps": "requests"}, (True, False, 30, 65536, ("a",)), id="requests"),
    pytest.param({"days": 7, "most_kb": 4}, (True, True, 7, 4096, ("a",)), id="less"),
    pytest.param({"days": 90, "most_kb": 256}, (True, True, 30, 65536, ("a",)), id="never more"),
    pytest.param({"patterns": ["b", "a"]}, (True, True, 30, 65536, ("a", "b")), id="more patterns"),
    pytest.param({"keeps": "nothing"}, None, id="nothing"),
]


@pytest.mark.parametrize(("own", "expected"), NARROWED)
def test_a_customers_policy_only_narrows(cast: Cast, own, expected):
    set_body_policy(cast.acme, by=cast.olivia, keeps="both", days=30, most_kb=64, patterns=["a"])
    set_customer_body_policy(cast.globex, by=cast.olivia, **own)
    policy = policy_for(cast.acme.customers.get(pk=cast.globex.pk))
    told = policy and (
        policy.keeps_requests, policy.keeps_responses, policy.days, policy.most_bytes, policy.patterns
    )  # fmt: skip
    assert told == expected
    assert policy_for(cast.initech) is not None


def test_requests_of_answers_only_is_nothing(cast: Cast):
    set_body_policy(cast.acme, by=None, keeps="responses")
    set_customer_body_policy(cast.globex, by=None, keeps="requests")
    assert policy_for(cast.acme.customers.get(pk=cast.globex.pk)) is None


def test_a_change_is_audited_and_told_to_the_proxies(cast: Cast, heard):
    heard()
    set_body_policy(cast.acme, by=cast.olivia, keeps="both")
    set_customer_body_policy(cast.globex, by=cast.olivia, days=7)
    assert set(heard()) == {f"organization:{cast.acme.pk}", f"customer:{cast.globex.pk}"}
    (event,) = cast.acme.audit_events.filter(action="body_policy.update")
    assert event.changes == {"keeps": ["nothing", "both"]}


# Erasing


def test_what_is_erased_is_gone_at_once_and_does_not_come_back(cast: Cast):
    begun = datetime.now(UTC)
    request = a_request(cast.globex, begun)
    frame = a_frame(request, kept())
    other = stored(cast.initech)
    land([frame], at=begun)
    after = datetime.now(UTC)
    erase_bodies(cast.acme, cast.globex, by=cast.olivia, at=after)
    assert bodies_of(cast.acme, request.id, at=after) is None
    set_body_policy(cast.acme, by=None, keeps="both")
    assert enforce_policies(cast.acme.pk, at=after) == 1
    assert not DataKey.objects.filter(customer=cast.globex).exists()
    assert land([frame], at=after) == 0  # what was still on its way
    assert [row.id for row in StoredBodies.objects.all()] == [other.id]
    newer = stored(cast.globex, after + timedelta(seconds=1))
    assert bodies_of(cast.acme, newer.id, at=after) is not None


def test_an_operators_erasing_is_of_all_its_customers_and_nobody_elses(cast: Cast):
    set_body_policy(cast.acme, by=None, keeps="both")
    for customer in (cast.globex, cast.initech, cast.shady):
        stored(customer)
    at = datetime.now(UTC)
    erase_bodies(cast.acme, by=cast.olivia, at=at)
    enforce_policies(cast.acme.pk, at=at)
    assert [row.customer_id for row in StoredBodies.objects.all()] == [cast.shady.pk]


def test_what_a_new_policy_does_not_keep_is_deleted(cast: Cast):
    now = datetime.now(UTC)
    set_body_policy(cast.acme, by=None, keeps="both", days=30)
    old, new = stored(cast.globex, now - timedelta(days=9)), stored(cast.globex, now)
    stored(cast.initech, now)
    assert enforce_policies(cast.acme.pk, at=now) == 0
    set_body_policy(cast.acme, by=None, days=7)
    set_customer_body_policy(cast.initech, by=None, keeps="nothing")
    assert enforce_policies(cast.acme.pk, at=now + timedelta(seconds=1)) == 2
    assert [row.id for row in StoredBodies.objects.all()] == [new.id]
    assert old.id != new.id


# The vault's keys

OLD, NEW = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))


def test_a_rotation_wraps_the_data_keys_again_and_no_body(cast: Cast, settings):
    settings.VAULT_KEYS = f"old:{OLD}"
    requests = [stored(cast.globex) for _ in range(3)]
    sealed = {row.pk: bytes(row.sealed) for row in StoredBodies.objects.all()}
    settings.VAULT_KEYS = f"new:{NEW},old:{OLD}"
    rotation = rotate_vault()
    assert (rotation.data_keys, rotation.failed, rotation.unused) == (3, {}, ["old"])
    settings.VAULT_KEYS = f"new:{NEW}"
    assert [seen_by_olivia(cast, request) for request in requests] == [(REQUEST, ANSWER)] * 3
    assert {row.pk: bytes(row.sealed) for row in StoredBodies.objects.all()} == sealed
    assert rotate_vault().data_keys == 0


def test_what_was_spooled_before_a_rotation_lands_under_the_new_key(cast: Cast, settings):
    settings.VAULT_KEYS = f"old:{OLD}"
    request = a_request(cast.globex, datetime.now(UTC))
    frame = a_frame(request, kept())
    settings.VAULT_KEYS = f"new:{NEW},old:{OLD}"
    land([frame], at=datetime.now(UTC))
    assert DataKey.objects.get().kek_id == "new"
    assert seen_by_olivia(cast, request) == (REQUEST, ANSWER)


def test_a_data_key_that_does_not_open_is_told_of(cast: Cast, settings):
    settings.VAULT_KEYS = f"old:{OLD}"
    request = stored(cast.globex)
    settings.VAULT_KEYS = f"new:{NEW}"
    assert list(rotate_vault().failed) == [DataKey.objects.get().pk]
    with pytest.raises(BodyUnreadable, match="“old”"):
        seen_by_olivia(cast, request)
    assert cast.acme.audit_events.filter(action="request_body.view").count() == 0


# Shipping


def spooled(root: Path, cast: Cast, requests: int = 3) -> list[bytes]:
    keeper = Keeper(root, make_data_key)
    ids = []
    for _ in range(requests):
        one = kept()
        one.id, one.organization_id, one.customer_id = uuid7().bytes, cast.acme.pk.bytes, cast.globex.pk.bytes
        keeper.keep(one)
        ids.append(one.id)
    keeper.close()
    return ids


def test_a_spool_is_shipped_and_its_files_are_gone(cast: Cast, tmp_path: Path):
    ids = spooled(tmp_path, cast)
    assert BodyShipper(tmp_path).ship() == 3
    assert {row.id.bytes for row in StoredBodies.objects.all()} == set(ids)
    assert list(tmp_path.iterdir()) == []
    assert BodyShipper(tmp_path).ship() == 0


def test_what_is_cut_off_or_damaged_costs_nothing_else(cast: Cast, tmp_path: Path):
    spooled(tmp_path, cast)
    (path,) = tmp_path.rglob("*.seg")
    path.write_bytes(path.read_bytes()[:-10])
    assert BodyShipper(tmp_path).ship() == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["bodies_before_commit", "bodies_before_delete"])
def test_a_shipper_that_is_killed_loses_none_and_doubles_none(cast: Cast, tmp_path: Path, place):
    spooled(tmp_path, cast)
    killed = manage("ship", "--once", fail=f"{place}:kill:1", TOLLGATE_BODY_SPOOL=str(tmp_path))
    assert killed.returncode == -9, killed.stderr
    assert len(list(tmp_path.rglob("*.seg"))) == 1
    done = manage("ship", "--once", TOLLGATE_BODY_SPOOL=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert count() == 3
    assert list(tmp_path.iterdir()) == []
