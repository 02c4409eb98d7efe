"""The operator's pages of a customer's plan, and of its months on others."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from apps.billing.periods import begin_of, day_of, months_later
from apps.billing.services.coupons import add_coupon
from apps.billing.services.subscriptions import end_subscription, subscribe
from tests.billing.plans import TIERS, a_plan
from tests.cast import Cast
from tests.pages import rows_of, text_of
from tests.used import an_hour

D = Decimal
A_DAY = timedelta(days=1)


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


@pytest.fixture
def page(cast: Cast) -> str:
    return f"/console/customers/{cast.globex.pk}/plan/"


def today(cast):
    return day_of(timezone.now(), cast.acme.time_zone)


def in_words(day) -> str:
    return f"{day.day} {day:%b %Y}"


def test_without_plans_the_page_says_where_to_make_one(olivia: Client, page):
    shown = text_of(olivia.get(page))
    assert "The customer pays for what it uses" in shown
    assert "There is no plan to put the customer on. Add a plan" in shown


def test_a_customer_is_put_on_a_plan(olivia: Client, cast: Cast, page):
    version = a_plan(cast.acme, "Team")
    typed = {"version": version.pk, "starts_on": "", "trial_days": "7"}
    told = text_of(olivia.post(f"{page}subscribe/", typed, follow=True))
    assert f"Globex is on Team from {in_words(today(cast))} on." in told
    subscription = cast.globex.subscriptions.get()
    assert subscription.starts_at == begin_of(today(cast), cast.acme.time_zone)
    assert subscription.trial_ends_at == begin_of(today(cast) + 7 * A_DAY, cast.acme.time_zone)
    assert f"Trial until {in_words(today(cast) + 7 * A_DAY)}" in told
    again = olivia.post(f"{page}subscribe/", typed, follow=True)
    assert "Globex is on Team then: change that." in text_of(again)


def test_a_plan_of_somebody_else_is_none(olivia: Client, cast: Cast, page):
    typed = {"version": a_plan(cast.evil_corp).pk}
    assert "Select a valid choice" in text_of(olivia.post(f"{page}subscribe/", typed, follow=True))
    assert not cast.globex.subscriptions.exists()


def test_a_plan_is_changed_at_the_end_of_its_period_and_that_is_undone(olivia: Client, cast: Cast, page):
    old, new = a_plan(cast.acme, "Old"), a_plan(cast.acme, "New")
    subscription = subscribe(cast.globex, old, by=None, at=timezone.now() - 40 * A_DAY)
    typed = {"subscription": subscription.pk, "version": new.pk, "when": "end"}
    next_month = months_later(today(cast).replace(day=1), 1)
    told = text_of(olivia.post(f"{page}change/", typed, follow=True))
    assert f"Globex is on New from {in_words(next_month)} on." in told
    assert f"From {in_words(next_month)} on: New, version 1. Undo the change" in told
    undone = text_of(olivia.post(f"{page}keep/", {"subscription": subscription.pk}, follow=True))
    assert "Globex stays on Old." in undone
    assert cast.globex.subscriptions.get().ends_at is None


def test_a_plan_is_changed_today(olivia: Client, cast: Cast, page):
    old, new = a_plan(cast.acme, "Old"), a_plan(cast.acme, "New")
    subscription = subscribe(cast.globex, old, by=None, at=timezone.now() - 40 * A_DAY)
    olivia.post(f"{page}change/", {"subscription": subscription.pk, "version": new.pk, "when": "now"})
    assert [row.version for row in cast.globex.subscriptions.order_by("starts_at")] == [old, new]
    shown = text_of(olivia.get(page))
    assert "New version 1 Active" in shown
    assert f"Old version 1 {in_words(today(cast) - 40 * A_DAY)} {in_words(today(cast))}" in shown


@pytest.mark.parametrize("when", ["now", "end"])
def test_a_plan_is_ended(olivia: Client, cast: Cast, page, when):
    subscription = subscribe(cast.globex, a_plan(cast.acme, "Old"), by=None, at=timezone.now() - 40 * A_DAY)
    told = text_of(olivia.post(f"{page}end/", {"subscription": subscription.pk, "when": when}, follow=True))
    assert "Globex leaves Old." in told
    first = today(cast) + A_DAY if when == "now" else months_later(today(cast).replace(day=1), 1)
    assert cast.globex.subscriptions.get().ends_at == begin_of(first, cast.acme.time_zone)


@pytest.mark.parametrize("action", ["change", "end", "keep"])
@pytest.mark.parametrize("whose", ["nobody's", "another customer's", "nonsense"])
def test_what_was_shown_must_be_what_there_is(olivia: Client, cast: Cast, page, action, whose):
    version = a_plan(cast.acme)
    theirs = subscribe(cast.initech, version, by=None, at=timezone.now())
    known = {"nobody's": "", "another customer's": theirs.pk, "nonsense": "x"}[whose]
    typed = {"subscription": known, "version": a_plan(cast.acme).pk, "when": "now"}
    assert "changed meanwhile" in text_of(olivia.post(f"{page}{action}/", typed, follow=True))
    assert cast.initech.subscriptions.get().ends_at is None


def test_what_cannot_be_is_told(olivia: Client, cast: Cast, page):
    subscription = subscribe(cast.globex, a_plan(cast.acme), by=None, at=timezone.now() - 40 * A_DAY)
    end_subscription(subscription, by=None, at=timezone.now() - 2 * A_DAY, at_period_end=False)
    typed = {"subscription": subscription.pk, "version": a_plan(cast.acme).pk, "when": "now"}
    for action in ("change", "end", "keep"):
        assert "has ended" in text_of(olivia.post(f"{page}{action}/", typed, follow=True))


def test_coupons_are_given_and_taken(olivia: Client, cast: Cast, page):
    add_coupon(cast.acme, code="WELCOME", percent=D(10), periods=3, by=None, at=timezone.now())
    add_coupon(cast.evil_corp, code="THEIRS", percent=D(10), by=None, at=timezone.now())
    assert "no such coupon" in text_of(olivia.post(f"{page}coupons/add/", {"code": "THEIRS"}, follow=True))
    given = text_of(olivia.post(f"{page}coupons/add/", {"code": "WELCOME"}, follow=True))
    assert "WELCOME 10 %, 3 periods left Remove" in given
    assert "Give a coupon" not in given
    assert "It has none" in text_of(olivia.post(f"{page}coupons/remove/", {"code": "WELCOME"}, follow=True))


def in_october(cast, **fields):
    """1M tokens in, half of it out, on two days of October; at $3, and a cost of $2, each."""
    for day in (5, 31):
        hour = datetime(2026, 10, day, 9, tzinfo=UTC)
        values = {"input_tokens": 1_000_000, "output_tokens": 500_000} | fields
        an_hour(cast.globex, hour, **values)


def test_a_month_is_compared_on_every_plan(olivia: Client, cast: Cast, page):
    """Fee 10 and 3M tokens at 2 a million; a twelfth of a year is by days: 365 x 31/365."""
    in_october(cast)
    a_plan(cast.acme, "Tiers", fee=D(10), charges=TIERS)
    a_plan(cast.acme, "Yearly", fee=D(365), interval="year")
    a_plan(cast.acme, "Included", fee=D(5), allowance=D(4))
    a_plan(cast.evil_corp, "Theirs")
    shown = olivia.get(f"{page}simulate/?month=2026-10")
    assert rows_of(shown)[1:] == [
        "Included 1 $7.00 $1.00 $3.00",
        "Tiers 1 $16.00 $10.00 $12.00",
        "Yearly 1 $37.00 $31.00 $33.00",
    ]
    assert "As requests are priced $6.00 Cost $4.00" in text_of(shown)


def test_a_plan_is_shown_in_the_lines_of_an_invoice(olivia: Client, cast: Cast, page):
    in_october(cast)
    version = a_plan(cast.acme, "Both", fee=D(10), minimum=D(30), discount_percent=D(10))
    shown = olivia.get(f"{page}simulate/?month=2026-10&plan={version.pk}")
    assert rows_of(shown)[3:] == [
        "Both Fee $10.00",
        "gpt-4o-mini Usage 3,000,000 tokens $6.00",
        "Both Minimum commitment $14.00",
        "Both discount -$3.00",
        "Total before tax $27.00",
    ]


def test_a_month_without_usage_and_a_plan_without_a_rate_are_told(olivia: Client, cast: Cast, page):
    free = a_plan(cast.acme, "Free", fee=0)
    a_plan(cast.acme, "In euros", currency="EUR")
    shown = text_of(olivia.get(f"{page}simulate/?month=2026-10&plan={free.pk}"))
    assert "Nothing to pay" in shown
    assert "In euros: There is no exchange rate of EUR" in shown


@pytest.mark.parametrize("month", ["", "?month=2026-13", "?month=x"])
def test_the_last_month_that_is_over_is_compared_by_itself(olivia: Client, cast: Cast, page, month):
    last = months_later(date.today().replace(day=1), -1)  # noqa: DTZ011 Acme is in UTC, and so are we
    assert f"Month {last:%B %Y}" in text_of(olivia.get(f"{page}simulate/{month}"))
