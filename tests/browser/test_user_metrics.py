"""An operator sets what is kept, and follows a user to its sessions; pages are accessible and fit a phone."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.usage.models import DayCardinality
from tests.browser.visits import check, sign_in_as
from tests.cast import Cast
from tests.used import a_property_hour, a_request, an_hour

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TOOK = [(61 << 40) + 9, (117 << 40) + 1]  # nine of 300 ms, one of a minute


@pytest.fixture
def used(cast: Cast) -> str:
    """Ann, with a session and a plan; and all who had no room. Returns the address of Ann's page."""
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for user in ("ann", "(other)", "somebody.with.a.long.name+and-more@a-long-domain-name.example.com"):
        an_hour(cast.globex, hour, end_user=user, latencies=TOOK, first_at=hour, last_at=timezone.now())
        a_property_hour(cast.globex, hour, "plan", "premium", end_user=user, latencies=TOOK)
    an_hour(cast.globex, hour - timedelta(days=80), end_user="ann", cost=Decimal(7))
    for step, name in enumerate(("/plan", "/plan/search", "/write")):
        at = hour + timedelta(seconds=20 * step)
        a_request(cast.globex, at, end_user="ann", session_id="s-1", session_name="A trip", session_path=name)
    DayCardinality.objects.create(organization=cast.acme, day=hour, has_other_users=True, has_other_values=True)
    return f"/console/users/{cast.globex.pk}/?id=ann"


def test_from_the_settings_to_what_is_kept(page: Page, complaints: list[str], cast: Cast, used: str):
    sign_in_as(page, cast.olivia)
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Data kept").click()
    page.get_by_label("Hourly sums, in days").fill("31")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing is changed yet")).to_be_visible()
    page.get_by_label("Delete it, for good").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_role("cell", name="31 days")).to_be_visible()
    page.goto(used)
    page.get_by_role("link", name="A trip").click()
    expect(page.get_by_role("heading", name="A trip")).to_be_visible()
    assert complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible_and_fit_a_phone(page: Page, complaints: list[str], cast: Cast, used: str, theme: str):
    page.emulate_media(color_scheme=theme)
    sign_in_as(page, cast.olivia)
    for path in ("/console/settings/keeping/", "/console/users/", "/console/insights/", used):
        check(page, path)
    assert complaints == []
