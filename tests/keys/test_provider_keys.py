import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.accounts.models import AuditEvent
from apps.keys.errors import CannotOpen, ProviderKeyInUse, ProviderKeyRefused
from apps.keys.models import CustomerProviderKey, ProviderKey
from apps.keys.services import provider_keys as services
from apps.keys.vault import open_provider_key
from tests.cast import Cast, a_link, a_provider_key, at_once, reread

CANARY = "sk-canary-5f0e8d7c6b5a"


def opened(key: ProviderKey) -> str:
    return open_provider_key(reread(key), opened_by="test")


def events(organization, action: str) -> list[AuditEvent]:
    return list(organization.audit_events.filter(action=action).order_by("pk"))


# Adding


def test_an_added_key_is_in_the_vault_and_shows_four_characters(cast: Cast):
    key = services.add_provider_key(cast.acme, provider="openai", name=" main ", secret=f" {CANARY}\n", by=cast.olivia)
    assert opened(key) == CANARY
    assert (key.name, key.last_four, key.created_by) == ("main", "6b5a", cast.olivia)
    assert str(key) == "openai/main (…6b5a)"


def test_the_secret_is_nowhere_in_the_database(cast: Cast):
    key = a_provider_key(cast.acme, secret=CANARY)
    services.replace_provider_key(key, secret=CANARY[::-1], by=cast.olivia)
    opened(key)
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT string_agg(t::text, '') FROM \"{table}\" t")
            dump = cursor.fetchone()[0] or ""
            for secret in (CANARY, CANARY[::-1]):
                assert secret not in dump
                assert secret.encode().hex() not in dump


def test_adding_is_audited_without_the_secret(cast: Cast):
    key = a_provider_key(cast.acme, name="main", secret=CANARY)
    (event,) = events(cast.acme, "provider_key.add")
    assert event.changes == {"provider": [None, "openai"], "name": [None, "main"], "base_url": [None, ""]}
    assert (event.target_type, event.target_id, event.customer_id) == ("providerkey", str(key.pk), None)


@pytest.mark.parametrize("secret", ["short-key", "none", "x"])
def test_of_a_short_secret_nothing_is_shown(cast: Cast, secret):
    assert a_provider_key(cast.acme, secret=secret).last_four == ""


@pytest.mark.parametrize(
    "secret", ["", "  \n", "two words", "two\nlines", "a\r\nX-Injected: 1", "nul\0", "schlüssel", "x" * 4097]
)
def test_what_cannot_stand_in_a_header_is_no_secret(cast: Cast, secret):
    with pytest.raises(ProviderKeyRefused, match="one line of visible ASCII"):
        services.add_provider_key(cast.acme, provider="openai", name="main", secret=secret, by=None)
    assert not cast.acme.provider_keys.exists()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://llm.acme.example/v1", "https://llm.acme.example/v1"),
        (" http://localhost:11434/v1/ ", "http://localhost:11434/v1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_a_provider_of_ones_own_has_a_base_url(cast: Cast, given, kept):
    assert a_provider_key(cast.acme, "vllm", base_url=given).base_url == kept


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/v1",
        "file:///etc/passwd",
        "host/v1",
        "https://",
        "https:///v1",
        "https://user:pw@host/v1",
        "https://host/v1?key=1",
        "https://host/v1#top",
        "https://host:99999/v1",
        "https://host:port/v1",
        "https://[::1/v1",
        "https://ho st/v1",
        "https://h\N{CYRILLIC SMALL LETTER O}st/v1",
        "javascript:alert(1)",
    ],
)
def test_what_could_not_be_a_base_url_is_refused(cast: Cast, url):
    with pytest.raises(ProviderKeyRefused, match="looks like https://host/v1"):
        a_provider_key(cast.acme, "vllm", base_url=url)


def test_a_provider_that_nobody_knows_needs_its_base_url(cast: Cast):
    with pytest.raises(ProviderKeyRefused, match="the base URL that calls to vllm go to"):
        a_provider_key(cast.acme, "vllm")


@pytest.mark.parametrize("provider", ["", "Open AI", "-x", "../x", "x" * 41])
def test_a_provider_is_named_by_a_slug(cast: Cast, provider):
    with pytest.raises(ValidationError):
        a_provider_key(cast.acme, provider, base_url="https://host/v1")


def test_two_keys_of_a_provider_have_different_names(cast: Cast):
    a_provider_key(cast.acme, name="main")
    a_provider_key(cast.acme, "anthropic", name="main")
    a_provider_key(cast.evil_corp, name="main")
    with pytest.raises(ValidationError):
        a_provider_key(cast.acme, name="main")


