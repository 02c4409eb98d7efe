"""An operator has bodies stored, looks at one, and has them deleted."""

import json

import pytest
from playwright.sync_api import Page, expect

from apps.bodies.services import set_body_policy
from tests.bodies.making import stored
from tests.browser.visits import PHONE, check, sign_in_as
from tests.cast import Cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ASKED = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Who was Ada? " * 40}]})
WORDS = ("Ada ", "Lovelace ", "wrote ", "the ", "first ", "programme", ". ", "Ask [e-mail address] for <b>more</b>.")
SAID = "".join(f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': word}}]})}\n\n" for word in WORDS)


def test_from_the_setting_to_a_look_to_the_end(page: Page, complaints: list[str], cast: Cast):
    sign_in_as(page, cast.olivia)
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Stored bodies").click()
    page.get_by_label("What is stored").select_option("both")
    page.get_by_label("Patterns of your own").fill("(a+)+b")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("It could match")).to_be_visible()
    page.get_by_label("Patterns of your own").fill(r"ACME-\d{6}")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. It holds from now on.")).to_be_visible()

    request = stored(cast.globex, request=ASKED, answer=SAID, answer_type=b"text/event-stream")
    page.goto(f"/console/requests/{request.id}/")
    page.get_by_role("link", name="Request and answer").click()
    page.get_by_role("button", name="Show them").click()
    expect(page.get_by_text("Ada Lovelace wrote the first programme. Ask")).to_be_visible()
    page.get_by_text("As it is stored").last.click()
    expect(page.get_by_text("<b>more</b>").last).to_be_visible()

    page.goto(f"/console/customers/{cast.globex.pk}/")
    page.get_by_role("link", name="Stored bodies").click()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete all stored bodies").click()
    expect(page.get_by_text("The stored bodies of Globex are deleted.")).to_be_visible()
    page.goto(f"/console/requests/{request.id}/bodies/")
    expect(page.get_by_text("Nothing is stored")).to_be_visible()
    assert complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_of_bodies_are_accessible_and_fit_a_phone(page: Page, complaints: list[str], cast: Cast, theme: str):
    set_body_policy(cast.acme, by=None, keeps="both", is_open_to_customers=True)
    request = stored(cast.globex, request=ASKED, answer=SAID, answer_type=b"text/event-stream")
    page.emulate_media(color_scheme=theme)
    sign_in_as(page, cast.olivia)
    for path in ("settings/bodies/", f"customers/{cast.globex.pk}/bodies/", f"requests/{request.id}/bodies/"):
        check(page, f"/console/{path}")
    page.get_by_role("button", name="Show them").click()
    expect(page.get_by_text("Who was Ada?").first).to_be_visible()
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert complaints == []
