"""Pages for API tokens: the customer's own, and the operator's with those of its customers."""

import re

from django.test import Client

from apps.customers.models import CustomerRole
from apps.keys import token as form
from tests.cast import Cast, a_customer_member, an_api_token, reread
from tests.pages import rows_of, text_of

PORTAL, CONSOLE = "/portal/api-tokens/", "/console/api-tokens/"


def plain_in(answer) -> str:
    return re.search(r"tg_api_[0-9A-Za-z]{39}", answer.content.decode()).group()


def test_a_new_token_is_shown_once(client: Client, cast: Cast):
    client.force_login(cast.gina)
    assert "No tokens yet" in text_of(client.get(PORTAL))
    answer = client.post(PORTAL, {"name": "ci", "days": "30", "scopes": ["usage:read", "keys:write"]})
    token = cast.globex.api_tokens.get()
    assert form.digest(plain_in(answer)) == bytes(token.token_hash)
    assert (token.organization, token.created_by, token.scopes) == (cast.acme, cast.gina, ["usage:read", "keys:write"])
    assert (token.expires_at - token.created_at).days == 30
    assert plain_in(answer) not in client.get(PORTAL).content.decode()
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_customer_makes_no_token_of_operators(client: Client, cast: Cast):
    client.force_login(cast.gina)
    for wrong in (["customers:write"], ["usage:all"], []):
        answer = client.post(PORTAL, {"name": "ci", "days": "", "scopes": wrong})
        assert answer.status_code == 200
    assert not cast.globex.api_tokens.exists()


def test_only_admins_have_the_page(client: Client, cast: Cast):
    client.force_login(a_customer_member(cast.globex, CustomerRole.DEVELOPER).user)
    assert client.get(PORTAL).status_code == 403


def test_the_operator_makes_tokens_for_itself_and_for_its_customers(client: Client, cast: Cast):
    client.force_login(cast.olivia)
    client.post(CONSOLE, {"name": "all", "days": "", "scopes": ["audit:read"], "customer": ""})
    client.post(CONSOLE, {"name": "theirs", "days": "", "scopes": ["usage:read"], "customer": cast.globex.pk})
    assert {token.name: token.customer for token in cast.acme.api_tokens.all()} == {"all": None, "theirs": cast.globex}
    refused = client.post(CONSOLE, {"name": "x", "days": "", "scopes": ["audit:read"], "customer": cast.globex.pk})
    assert "A customer's token cannot have audit:read." in text_of(refused).replace("\u2019", "'")
    client.post(CONSOLE, {"name": "x", "days": "", "scopes": ["usage:read"], "customer": cast.shady.pk})
    assert cast.acme.api_tokens.count() == 2
    assert not cast.evil_corp.api_tokens.exists()
    _, *rows = rows_of(client.get(CONSOLE))
    assert ["Globex" in row for row in rows] == [True, False]


def test_a_token_is_revoked_for_good(client: Client, cast: Cast):
    token, _ = an_api_token(cast.acme, cast.globex, name="ci")
    client.force_login(cast.gina)
    answer = client.post(f"{PORTAL}{token.pk}/revoke/", follow=True)
    assert "refused from now on" in text_of(answer)
    assert "Revoked" in rows_of(answer)[1]
    assert reread(token).revoked_at is not None
    client.force_login(cast.olivia)
    assert "Revoke" not in rows_of(client.get(CONSOLE))[1].replace("Revoked", "")
