import base64
import io

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from apps.keys.models import ProviderKey
from tests.cast import Cast, a_provider_key


def warnings_of(*arguments: str) -> str:
    err = io.StringIO()
    call_command("check", *arguments, stderr=err)
    return err.getvalue()


def test_a_start_with_a_ring_that_makes_no_sense_is_refused(settings):
    settings.VAULT_KEYS = "main:too-short"
    with pytest.raises(SystemCheckError, match=r"keys\.E001.*“main” is not the base64 of 32 bytes"):
        call_command("check")


def test_secrets_that_open_are_nothing_to_tell(cast: Cast):
    a_provider_key(cast.acme)
    assert warnings_of("--database", "default") == ""


def test_a_vault_key_that_was_made_up_anew_is_told_of(cast: Cast, settings):
    key = a_provider_key(cast.acme)
    settings.VAULT_KEYS = "tests:" + base64.b64encode(b"another key of thirty-two bytes!").decode()
    warnings = warnings_of("--database", "default")
    assert "keys.W001" in warnings
    assert str(key.pk) in warnings


def test_a_vault_key_that_is_missing_is_told_of(cast: Cast):
    a_provider_key(cast.acme)
    ProviderKey.objects.update(kek_id="lost")
    assert "“lost”: add it to TOLLGATE_VAULT_KEYS again" in warnings_of("--database", "default")


def test_without_a_database_the_secrets_are_left_alone(cast: Cast, django_assert_num_queries):
    ProviderKey.objects.update(kek_id="lost")
    with django_assert_num_queries(0):
        assert warnings_of() == ""
