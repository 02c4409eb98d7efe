"""An operator adds a channel and a rule, sees what fires and what was found; all of it fit to be seen."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.alerts.evaluation import evaluate_next
from apps.alerts.models import AlertEvent, AlertRule, Delivery
from apps.alerts.owners import Owner
from apps.alerts.services.rules import mute_rule
from tests.alerts.conftest import a_finding, a_rule, an_email
from tests.browser.visits import check, sign_in_as
from tests.cast import Cast
from tests.used import an_hour

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PATHS = ("", "history/", "findings/", "findings/?show=all", "channels/", "events/", "rules/add/")
KINDS = ("rules/add/?kind=limit", "rules/add/?kind=findings")


def this_hour():
    return timezone.now().replace(minute=0, second=0, microsecond=0)


def test_from_a_channel_to_an_alert(page: Page, complaints: list[str], cast: Cast):
    sign_in_as(page, cast.olivia)
    page.get_by_role("link", name="Alerts").click()
    expect(page.get_by_text("No rules yet")).to_be_visible()
    page.get_by_role("link", name="Channels").click()
    page.get_by_label("Name").fill("Ops")
    page.get_by_label("Address").fill("ops@acme.example")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("A test is on its way")).to_be_visible()
    assert Delivery.objects.get().kind == "test"

    page.get_by_role("link", name="Alerts", exact=True).click()
    page.get_by_role("link", name="Add rule").click()
    page.get_by_label("Name").fill("Spend of users")
    page.get_by_label("Threshold").fill("2.5")
    page.get_by_label("Judged for").select_option("user")
    page.get_by_label("Ops").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Spend of each end user at or above $2.50 within 1 hour")).to_be_visible()

    an_hour(cast.globex, this_hour(), price=Decimal(7))
    evaluate_next(timezone.now())
    page.reload()
    expect(page.get_by_role("row", name="Globex · ada $7.00 $2.50 Firing")).to_be_visible()
    page.get_by_role("button", name="Mute").click()
    expect(page.get_by_text("Muted until")).to_be_visible()
    page.get_by_role("link", name="History").first.click()
    expect(page.get_by_role("row", name="Globex · ada")).to_be_visible()
    assert complaints == []


def fill(owner: Owner, cast: Cast) -> AlertRule:
    """Rules that fire and don't, findings, messages."""
    channel = an_email(owner, cast.gina.email if owner.is_customer else "ops@acme.example")
    rule = a_rule(owner, channel, name="Users with many requests", group_by="user", action="throttle")
    mute_rule(a_rule(owner, channel, name="x" * 80, threshold=9), until=timezone.now() + timedelta(days=1), by=None)
    a_rule(owner, name="Caps", metric="limit", threshold=None)
    for number in range(12):
        an_hour(
            cast.globex, this_hour(), end_user=f"user-{number}-{'long-' * number}@example.com", requests=10 + number
        )
    while evaluate_next(timezone.now()):
        pass
    AlertEvent.objects.filter(value=15).update(resolved_at=timezone.now())
    Delivery.objects.filter(event__value=16).update(state="failed", attempts=14, status=500, answer="x" * 1024)
    sentences = [
        "Spent $50.00 in the hour from 10 Mar 12:00.",
        "Usual at this hour are $2.00.",
        "That is 25.0 times as much.",
    ]
    a_finding(cast.globex, figures={"observed": 50, "sentences": sentences}, severity=2, kind="leaked_key")
    a_finding(cast.globex, subject_id="y" * 200, subject_label="y" * 200, state="dismissed")
    return rule


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("side", ["console", "portal"])
def test_pages_of_alerts_are_accessible_and_fit_a_phone(
    page: Page, complaints: list[str], cast: Cast, side: str, theme: str
):
    page.emulate_media(color_scheme=theme)
    sign_in_as(page, cast.olivia if side == "console" else cast.gina)
    for path in PATHS:
        check(page, f"/{side}/alerts/{path}")
    owner = Owner(cast.acme, cast.globex if side == "portal" else None)
    rule = fill(owner, cast)
    channel = owner.channels.get()
    for path in (*PATHS, *KINDS, f"rules/{rule.pk}/edit/", f"channels/{channel.pk}/"):
        check(page, f"/{side}/alerts/{path}")
    assert complaints == []
