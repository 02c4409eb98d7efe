"""Every page of the console and the portal, from the resolver: none is wider than a phone, each says what it is."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page

from tests.browser.visits import DESKTOP, PHONE, sign_in_as
from tests.cast import Cast
from tests.isolation.pages import pages
from tests.isolation.test_foreign_objects import of_customer, of_operator
from tests.used import a_property_hour, a_request, an_hour

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = "Rindfleischetikettierungsueberwachungsaufgabenuebertragungsgesetz"  # one word, and one that somebody sells to
USER = f"{'long-' * 20}@example.com"
ASKED = {"user-detail": {"id": USER}, "session-detail": {"id": USER}}  # what these pages are about is not in the path


@pytest.fixture
def rich(cast: Cast) -> Mapping[str, Mapping[str, object]]:
    """Something of each kind, under long names."""
    cast.globex.name = LONG
    cast.globex.save()
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    for number in range(3):
        day = hour - timedelta(days=number)
        an_hour(cast.globex, day, end_user=USER, model=f"{LONG}-{number}", requests=10**number)
        a_property_hour(cast.globex, day, "plan", LONG, end_user=USER)
        a_request(cast.globex, now - timedelta(minutes=number), end_user=USER, model=LONG, session_id=USER)
    return {"console": of_operator(cast.acme, cast.globex), "portal": of_customer(cast.globex)}


def addresses(face: str, objects: Mapping[str, object], client: Client) -> Iterator[str]:
    """Of the pages that can be looked at: what takes a POST only, or gives a file, is none."""
    for each in pages():
        if each.face != face:
            continue
        url = f"{each.url_of(objects)}?{urlencode(ASKED.get(each.pattern.name, {}))}"
        answer = client.get(url)
        if answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html"):
            yield url


@pytest.mark.timeout(400)  # a hundred pages, on a machine that others use too
@pytest.mark.parametrize(("face", "least"), [("console", 70), ("portal", 45)])
def test_it_fits_a_phone_and_has_a_name(
    page: Page, client: Client, complaints: list[str], cast: Cast, rich, face: str, least: int
):
    person = cast.olivia if face == "console" else cast.gina
    client.force_login(person)
    urls = list(addresses(face, rich[face], client))
    assert len(urls) >= least
    sign_in_as(page, person)
    page.set_viewport_size(PHONE)
    wide, nameless = [], []
    for url in urls:
        page.goto(url)
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            wide.append(url)
        if page.title().startswith(" ·") or page.locator("h1").count() != 1:
            nameless.append(url)
    assert (wide, nameless, complaints) == ([], [], [])


def test_the_menu_of_a_phone_opens_and_leads_on(page: Page, cast: Cast, complaints: list[str]):
    sign_in_as(page, cast.olivia)
    page.set_viewport_size(PHONE)
    page.goto("/console/")
    menu, link = page.get_by_role("button", name="Menu"), page.get_by_role("link", name="Audit log")
    assert not link.is_visible()
    menu.click()
    link.click()
    page.wait_for_url("**/console/audit/")
    page.set_viewport_size(DESKTOP)
    assert link.is_visible()
    assert not menu.is_visible()
    assert complaints == []
