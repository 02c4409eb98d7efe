from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from apps.keys import token as form
from apps.keys.api_scopes import OF_CUSTOMERS, ApiScope, in_order
from apps.keys.errors import ApiTokenRefused
from apps.keys.models import ApiToken
from apps.keys.services.api_tokens import add_api_token, note_use, revoke_api_token
from tests.cast import Cast, an_api_token, reread

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_token_has_its_own_form_and_is_never_taken_for_a_key():
    plain = form.mint(form.API_PREFIX)
    assert plain.startswith("tg_api_")
    assert len(plain) == len("tg_api_") + 39
    assert form.looks_like_api_token(plain)
    assert not form.looks_valid(plain)
    assert not form.looks_like_api_token(form.mint())
    assert not form.looks_like_api_token(plain[:-1] + ("a" if plain[-1] != "a" else "b"))


def test_a_token_is_found_by_its_digest_and_told_of_in_the_audit_log(cast: Cast):
    token, plain = add_api_token(
        cast.acme, name=" ci ", scopes=["requests:read", "usage:read", "usage:read"], by=cast.olivia, at=NOW
    )
    assert bytes(reread(token).token_hash) == form.digest(plain)
    assert (token.name, token.last_four, token.customer) == ("ci", plain[-4:], None)
    assert token.scopes == ["usage:read", "requests:read"]
    event = cast.acme.audit_events.get(action="api_token.add")
    assert (event.actor_label, event.customer_id, event.target_id) == ("olivia@example.com", None, str(token.pk))
    assert event.changes == {"name": [None, "ci"], "scopes": [None, "usage:read requests:read"]} | {
        "expires_at": [None, None]
    }


def test_the_token_in_clear_is_nowhere_in_the_database(cast: Cast):
    _, plain = an_api_token(cast.acme)
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT string_agg(t::text, '') FROM \"{table}\" t")
            assert plain[7:] not in (cursor.fetchone()[0] or "")


REFUSED = [
    pytest.param({"scopes": []}, "Choose what", id="may-nothing"),
    pytest.param({"scopes": ["usage:all"]}, "no such scope", id="unknown-scope"),
    pytest.param({"expires_at": NOW}, "expired already", id="expired"),
]


@pytest.mark.parametrize(("fields", "why"), REFUSED)
def test_what_would_be_no_use_is_not_made(cast: Cast, fields, why):
    with pytest.raises(ApiTokenRefused, match=why):
        add_api_token(cast.acme, **{"name": "ci", "scopes": ["usage:read"], "by": None, "at": NOW} | fields)
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_token_has_a_name_that_fits(cast: Cast, name):
    with pytest.raises(ValidationError):
        add_api_token(cast.acme, name=name, scopes=["usage:read"], by=None)


@pytest.mark.parametrize("scope", sorted(set(ApiScope) - OF_CUSTOMERS))
def test_a_customers_token_may_not_do_what_only_the_operator_may(cast: Cast, scope):
    with pytest.raises(ApiTokenRefused, match=scope):
        add_api_token(cast.acme, customer=cast.globex, name="ci", scopes=["usage:read", scope], by=None)


def test_the_database_refuses_a_token_of_another_tenants_customer(cast: Cast):
    token, _ = an_api_token(cast.acme)
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiToken.objects.filter(pk=token.pk).update(customer=cast.shady)
        connection.check_constraints()


def test_a_token_is_revoked_once(cast: Cast):
    token, _ = an_api_token(cast.acme, cast.globex, at=NOW)
    first = revoke_api_token(token, by=cast.olivia, at=NOW + DAY)
    assert revoke_api_token(token, by=cast.olivia, at=NOW + 2 * DAY).revoked_at == first.revoked_at == NOW + DAY
    event = cast.acme.audit_events.get(action="api_token.revoke")
    assert event.customer_id == cast.globex.pk
    assert list(ApiToken.objects.live(NOW)) == []


@pytest.mark.parametrize(("after", "is_live"), [(0, True), (1, False), (2, False)])
def test_a_token_ends_when_it_expires(cast: Cast, after, is_live):
    token, _ = an_api_token(cast.acme, at=NOW, expires_at=NOW + DAY)
    at = NOW + after * DAY
    assert token.is_live(at) is is_live
    assert ApiToken.objects.live(at).exists() is is_live


def test_use_is_noted_every_five_minutes(cast: Cast, django_assert_num_queries):
    token, _ = an_api_token(cast.acme)
    note_use(token, at=NOW)
    token = reread(token)
    assert token.last_used_at == NOW
    with django_assert_num_queries(0):
        note_use(token, at=NOW + timedelta(minutes=4))
    note_use(token, at=NOW + timedelta(minutes=5))
    assert reread(token).last_used_at == NOW + timedelta(minutes=5)


def test_scopes_are_told_in_one_order():
    assert in_order(reversed(ApiScope)) == [scope.value for scope in ApiScope]
