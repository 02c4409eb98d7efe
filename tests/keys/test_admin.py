import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import Invitation, Role, User
from apps.accounts.services import invite_member
from apps.customers.services import invite_customer_member
from tests.cast import Cast, a_link, a_person, a_proxy_key

OURS = {"accounts", "customers", "keys"}


@pytest.fixture
def staff(client, db):
    person = a_person("root@example.com")
    User.objects.filter(pk=person.pk).update(is_staff=True, is_superuser=True)
    client.force_login(person)
    return client


def test_the_admin_shows_every_row_and_no_secret(staff, cast: Cast):
    key, (proxy_key, plain) = a_link(cast.globex), a_proxy_key(cast.globex)
    secrets = [bytes(value).hex() for value in (key.ciphertext, key.wrapped_key, proxy_key.key_hash)] + [plain]
    secrets += [str(bytes(value)) for value in (key.ciphertext, key.wrapped_key, proxy_key.key_hash)]
    invitation, link = invite_member(cast.acme, email="new@example.com", role=Role.VIEWER, by=cast.olivia)
    invite_customer_member(cast.globex, email="new@example.com", by=cast.olivia)
    secrets += [link.rstrip("/").rpartition("/")[2], bytes(invitation.token_hash).hex(), cast.olivia.password]
    for model in admin.site._registry:
        if model._meta.app_label in OURS:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            pages = [reverse(f"{name}_changelist")]
            pages += [reverse(f"{name}_change", args=[row.pk]) for row in model._default_manager.all()[:3]]
            for url in pages:
                response = staff.get(url)
                assert response.status_code == 200, url
                assert not [secret for secret in secrets if secret in response.content.decode()], url
    assert Invitation.objects.count() == 1


def test_keys_cannot_be_changed_in_the_admin(staff, cast: Cast):
    proxy_key, _ = a_proxy_key(cast.globex)
    url = reverse("admin:keys_proxykey_change", args=[proxy_key.pk])
    assert staff.post(url, {"name": "other", "revoked_at": timezone.now()}).status_code == 403
    assert staff.post(reverse("admin:keys_proxykey_delete", args=[proxy_key.pk])).status_code == 403
    assert staff.get(reverse("admin:keys_proxykey_add")).status_code == 403


def test_operators_do_not_get_into_the_admin(client, cast: Cast):
    client.force_login(cast.olivia)
    assert client.get("/admin/login/").status_code == 403
    assert client.get("/admin/keys/providerkey/").status_code == 302


def test_signing_in_to_the_admin_is_signing_in(client, db):
    response = client.get("/admin/login/?next=/admin/")
    assert response.headers["Location"] == "/accounts/login/?next=%2Fadmin%2F"


def test_a_person_shut_out_is_out_at_once(client, staff, cast: Cast):
    browser = type(client)()
    browser.force_login(cast.olivia)
    form = {"name": "Olivia", "is_active": ""}
    assert staff.post(reverse("admin:accounts_user_change", args=[cast.olivia.pk]), form).status_code == 302
    assert browser.get("/").headers["Location"].startswith("/accounts/login/")
