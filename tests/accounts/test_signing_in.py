"""Signing up and in, and getting back in: RELIABILITY S11."""

import re
from collections.abc import Iterator

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import caches
from django.test import Client

from apps.accounts.models import Organization, Role, User
from apps.accounts.people import create_person
from tests.cast import a_person

PASSWORD = "correct horse battery"
SIGN_UP = {"organization_name": "Acme", "email": "olivia@example.com", "password1": PASSWORD}
SIGN_IN = {"login": "olivia@example.com", "password": PASSWORD}


@pytest.fixture(autouse=True)
def _verification_is_mandatory(settings, db):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"


@pytest.fixture
def olivia() -> User:
    return create_person("olivia@example.com", password=PASSWORD, is_verified=True)


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def subjects() -> list[str]:
    return [sent.subject for sent in mail.outbox]


def link_in(message: mail.EmailMessage) -> str:
    return re.search(r"http://localhost:8000(/\S+)", message.body)[1]


# Signing up


def test_signing_up_makes_an_organization_and_its_owner(client: Client):
    answer = client.post("/accounts/signup/", SIGN_UP)
    assert answer.headers["Location"] == "/accounts/confirm-email/"
    acme = Organization.objects.get()
    assert (acme.name, acme.slug) == ("Acme", "acme")
    member = acme.members.get()
    assert (member.user.email, member.role) == ("olivia@example.com", Role.OWNER)
    assert list(acme.audit_events.values_list("actor_label", flat=True)) == ["olivia@example.com"] * 2


def test_who_signed_up_gets_in_once_the_address_is_confirmed(client: Client):
    client.post("/accounts/signup/", SIGN_UP)
    client.post("/accounts/login/", SIGN_IN)
    assert not signed_in(client)
    link = link_in(mail.outbox[0])
    client.get(link)
    assert not EmailAddress.objects.get().verified  # mail scanners follow links
    client.post(link)
    assert EmailAddress.objects.get().verified
    client.post("/accounts/login/", SIGN_IN)
    assert signed_in(client)


def test_without_a_mail_server_signing_up_lets_in(client: Client, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "optional"
    assert client.post("/accounts/signup/", SIGN_UP).headers["Location"] == "/"
    assert signed_in(client)


@pytest.mark.parametrize(
    "wrong",
    [
        {"organization_name": ""},
        {"organization_name": "x" * 121},
        {"email": "nobody"},
        {"password1": "short"},
        {"password1": "12345678901234"},
        {"password1": "olivia@example.com"},
    ],
)
def test_a_form_that_is_not_filled_in_well_makes_nothing(client: Client, wrong):
    assert client.post("/accounts/signup/", SIGN_UP | wrong).status_code == 200
    assert not User.objects.exists()
    assert not Organization.objects.exists()


def test_the_form_decides_nothing_else(client: Client):
    client.post("/accounts/signup/", SIGN_UP | {"is_staff": "1", "is_superuser": "1", "slug": "admin", "role": "x"})
    assert list(User.objects.values_list("is_staff", "is_superuser")) == [(False, False)]
    assert Organization.objects.get().slug == "acme"


def test_signing_up_can_be_closed(client: Client, settings):
    settings.SIGN_UP_IS_OPEN = False
    answers = [client.get("/accounts/signup/"), client.post("/accounts/signup/", SIGN_UP)]
    assert [answer.templates[0].name for answer in answers] == ["account/signup_closed.html"] * 2
    assert not User.objects.exists()


# Nobody learns who has an account


def test_signing_up_with_a_taken_address_looks_the_same(client: Client, olivia):
    taken = client.post("/accounts/signup/", SIGN_UP | {"email": "Olivia@example.com"})
    fresh = Client().post("/accounts/signup/", SIGN_UP | {"email": "new@example.com"})
    assert taken.status_code == fresh.status_code == 302
    assert taken.headers["Location"] == fresh.headers["Location"]
    assert taken.cookies.keys() == fresh.cookies.keys()
    assert subjects() == ["You have an account already", "Confirm your e-mail address"]
    assert not olivia.memberships.exists()
    assert olivia.check_password(PASSWORD)


def test_asking_for_a_new_password_looks_the_same(client: Client, olivia):
    known = client.post("/accounts/password/reset/", {"email": olivia.email})
    unknown = client.post("/accounts/password/reset/", {"email": "nobody@example.com"})
    assert known.status_code == unknown.status_code == 302
    assert known.headers["Location"] == unknown.headers["Location"]
    assert subjects() == ["Set a new password", "There is no account for this address"]


def test_a_wrong_password_and_an_unknown_address_look_the_same(client: Client, olivia):
    wrong = client.post("/accounts/login/", SIGN_IN | {"password": "wrong password"})
    unknown = client.post("/accounts/login/", {"login": "nobody@example.com", "password": "wrong password"})
    forms = [answer.context["form"] for answer in (wrong, unknown)]
    assert wrong.status_code == unknown.status_code == 200
    assert forms[0].errors == forms[1].errors


def test_who_has_no_password_gets_in_by_a_reset_alone(client: Client):
    create_person("olivia@example.com", is_verified=True)
    for password in ("", "!", "None"):
        client.post("/accounts/login/", SIGN_IN | {"password": password})
    assert not signed_in(client)


# Passwords


def test_a_reset_link_works_once_and_ends_other_sessions(client: Client, olivia):
    elsewhere = Client()
    elsewhere.force_login(olivia)
    client.post("/accounts/password/reset/", {"email": "OLIVIA@example.com"})
    link = link_in(mail.outbox[0])
    form_url = client.get(link).headers["Location"]
    client.post(form_url, {"password1": "another horse battery", "password2": "another horse battery"})
    olivia.refresh_from_db()
    assert olivia.check_password("another horse battery")
    assert elsewhere.get("/").headers["Location"].startswith("/accounts/login/")
    again = Client().get(link)
    assert again.status_code == 200
    assert again.context["token_fail"]


def test_the_host_header_is_not_in_mailed_links(client: Client, olivia, settings):
    settings.ALLOWED_HOSTS = ["*"]
    evil = {"headers": {"Host": "evil.example"}}
    client.post("/accounts/password/reset/", {"email": olivia.email}, **evil)
    client.post("/accounts/signup/", SIGN_UP | {"email": "new@example.com"}, **evil)
    client.post("/accounts/signup/", SIGN_UP, **evil)
    client.post("/accounts/password/reset/", {"email": "nobody@example.com"}, **evil)
    assert len(mail.outbox) == 4
    assert not [sent.subject for sent in mail.outbox if "evil.example" in sent.body + sent.subject]


# Sessions


def test_signing_in_makes_a_new_session(client: Client, olivia):
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    before = client.cookies["tollgate_session"].value
    client.post("/accounts/login/", SIGN_IN)
    assert signed_in(client)
    assert client.cookies["tollgate_session"].value != before


def test_signing_out_ends_the_session(client: Client, olivia):
    client.post("/accounts/login/", SIGN_IN)
    key = client.cookies["tollgate_session"].value
    client.post("/accounts/logout/")
    thief = Client()
    thief.cookies["tollgate_session"] = key
    assert thief.get("/").headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "///evil.example", "\\\\evil.example", "/\\evil.example",
     "http:evil.example", "javascript:alert(1)", "https://localhost:8000@evil.example/", "\thttps://evil.example"],
)  # fmt: skip
def test_after_signing_in_nobody_is_sent_elsewhere(client: Client, olivia, target):
    answer = client.post("/accounts/login/", SIGN_IN | {"next": target})
    assert (signed_in(client), answer.headers["Location"]) == (True, "/")


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/login/",
        "/accounts/signup/",
        "/accounts/logout/",
        "/accounts/password/reset/",
        "/invitations/x/",
    ],
)
def test_every_form_is_safe_from_other_sites(path):
    assert Client(enforce_csrf_checks=True).post(path, {}).status_code == 403


