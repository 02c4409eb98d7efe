"""The whole way: an operator signs up, its customer generates a key, and every page is fit to be seen."""

import re

import pytest
from django.core import mail
from playwright.sync_api import Page, expect

from apps.keys.models import ProxyKey
from apps.keys.token import digest
from tests.browser.visits import PASSWORD, check, sign_in, sign_in_as

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CONSOLE = ["", "customers/", "customers/add/", "provider-keys/", "provider-keys/add/", "members/", "audit/"]
PORTAL = ["", "requests/", "developer/", "members/"]


def mailed(path: str) -> str:
    """The path of the link in the newest mail."""
    link = re.search(path, str(mail.outbox[-1].body))
    assert link is not None
    return link[0]


def test_from_signing_up_to_a_key(page: Page, complaints: list[str]):
    page.goto("/accounts/signup/")
    page.fill("input[name=organization_name]", "Acme")
    page.fill("input[name=email]", "olivia@acme.example")
    page.fill("input[name=password1]", PASSWORD)
    page.click("button[type=submit]")
    expect(page.get_by_text("olivia@acme.example")).to_be_visible()
    page.goto(mailed(r"/accounts/confirm-email/\S+"))
    page.get_by_role("button", name="Confirm").click()
    sign_in(page, "olivia@acme.example", PASSWORD)
    page.goto("/console/")
    expect(page.get_by_role("heading", name="Set up")).to_be_visible()

    page.get_by_role("link", name="Put a provider key in the vault").click()
    page.fill("input[name=secret]", "sk-the-operators-own-secret-7777")
    page.get_by_role("button", name="Put it in the vault").click()
    expect(page.get_by_text("…7777").first).to_be_visible()
    assert "sk-the-operators" not in page.content()

    page.goto("/console/customers/add/")
    page.fill("input[name=name]", "Globex")
    page.fill("input[name=email]", "gina@globex.example")
    page.fill("input[name=requests_per_minute]", "600")
    page.fill("input[name=monthly_cap]", "250")
    page.get_by_role("button", name="Add customer").click()
    expect(page.get_by_role("heading", name="Globex")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()

    page.goto(mailed(r"/portal-invitations/\S+"))
    page.fill("input[name=name]", "Gina")
    page.fill("input[type=password]", PASSWORD)
    page.get_by_role("button", name="Accept the invitation").click()
    page.wait_for_url("**/portal/")

    page.get_by_role("link", name="Generate a key").click()
    page.fill("input[name=name]", "production")
    page.get_by_role("button", name="Generate").click()
    plain = page.locator("#new-key").inner_text()
    assert ProxyKey.objects.get(key_hash=digest(plain)).name == "production"
    assert plain in page.locator("#text-curl").inner_text()
    page.goto("/portal/developer/")
    assert plain not in page.content()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Revoked")).to_be_visible()
    assert complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("side", "paths"), [("console", CONSOLE), ("portal", PORTAL)])
def test_pages_are_accessible_and_fit_a_phone(page: Page, complaints: list[str], cast, side, paths, theme):
    sign_in_as(page, cast.olivia if side == "console" else cast.gina)
    page.emulate_media(color_scheme=theme)
    for path in paths:
        check(page, f"/{side}/{path}")
    assert complaints == []