# The vault, with rows that were tampered with


def test_a_secret_moved_to_another_tenants_row_does_not_open(cast: Cast):
    ours, theirs = a_provider_key(cast.acme, secret=CANARY), a_provider_key(cast.evil_corp)
    ProviderKey.objects.filter(pk=theirs.pk).update(
        ciphertext=ours.ciphertext, wrapped_key=ours.wrapped_key, kek_id=ours.kek_id
    )
    with pytest.raises(CannotOpen):
        opened(theirs)


def test_a_secret_moved_to_another_row_of_the_tenant_does_not_open(cast: Cast):
    one, other = a_provider_key(cast.acme, secret=CANARY), a_provider_key(cast.acme)
    ProviderKey.objects.filter(pk=other.pk).update(ciphertext=one.ciphertext, wrapped_key=one.wrapped_key)
    with pytest.raises(CannotOpen):
        opened(other)


def test_a_row_moved_to_another_tenant_does_not_open(cast: Cast):
    key = a_provider_key(cast.acme, secret=CANARY)
    ProviderKey.objects.filter(pk=key.pk).update(organization=cast.evil_corp)
    with pytest.raises(CannotOpen):
        opened(key)


# Opening


def test_the_first_opening_of_a_day_is_audited_and_no_other(cast: Cast, time_machine):
    key = a_provider_key(cast.acme)
    time_machine.move_to("2026-11-20T10:00Z")
    opened(key)
    opened(key)
    time_machine.move_to("2026-11-21T00:00Z")
    opened(key)
    assert [(event.actor_id, event.actor_label) for event in events(cast.acme, "provider_key.open")] == [
        (None, "test"),
        (None, "test"),
    ]


@pytest.mark.django_db(transaction=True)
def test_processes_that_open_a_key_at_once_are_audited_once(cast: Cast):
    key = a_provider_key(cast.acme, secret=CANARY)
    assert at_once(8, lambda: opened(key)) == [CANARY] * 8
    assert len(events(cast.acme, "provider_key.open")) == 1


# Replacing, disabling, deleting


def test_a_replaced_secret_is_gone(cast: Cast):
    key = a_link(cast.globex, secret=CANARY)
    before = bytes(key.ciphertext)
    services.replace_provider_key(key, secret="sk-of-next-year-1234", by=cast.olivia)
    assert opened(key) == "sk-of-next-year-1234"
    assert bytes(reread(key).ciphertext) != before
    assert cast.globex.provider_key_links.get().provider_key == key
    (event,) = events(cast.acme, "provider_key.replace")
    assert event.changes == {"last_four": ["6b5a", "1234"]}


def test_a_bad_replacement_changes_nothing(cast: Cast):
    key = a_provider_key(cast.acme, secret=CANARY)
    with pytest.raises(ProviderKeyRefused):
        services.replace_provider_key(key, secret="", by=None)
    assert opened(key) == CANARY


def test_a_disabled_key_can_be_enabled_again(cast: Cast):
    key, now = a_provider_key(cast.acme), timezone.now()
    services.disable_provider_key(key, by=cast.olivia, at=now)
    services.disable_provider_key(key, by=cast.olivia, at=timezone.now())
    assert reread(key).disabled_at == now
    assert not ProviderKey.objects.live().filter(pk=key.pk).exists()
    services.enable_provider_key(key, by=cast.olivia)
    services.enable_provider_key(key, by=cast.olivia)
    assert ProviderKey.objects.live().get(pk=key.pk) == key
    assert len(events(cast.acme, "provider_key.disable")) == len(events(cast.acme, "provider_key.enable")) == 1


def test_a_key_in_use_is_not_deleted(cast: Cast):
    key = a_link(cast.globex)
    services.assign_provider_key(cast.initech, key, by=None)
    with pytest.raises(ProviderKeyInUse, match="Globex, Initech use this key"):
        services.delete_provider_key(key, by=cast.olivia)
    assert reread(key) == key


def test_a_key_that_nobody_uses_is_deleted(cast: Cast):
    key = a_link(cast.globex)
    services.unassign_provider_key(cast.globex, "openai", by=cast.olivia)
    services.delete_provider_key(key, by=cast.olivia)
    assert not ProviderKey.objects.filter(pk=key.pk).exists()
    (event,) = events(cast.acme, "provider_key.delete")
    assert event.target_id == str(key.pk)


