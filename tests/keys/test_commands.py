"""The commands as a shell sees them: standard output, exit code, and what went into the database."""

import io
import json
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core import mail
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.customers.models import Customer
from apps.keys import token
from apps.keys.models import ProviderKey
from apps.keys.vault import open_provider_key
from tests.cast import Cast, a_provider_key, a_proxy_key, reread

SECRET = "sk-canary-5f0e8d7c6b5a"


def answer_of(*arguments: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def refusal_of(*arguments: str) -> str:
    with pytest.raises(CommandError) as refusal:
        call_command(*arguments)
    assert refusal.value.returncode == 1
    return str(refusal.value)


# add_provider_key

ADD_PROVIDER_KEY = ("add_provider_key", "--organization", "acme", "--provider", "openai", "--name", "main")


def test_a_provider_key_with_the_deployments_of_an_azure_resource(cast: Cast, monkeypatch):
    monkeypatch.setenv("OUR_KEY", SECRET)
    azure = ("add_provider_key", "--organization", "acme", "--provider", "azure", "--name", "main")
    where = ("--secret-env", "OUR_KEY", "--base-url", "https://acme.openai.azure.com/")
    answer_of(*azure, *where, "--deployment", "prod-4o=gpt-4o", "--deployment", "ears=whisper-1")
    key = cast.acme.provider_keys.get()
    assert (key.base_url, key.deployments) == (
        "https://acme.openai.azure.com",
        {"prod-4o": "gpt-4o", "ears": "whisper-1"},
    )


def test_a_provider_key_from_the_environment(cast: Cast, monkeypatch):
    monkeypatch.setenv("OUR_KEY", SECRET)
    answer = answer_of(*ADD_PROVIDER_KEY, "--secret-env", "OUR_KEY")
    key = cast.acme.provider_keys.get()
    assert answer == {
        "id": str(key.pk),
        "provider": "openai",
        "name": "main",
        "base_url": "",
        "last_four": "6b5a",
    }
    assert open_provider_key(key, opened_by="test") == SECRET
    assert cast.acme.audit_events.get(action="provider_key.add").actor_label == "command line"


def test_a_provider_key_from_standard_input(cast: Cast, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}\n"))
    answer_of(*ADD_PROVIDER_KEY)
    assert open_provider_key(cast.acme.provider_keys.get(), opened_by="test") == SECRET


def test_an_environment_variable_that_is_not_set(cast: Cast):
    refusal = refusal_of(*ADD_PROVIDER_KEY, "--secret-env", "NOT_THERE")
    assert refusal == "The environment variable NOT_THERE is not set: put the secret there."


def test_an_empty_standard_input(cast: Cast, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert refusal_of(*ADD_PROVIDER_KEY) == "Standard input has no secret."


def test_a_name_that_is_taken(cast: Cast, monkeypatch):
    monkeypatch.setenv("OUR_KEY", SECRET)
    answer_of(*ADD_PROVIDER_KEY, "--secret-env", "OUR_KEY")
    assert "already exists" in refusal_of(*ADD_PROVIDER_KEY, "--secret-env", "OUR_KEY")
    assert cast.acme.provider_keys.count() == 1


def test_a_key_that_the_provider_does_not_answer_for(cast: Cast, monkeypatch):
    monkeypatch.setenv("OUR_KEY", SECRET)
    refusal = refusal_of(*ADD_PROVIDER_KEY, "--secret-env", "OUR_KEY", "--base-url", "http://127.0.0.1:1", "--check")
    assert refusal.startswith("OpenAI does not answer at http://127.0.0.1:1")
    assert not ProviderKey.objects.exists()


# add_customer


def test_a_customer_with_everything(cast: Cast, django_capture_on_commit_callbacks):
    openai, claude = a_provider_key(cast.acme), a_provider_key(cast.acme, "anthropic")
    with django_capture_on_commit_callbacks(execute=True):
        answer = answer_of(
            "add_customer", "--organization", "acme", "Umbrella Ltd", "--email", "ada@umbrella.example",
            "--requests-per-minute", "100", "--tokens-per-minute", "0", "--max-concurrent", "8",
            "--daily-cap", "25.50", "--monthly-cap", "500", "--markup", "20",
            "--provider-key", str(openai.pk), "--provider-key", str(claude.pk),
        )  # fmt: skip
    customer = cast.acme.customers.get(slug="umbrella-ltd")
    assert answer == {
        "id": str(customer.pk),
        "slug": "umbrella-ltd",
        "name": "Umbrella Ltd",
        "invitation": answer["invitation"],
    }
    assert (customer.requests_per_minute, customer.tokens_per_minute, customer.max_concurrent) == (100, 0, 8)
    assert (customer.daily_cap, customer.monthly_cap) == (Decimal("25.5"), Decimal(500))
    assert customer.markup_percent == 20
    assert {link.provider_key for link in customer.provider_key_links.all()} == {openai, claude}
    (sent,) = mail.outbox
    assert sent.to == ["ada@umbrella.example"]
    assert answer["invitation"] in sent.body


def test_a_customer_with_nothing_has_no_limits(cast: Cast):
    answer = answer_of("add_customer", "--organization", "acme", "Umbrella")
    customer = cast.acme.customers.get(pk=answer["id"])
    assert [getattr(customer, limit) for limit in Customer.LIMITS] == [None] * 8
    assert (customer.markup_percent, answer["invitation"]) == (None, None)
    assert not customer.invitations.exists()


def test_nobody_is_invited_where_nobody_shall_be(cast: Cast):
    arguments = ("add_customer", "--organization", "acme", "Umbrella", "--email", "ada@umbrella.example")
    assert answer_of(*arguments, "--no-invitation")["invitation"] is None


def test_adding_a_customer_twice_adds_it_once(cast: Cast):
    refusal = refusal_of("add_customer", "--organization", "acme", "Globex")
    assert refusal == "Acme has a customer “globex” already. Choose another name."
    assert cast.acme.customers.count() == 2


@pytest.mark.parametrize(
    "bad",
    [
        ("--daily-cap", "-1"),
        ("--daily-cap", "NaN"),
        ("--monthly-cap", "Infinity"),
        ("--monthly-cap", "0.0000000000001"),
        ("--daily-cap", "1e13"),
        ("--daily-cap", "ten"),
        ("--requests-per-minute", "-1"),
        ("--requests-per-minute", "1.5"),
        ("--requests-per-minute", "2147483648"),
        ("--markup", "-101"),
        ("--email", "nobody"),
        ("--provider-key", "1"),
        ("--provider-key", str(UUID(int=7))),
    ],
    ids=" ".join,
)
def test_bad_values_add_nothing(cast: Cast, bad):
    with pytest.raises(CommandError, match=r"."):
        call_command("add_customer", "--organization", "acme", "Umbrella", *bad)
    assert cast.acme.customers.count() == 2


def test_another_operators_provider_key_is_not_there(cast: Cast):
    foreign, unknown = a_provider_key(cast.evil_corp), uuid4()
    for key_id in (foreign.pk, unknown):
        refusal = refusal_of("add_customer", "--organization", "acme", "Umbrella", "--provider-key", str(key_id))
        assert refusal == f"Acme has no provider key {key_id}."
    assert cast.acme.customers.count() == 2


def test_two_keys_for_one_provider_add_nothing(cast: Cast):
    keys = [str(a_provider_key(cast.acme).pk) for _ in range(2)]
    refusal = refusal_of("add_customer", "--organization", "acme", "Umbrella", "--provider-key", *keys)
    assert refusal == "Choose one key for each provider."
    assert cast.acme.customers.count() == 2


# add_proxy_key, revoke_proxy_key


def test_a_proxy_key_is_printed_once(cast: Cast):
    answer = answer_of("add_proxy_key", "--organization", "acme", "--customer", "globex", "--name", "ci")
    key = cast.globex.proxy_keys.get()
    assert answer == {"id": str(key.pk), "key": answer["key"], "name": "ci", "expires_at": None}
    assert bytes(key.key_hash) == token.digest(answer["key"])


def test_a_proxy_key_expires_when_told(cast: Cast):
    answer_of(
        "add_proxy_key",
        "--organization",
        "acme",
        "--customer",
        "globex",
        "--name",
        "ci",
        "--expires-at",
        "2099-01-31",
    )
    assert cast.globex.proxy_keys.get().expires_at.isoformat() == "2099-01-31T00:00:00+00:00"


def test_another_operators_customer_is_not_there(cast: Cast):
    refusal = refusal_of("add_proxy_key", "--organization", "acme", "--customer", "shady", "--name", "ci")
    assert refusal == "Acme has no customer “shady”."


def test_an_organization_that_is_not_there(cast: Cast):
    refusal = refusal_of("add_proxy_key", "--organization", "acne", "--customer", "globex", "--name", "ci")
    assert refusal == "There is no organization “acne”."


def test_a_key_revoked_twice_is_revoked_once(cast: Cast):
    key, _ = a_proxy_key(cast.globex)
    first = answer_of("revoke_proxy_key", "--organization", "acme", str(key.pk))
    assert first["id"] == str(key.pk)
    assert answer_of("revoke_proxy_key", "--organization", "acme", str(key.pk)) == first


def test_another_operators_key_is_not_revoked(cast: Cast):
    key, _ = a_proxy_key(cast.shady)
    refusal = refusal_of("revoke_proxy_key", "--organization", "acme", str(key.pk))
    assert refusal == f"Acme has no proxy key {key.pk}."
    assert reread(key).revoked_at is None


# rotate_vault


def test_a_rotation_tells_what_it_did(cast: Cast, settings):
    a_provider_key(cast.acme)
    settings.VAULT_KEYS = f"next:{'A' * 43}=,{settings.VAULT_KEYS}"
    assert answer_of("rotate_vault") == {
        "rotated": 1,
        "data_keys": 0,
        "sealed": 0,
        "newest": "next",
        "unused": ["tests"],
    }


def test_a_rotation_that_cannot_open_a_secret_fails_loudly(cast: Cast, settings):
    key = a_provider_key(cast.acme)
    settings.VAULT_KEYS = f"next:{'A' * 43}="
    err = io.StringIO()
    with pytest.raises(CommandError, match="1 keys were not rotated, 0 were"):
        call_command("rotate_vault", stderr=err)
    assert str(key.pk) in err.getvalue()


def test_a_ring_that_makes_no_sense_is_told_of(cast: Cast, settings):
    settings.VAULT_KEYS = "nonsense"
    assert "TOLLGATE_VAULT_KEYS" in refusal_of("rotate_vault")
