from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from apps.keys import token
from apps.keys.errors import ProxyKeyRefused
from apps.keys.models import ProxyKey
from apps.keys.services.proxy_keys import mint_proxy_key, revoke_proxy_key, rotate_proxy_key
from tests.cast import Cast, a_proxy_key, at_once, reread

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def actions(cast: Cast) -> list[str]:
    events = cast.acme.audit_events.filter(action__startswith="proxy_key", customer_id=cast.globex.pk)
    return list(events.order_by("pk").values_list("action", flat=True))


# Minting


def test_a_minted_key_is_found_by_its_digest(cast: Cast):
    key, plain = mint_proxy_key(cast.globex, name=" ci ", by=cast.gina, at=NOW)
    assert token.looks_valid(plain)
    assert bytes(reread(key).key_hash) == token.digest(plain)
    assert (key.name, key.last_four, key.created_by) == ("ci", plain[-4:], cast.gina)
    assert (key.organization, key.customer, key.created_at) == (cast.acme, cast.globex, NOW)
    assert str(key) == f"ci (tg_live_…{plain[-4:]})"


def test_the_key_in_clear_is_nowhere_in_the_database(cast: Cast):
    key, plain = a_proxy_key(cast.globex)
    _, rotated = rotate_proxy_key(key, overlap=HOUR, by=cast.gina)
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT string_agg(t::text, '') FROM \"{table}\" t")
            dump = cursor.fetchone()[0] or ""
            assert plain[8:] not in dump
            assert rotated[8:] not in dump


def test_the_audit_log_tells_who_minted_what_until_when(cast: Cast):
    key, _ = mint_proxy_key(cast.globex, name="ci", by=cast.gina, expires_at=NOW + DAY, at=NOW)
    event = cast.acme.audit_events.get(action="proxy_key.add")
    assert (event.actor_id, event.actor_label) == (cast.gina.pk, "gina@example.com")
    assert (event.customer_id, event.target_id) == (cast.globex.pk, str(key.pk))
    assert event.changes == {"name": [None, "ci"], "expires_at": [None, "2026-11-21T12:00:00Z"]}


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_key_has_a_name_that_fits(cast: Cast, name):
    with pytest.raises(ValidationError):
        mint_proxy_key(cast.globex, name=name, by=None)
    assert not cast.globex.proxy_keys.exists()


@pytest.mark.parametrize("expires_at", [NOW, NOW - DAY])
def test_a_key_does_not_expire_before_it_is_made(cast: Cast, expires_at):
    with pytest.raises(ProxyKeyRefused, match="expired already"):
        mint_proxy_key(cast.globex, name="ci", by=None, expires_at=expires_at, at=NOW)


def test_the_database_refuses_a_key_of_another_tenants_customer(cast: Cast):
    key, _ = a_proxy_key(cast.globex)
    with pytest.raises(IntegrityError), transaction.atomic():
        ProxyKey.objects.filter(pk=key.pk).update(customer=cast.shady)
        connection.check_constraints()


# Life


@pytest.mark.parametrize(
    ("revoked", "expires", "is_live"),
    [
        (None, None, True),
        (None, timedelta(microseconds=1), True),
        (None, timedelta(0), False),
        (timedelta(microseconds=1), None, True),
        (timedelta(0), None, False),
        (-DAY, DAY, False),
        (DAY, -HOUR, False),
    ],
)
def test_a_key_lives_until_the_first_of_its_ends(cast: Cast, revoked, expires, is_live):
    key, _ = mint_proxy_key(cast.globex, name="ci", by=None, at=NOW - 2 * DAY)
    key.revoked_at = None if revoked is None else NOW + revoked
    key.expires_at = None if expires is None else NOW + expires
    key.save()
    assert key.is_live(NOW) is is_live
    assert ProxyKey.objects.live(NOW).filter(pk=key.pk).exists() is is_live


# Revoking


def test_a_revoked_key_stays_revoked_from_then_on(cast: Cast):
    key, _ = mint_proxy_key(cast.globex, name="ci", by=None, at=NOW)
    revoke_proxy_key(key, by=cast.gina, at=NOW + HOUR)
    revoke_proxy_key(key, by=cast.gina, at=NOW + DAY)
    assert reread(key).revoked_at == NOW + HOUR
    assert actions(cast) == ["proxy_key.add", "proxy_key.revoke"]


@pytest.mark.django_db(transaction=True)
def test_revocations_at_once_are_one(cast: Cast):
    key, _ = a_proxy_key(cast.globex)
    at_once(6, lambda: revoke_proxy_key(key, by=cast.gina))
    assert actions(cast) == ["proxy_key.add", "proxy_key.revoke"]


# Rotating


def test_the_old_key_is_good_for_the_overlap(cast: Cast):
    key, plain = mint_proxy_key(cast.globex, name="ci", by=None, expires_at=NOW + 9 * DAY, at=NOW)
    new, new_plain = rotate_proxy_key(key, overlap=DAY, by=cast.gina, at=NOW + HOUR)
    old = reread(key)
    assert (old.revoked_at, old.replaced_by) == (NOW + HOUR + DAY, new)
    assert old.is_live(NOW + HOUR + DAY - timedelta(microseconds=1))
    assert not old.is_live(NOW + HOUR + DAY)
    assert (new.name, new.expires_at, new.customer) == ("ci", NOW + 9 * DAY, cast.globex)
    assert new_plain != plain
    assert bytes(new.key_hash) == token.digest(new_plain)
    assert actions(cast) == ["proxy_key.add", "proxy_key.add", "proxy_key.rotate"]


def test_without_overlap_the_old_key_is_over_at_once(cast: Cast):
    key, _ = mint_proxy_key(cast.globex, name="ci", by=None, at=NOW)
    rotate_proxy_key(key, overlap=timedelta(0), by=None, at=NOW + HOUR)
    assert not reread(key).is_live(NOW + HOUR)


def test_a_replaced_key_can_be_revoked_before_its_time(cast: Cast):
    key, _ = mint_proxy_key(cast.globex, name="ci", by=None, at=NOW)
    rotate_proxy_key(key, overlap=DAY, by=None, at=NOW)
    revoke_proxy_key(key, by=None, at=NOW + HOUR)
    assert reread(key).revoked_at == NOW + HOUR


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=91)])
def test_an_overlap_has_bounds(cast: Cast, overlap):
    key, _ = a_proxy_key(cast.globex)
    with pytest.raises(ProxyKeyRefused, match="up to 90 days"):
        rotate_proxy_key(key, overlap=overlap, by=None)
    assert cast.globex.proxy_keys.count() == 1


def test_a_key_that_is_over_is_not_rotated(cast: Cast):
    key, _ = a_proxy_key(cast.globex)
    revoke_proxy_key(key, by=None)
    with pytest.raises(ProxyKeyRefused, match="is over"):
        rotate_proxy_key(key, overlap=DAY, by=None)
    assert cast.globex.proxy_keys.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_rotations_at_once_one_makes_a_key(cast: Cast):
    key, _ = a_proxy_key(cast.globex)
    outcomes = at_once(6, lambda: rotate_proxy_key(key, overlap=DAY, by=None))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ProxyKeyRefused"] * 5 + ["tuple"]
    assert cast.globex.proxy_keys.count() == 2
