"""An operator watches requests come, opens one, and takes them all home; a customer finds its session."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.exports.models import Export
from apps.exports.services import write_export
from apps.usage.models import Result
from tests.browser.visits import check, sign_in_as
from tests.cast import Cast, a_proxy_key
from tests.used import a_request

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_from_a_request_that_comes_to_a_file(page: Page, complaints: list[str], cast: Cast):
    a_request(cast.globex, timezone.now(), end_user="first")
    sign_in_as(page, cast.olivia)
    page.get_by_role("navigation").get_by_role("link", name="Requests").click()
    page.get_by_role("link", name="Go live").click()
    fresh = a_request(cast.globex, timezone.now(), end_user="fresh")
    expect(page.get_by_role("row", name="fresh")).to_be_visible()  # without a reload
    page.get_by_role("link", name="Pause").click()
    page.get_by_label("User", exact=True).fill("fresh")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("row", name="first")).to_have_count(0)

    page.get_by_role("button", name="CSV").click()
    expect(page.get_by_text("Waiting")).to_be_visible()
    write_export(Export.objects.get().pk, within=timedelta(seconds=60))
    expect(page.get_by_text("Ready")).to_be_visible()  # it comes by itself, too
    with page.expect_download() as begun:
        page.get_by_role("link", name="CSV").click()
    text = begun.value.path().read_text()
    assert (text.count("\n"), str(fresh.id) in text) == (2, True)

    page.get_by_role("navigation").get_by_role("link", name="Requests").click()
    page.get_by_role("row", name="fresh").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="The call")).to_be_visible()
    assert complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_its_pages_are_accessible_and_fit_a_phone(page: Page, complaints: list[str], cast: Cast, theme: str):
    key, _ = a_proxy_key(cast.globex, "production")
    now = timezone.now()
    long = {"end_user": f"{'long-' * 30}@example.com", "session_id": "x" * 300, "session_path": "/plan/" + "y" * 90}
    failed = {"result": Result.FAILED, "status": 500, "error_code": "server_error", "error_message": "word" * 90}
    for number in range(60):
        a_request(cast.globex, now - timedelta(minutes=number), proxy_key_id=key.pk, **long)
    one = a_request(cast.globex, now, properties={"plan": "z" * 200}, price=Decimal("0.000000000001"), **long, **failed)
    for kind in ("csv", "jsonl"):
        Export.objects.create(organization=cast.acme, format=kind, expires_at=now + timedelta(days=1), rows_expected=9)
    page.emulate_media(color_scheme=theme)
    sign_in_as(page, cast.olivia)
    session = f"customers/{cast.globex.pk}/session/?id={'x' * 300}"
    explorers = ("requests/", "requests/?live=1", f"requests/?error=word&user={long['end_user']}", "requests/?status=x")
    for path in (*explorers, f"requests/{one.id}/", "sessions/", session, "exports/"):
        check(page, f"/console/{path}")
    page.get_by_role("button", name="Sign out").click()
    sign_in_as(page, cast.gina)
    for path in ("requests/", f"requests/{one.id}/", "sessions/", f"session/?id={'x' * 300}", "exports/"):
        check(page, f"/portal/{path}")
    assert complaints == []