@pytest.mark.django_db(transaction=True)
def test_of_a_deletion_and_an_assignment_at_once_one_wins(cast: Cast):
    for number in range(10):
        key = a_provider_key(cast.acme, name=f"race {number}")
        actions = iter(
            [
                lambda key=key: services.delete_provider_key(key, by=None),
                lambda key=key: services.assign_provider_key(cast.globex, key, by=None),
            ]
        )
        at_once(2, lambda actions=actions: next(actions)())
        still_there = ProviderKey.objects.filter(pk=key.pk).exists()
        assert CustomerProviderKey.objects.filter(provider_key=key.pk).exists() == still_there


# Assigning


def test_a_customer_has_one_key_a_provider(cast: Cast):
    first, second = a_link(cast.globex), a_provider_key(cast.acme)
    claude = a_link(cast.globex, "anthropic")
    services.assign_provider_key(cast.globex, second, by=cast.olivia)
    services.assign_provider_key(cast.globex, second, by=cast.olivia)
    links = cast.globex.provider_key_links.order_by("provider")
    assert [link.provider_key for link in links] == [claude, second]
    assert not first.customer_links.exists()
    assert [event.changes["provider_key"] for event in events(cast.acme, "provider_key.assign")] == [
        [None, str(first)],
        [None, str(claude)],
        [str(first), str(second)],
    ]


def test_another_operators_key_cannot_be_assigned(cast: Cast):
    foreign = a_provider_key(cast.evil_corp)
    with pytest.raises(ProviderKeyRefused, match="There is no such provider key"):
        services.assign_provider_key(cast.globex, foreign, by=cast.olivia)
    assert not cast.globex.provider_key_links.exists()


@pytest.mark.parametrize("whose", ["acme", "evil_corp"])
def test_the_database_refuses_a_link_to_another_operators_key(cast: Cast, whose):
    foreign = a_provider_key(cast.evil_corp)
    with pytest.raises(IntegrityError), transaction.atomic():
        CustomerProviderKey.objects.create(
            organization=getattr(cast, whose), customer=cast.globex, provider="openai", provider_key=foreign
        )
        connection.check_constraints()


def test_the_database_refuses_a_link_under_another_providers_name(cast: Cast):
    key = a_provider_key(cast.acme, "anthropic")
    with pytest.raises(IntegrityError), transaction.atomic():
        CustomerProviderKey.objects.create(
            organization=cast.acme, customer=cast.globex, provider="openai", provider_key=key
        )
        connection.check_constraints()


@pytest.mark.django_db(transaction=True)
def test_assignments_at_once_leave_one_link(cast: Cast):
    keys = iter([a_provider_key(cast.acme) for _ in range(6)])
    outcomes = at_once(6, lambda: services.assign_provider_key(cast.globex, next(keys), by=None))
    assert outcomes == [None] * 6
    assert cast.globex.provider_key_links.count() == 1


# Azure's deployments

AZURE = {"provider": "azure", "name": "main", "secret": CANARY, "base_url": "https://acme.openai.azure.com"}


def test_an_azure_key_has_deployments_and_their_change_is_audited(cast: Cast):
    key = services.add_provider_key(cast.acme, **AZURE, deployments={" prod-4o ": "gpt-4o"}, by=cast.olivia)
    assert reread(key).deployments == {"prod-4o": "gpt-4o"}
    services.set_deployments(key, {"prod-4o": "gpt-4.1"}, by=cast.olivia)
    services.set_deployments(key, {"prod-4o": "gpt-4.1"}, by=cast.olivia)  # nothing changes
    assert reread(key).deployments == {"prod-4o": "gpt-4.1"}
    (event,) = events(cast.acme, "provider_key.set_deployments")
    assert event.changes == {"deployments": [{"prod-4o": "gpt-4o"}, {"prod-4o": "gpt-4.1"}]}


def test_an_azure_key_needs_the_resources_address(cast: Cast):
    with pytest.raises(ProviderKeyRefused, match="the base URL that calls to Azure OpenAI go to"):
        services.add_provider_key(cast.acme, **{**AZURE, "base_url": ""}, by=None)


@pytest.mark.parametrize("deployments", [{"": "gpt-4o"}, {"a b": "gpt-4o"}, {"a/b": "gpt-4o"}, {"a": ""}, {"a": "x y"}])
def test_what_is_no_deployment_is_refused(cast: Cast, deployments):
    with pytest.raises(ProviderKeyRefused, match="is not a deployment"):
        services.add_provider_key(cast.acme, **AZURE, deployments=deployments, by=None)


def test_only_azure_has_deployments(cast: Cast):
    with pytest.raises(ProviderKeyRefused, match="OpenAI has no deployments"):
        services.set_deployments(a_provider_key(cast.acme), {"a": "gpt-4o"}, by=None)