# Throttles


@pytest.mark.parametrize(
    ("path", "tries"),
    [
        ("/accounts/login/", 30),
        ("/accounts/signup/", 20),
        ("/accounts/password/reset/", 20),
        ("/accounts/password/reset/key/1-set-password/", 20),
        ("/invitations/unknown/", 20),
        ("/portal-invitations/unknown/", 20),
    ],
)
def test_from_one_address_there_are_only_so_many_tries(client: Client, path, tries, settings, time_machine):
    time_machine.move_to("2026-11-20T12:00Z", tick=False)
    settings.ACCOUNT_RATE_LIMITS = False  # allauth's own
    answers = [client.post(path, {"email": f"{number}@"}) for number in range(tries + 1)]
    assert 429 not in [answer.status_code for answer in answers[:-1]]
    assert answers[-1].status_code == 429
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 3600
    assert client.get(path).status_code != 429
    assert client.post(path, {"email": "x@"}, REMOTE_ADDR="203.0.113.9").status_code != 429


def test_one_mailbox_is_not_flooded_from_many_addresses(client: Client, olivia, time_machine):
    time_machine.move_to("2026-11-20T12:00Z", tick=False)
    for host in range(8):
        address = {"email": olivia.email.upper() if host % 2 else f" {olivia.email}"}
        answer = client.post("/accounts/password/reset/", address, REMOTE_ADDR=f"203.0.113.{host}")
    assert answer.status_code == 429
    assert len(mail.outbox) == 5


def test_guessing_one_persons_password_from_many_addresses_is_stopped(client: Client, olivia):
    for host in range(12):
        address = {"REMOTE_ADDR": f"203.0.113.{host}"}
        client.post("/accounts/login/", SIGN_IN | {"password": f"guess {host}"}, **address)
    client.post("/accounts/login/", SIGN_IN, REMOTE_ADDR="203.0.113.99")
    assert not signed_in(client)


@pytest.fixture
def no_redis(settings) -> Iterator[None]:
    """The cache has nowhere to count."""
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}
    yield
    caches["default"].close()


@pytest.mark.usefixtures("no_redis")
@pytest.mark.parametrize("throttled", [True, False], ids=["by us", "by allauth"])
def test_while_tries_cannot_be_counted_nobody_is_let_in_and_it_says_why(client: Client, olivia, monkeypatch, throttled):
    if not throttled:
        monkeypatch.setattr("apps.accounts.middleware.THROTTLES", {})
    answer = client.post("/accounts/login/", SIGN_IN)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert "Redis, which counts tries, is away." in answer.content.decode()
    assert client.get("/accounts/login/").status_code == 200


def test_who_is_shut_out_gets_nowhere(client: Client, olivia):
    User.objects.filter(pk=olivia.pk).update(is_active=False)
    client.post("/accounts/login/", SIGN_IN)
    assert not signed_in(client)


def test_an_account_of_a_command_signs_in(client: Client):
    a_person("olivia@example.com", password=PASSWORD)
    client.post("/accounts/login/", SIGN_IN | {"login": "OLIVIA@example.com"})
    assert signed_in(client)
