"""Who gets in with a token, and who doesn't."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import RequestFactory
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.accounts import audit
from apps.api.authentication import TokenAuthentication
from apps.api.permissions import HasScope
from apps.keys.models import ApiToken
from apps.keys.services.api_tokens import revoke_api_token
from tests.cast import Cast, a_proxy_key, an_api_token, reread

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture(autouse=True)
def nobody_acting():
    """As the middleware has it."""
    before = audit.acting.set(audit.COMMAND_LINE)
    yield
    audit.acting.reset(before)


def asked(authorization: str = "") -> Request:
    headers = {"authorization": authorization} if authorization else {}
    return Request(RequestFactory().get("/api/v1/users", headers=headers))


def token_of(authorization: str) -> ApiToken:
    found = TokenAuthentication().authenticate(asked(authorization))
    assert found is not None
    return found[1]


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_a_token_is_whose_it_is(cast: Cast, scheme):
    token, plain = an_api_token(cast.acme, cast.globex, name="ci")
    found = token_of(scheme + plain)
    assert (found.organization, found.customer, found.scopes) == (cast.acme, cast.globex, token.scopes)
    assert audit.acting.get() == f"API token ci (tg_api_…{plain[-4:]})"
    assert reread(token).last_used_at == NOW


def test_an_organizations_token_is_of_no_customer(cast: Cast):
    _, plain = an_api_token(cast.acme)
    assert token_of(f"Bearer {plain}").customer is None


def test_who_says_nothing_is_nobody(db):
    assert TokenAuthentication().authenticate(asked()) is None


def test_what_is_no_live_token_is_refused(cast: Cast, time_machine):
    revoked, plain = an_api_token(cast.acme)
    revoke_api_token(revoked, by=None)
    _, expired = an_api_token(cast.acme, expires_at=NOW + timedelta(hours=1))
    gone, deleted = an_api_token(cast.acme)
    gone.delete()
    time_machine.move_to(NOW + timedelta(hours=1), tick=False)
    for said in (plain, expired, deleted, a_proxy_key(cast.globex)[1], plain[:-1], "", "\x00"):
        with pytest.raises(AuthenticationFailed):
            token_of(f"Bearer {said}")
    with pytest.raises(AuthenticationFailed):
        token_of("Basic b2xpdmlhOnNlY3JldA==")


def test_a_scope_lets_do_what_it_names_and_nothing_else(cast: Cast):
    token, _ = an_api_token(cast.acme, scopes=["usage:read"])
    request = asked()
    request.auth = token
    assert HasScope("usage:read")().has_permission(request, None)
    refused = HasScope("keys:write")()
    assert not refused.has_permission(request, None)
    assert "keys:write" in refused.message
    assert not HasScope("usage:read")().has_permission(asked(), None)
    with pytest.raises(ValueError, match="usage:all"):
        HasScope("usage:all")
