import io
import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.accounts.models import Organization, Role, User
from tests.cast import a_person

ACME = ("create_organization", "Acme", "--owner", "olivia@example.com")


def answer_of(*arguments: str) -> dict[str, str]:
    out = io.StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_command_makes_an_organization_and_its_owner(db, monkeypatch):
    monkeypatch.setenv("PW", "correct horse battery")
    answer = answer_of(*ACME, "--password-env", "PW", "--time-zone", "Europe/Paris")
    acme = Organization.objects.get()
    assert answer == {"id": str(acme.pk), "slug": "acme", "name": "Acme", "owner": "olivia@example.com"}
    assert acme.time_zone == "Europe/Paris"
    assert acme.members.get().role == Role.OWNER
    assert User.objects.get().check_password("correct horse battery")


def test_without_json_it_prints_a_line_a_field(db):
    out = io.StringIO()
    call_command(*ACME, stdout=out)
    acme = Organization.objects.get()
    assert out.getvalue() == f"id: {acme.pk}\nslug: acme\nname: Acme\nowner: olivia@example.com\n"


def test_without_a_password_the_owner_sets_one_by_a_reset(db):
    answer_of(*ACME)
    assert not User.objects.get().has_usable_password()


def test_a_person_who_exists_becomes_the_owner(db):
    olivia = a_person("olivia@example.com")
    answer_of(*ACME)
    assert olivia.memberships.get().role == Role.OWNER


def test_the_command_run_twice_makes_one_organization(db):
    answer_of(*ACME)
    with pytest.raises(CommandError, match="There is an organization “acme” already"):
        call_command(*ACME)
    assert Organization.objects.count() == 1
    assert answer_of(*ACME, "--slug", "acme-eu")["slug"] == "acme-eu"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("create_organization", "Acme", "--owner", "nobody"), "email: Enter a valid email address."),
        (("create_organization", "", "--owner", "o@example.com"), "name: This field cannot be blank."),
        ((*ACME, "--time-zone", "Mars/Base"), "time_zone: “Mars/Base” is not a time zone."),
        ((*ACME, "--slug", "not a slug"), "slug: Enter a valid “slug”"),
        ((*ACME, "--password-env", "NOT_SET"), "The environment variable NOT_SET is not set"),
        ((*ACME, "--password-env", "WEAK"), "This password is too short"),
        (("create_organization", "Acme"), "--owner"),
    ],
)
def test_bad_input_makes_nothing(db, monkeypatch, arguments, message):
    monkeypatch.setenv("WEAK", "short")
    with pytest.raises(CommandError) as refusal:
        call_command(*arguments)
    assert message in str(refusal.value)
    assert not Organization.objects.exists()
    assert not User.objects.exists()
