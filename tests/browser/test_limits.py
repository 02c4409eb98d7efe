"""A customer limits a key and its end users, and both it and its operator see who is at a limit."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.limits.services import set_end_user_limits
from apps.usage.models import Result
from tests.browser.visits import check, sign_in_as
from tests.cast import Cast, a_proxy_key, reread
from tests.used import a_request

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_from_a_limit_to_who_is_at_it(page: Page, complaints: list[str], cast: Cast):
    key, _ = a_proxy_key(cast.globex, "production")
    sign_in_as(page, cast.gina)
    page.get_by_role("link", name="Developer").click()
    page.get_by_role("link", name="production").click()
    page.get_by_role("link", name="Change limits").click()
    page.get_by_label("Requests at once").fill("0")
    page.get_by_label("Models").fill("gpt-4o*")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("0 of 0")).to_be_visible()
    assert (reread(key).max_concurrent, reread(key).allowed_models) == (0, ["gpt-4o*"])

    page.get_by_role("link", name="Users", exact=True).click()
    page.get_by_role("link", name="Limits of users").click()
    page.get_by_role("link", name="Set a default").click()
    page.get_by_label("Requests a minute").fill("20")
    page.get_by_role("button", name="Save").click()
    page.get_by_placeholder("Search by id").fill("ann")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Give it limits of its own").click()
    expect(page.get_by_label("End user")).to_have_value("ann")
    page.get_by_label("Spend a day, in USD").fill("0")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="ann")).to_be_visible()

    page.get_by_role("link", name="Limits", exact=True).click()
    expect(page.get_by_role("row", name="End user ann Spend today")).to_be_visible()
    expect(page.get_by_role("row", name="Key production Requests at once")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()

    sign_in_as(page, cast.olivia)
    page.get_by_role("link", name="Limits", exact=True).click()
    page.get_by_role("row", name="Globex End user ann").get_by_role("link").click()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("listitem").filter(has_text="ann").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Removed. It holds from now on.")).to_be_visible()
    assert [str(row) for row in cast.globex.end_user_limits.all()] == ["every end user"]
    assert complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_of_limits_are_accessible_and_fit_a_phone(page: Page, complaints: list[str], cast: Cast, theme: str):
    key, _ = a_proxy_key(cast.globex, "production", max_concurrent=0, requests_per_day=100)
    set_end_user_limits(cast.globex, None, by=None, requests_per_minute=20)
    row = set_end_user_limits(cast.globex, f"{'long-' * 30}@example.com", by=None, max_concurrent=0, daily_cap=5)
    for number in range(60):
        told = {"error_code": "spend_cap_reached", "error_message": "The spend cap is reached. Ask for a higher cap."}
        at = timezone.now() - timedelta(minutes=number)
        a_request(cast.globex, at, end_user=row.end_user, result=Result.REFUSED, status=402, **told)
    page.emulate_media(color_scheme=theme)
    sign_in_as(page, cast.gina)
    end_users = "end-users/limits/"
    for path in ("limits/", end_users, f"{end_users}?q=ann", f"{end_users}add/", f"{end_users}{row.pk}/edit/"):
        check(page, f"/portal/{path}")
    for path in ("", "limits/"):
        check(page, f"/portal/developer/keys/{key.pk}/{path}")
    page.get_by_role("button", name="Sign out").click()
    sign_in_as(page, cast.olivia)
    for path in ("limits/", f"customers/{cast.globex.pk}/", f"customers/{cast.globex.pk}/{end_users}"):
        check(page, f"/console/{path}")
    assert complaints == []
