"""What visitors do on any page."""

import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.accounts.models import User

PASSWORD = "correct-horse-battery-9"
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.goto("/accounts/login/")
    page.fill("input[name=login]", email)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(re.compile("/(console|portal)/"))


def sign_in_as(page: Page, person: User) -> None:
    """Whoever it is, with a password from now on."""
    person.set_password(PASSWORD)
    person.save()
    sign_in(page, person.email)


def check(page: Page, path: str) -> None:
    """The page is accessible, and not wider than a phone."""
    page.set_viewport_size(DESKTOP)
    page.goto(path)
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == [], path
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    page.set_viewport_size(DESKTOP)  # where the menu, with the way out in it, is open
