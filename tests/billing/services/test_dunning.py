"""Reminders, and at last the customer is suspended; paid, it is let in again."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core import mail

from apps.billing.models import Mailing, Payment
from apps.billing.parties import details_of
from apps.billing.services.dunning import Dunned, reinstate_customer, run_dunning
from apps.billing.services.mailing import send_mailing
from apps.billing.services.sellers import update_seller
from apps.billing.services.settling import settle_invoice
from apps.customers.services import resume_customer, suspend_customer
from tests.billing.making import an_invoice
from tests.cast import Cast, at_once, reread

DUE = date(2026, 12, 2)


def day(overdue: int, hour: int = 12) -> datetime:
    """So many days after it was due."""
    return datetime(2026, 12, 2, hour, tzinfo=UTC) + timedelta(days=overdue)


@pytest.fixture(autouse=True)
def policy(cast: Cast) -> None:
    update_seller(cast.acme, by=None, reminder_days=[3, 6, 9], final_step="suspend", final_step_days=12)
    cast.globex.email = "globex@example.com"
    cast.globex.save()


def sent() -> list[tuple[str, int]]:
    for mailing in Mailing.objects.waiting():
        send_mailing(mailing.pk, at=day(0))
    return [(mailing.kind, mailing.days_overdue) for mailing in Mailing.objects.order_by("created_at")]


def test_the_whole_course_of_an_invoice_that_nobody_pays(cast: Cast):
    invoice = an_invoice(cast.globex)
    for overdue in range(-3, 40):
        run_dunning(cast.acme, at=day(overdue))
    assert sent() == [("reminder", 3), ("reminder", 6), ("reminder", 9), ("suspension", 12)]
    assert [message.subject for message in mail.outbox] == [
        *["Reminder: invoice INV-00001 from Acme is overdue"] * 3,
        "Your access is suspended: invoice INV-00001 from Acme",
    ]
    assert "invoice INV-00001 was due on Dec 2, 2026. $100.00 are still to be paid." in mail.outbox[0].body
    assert (reread(invoice).reminders, reread(invoice).reminded_at) == (3, day(9))
    assert reread(cast.globex).suspended_at == day(12)
    (event,) = cast.acme.audit_events.filter(action="customer.suspend")
    assert event.actor_label == "reminders of what is overdue"


def test_a_day_begins_in_the_organizations_zone(cast: Cast):
    cast.acme.time_zone = "Pacific/Auckland"  # 13 hours ahead
    cast.acme.save()
    an_invoice(cast.globex)
    assert run_dunning(cast.acme, at=day(2, hour=10)) == Dunned()
    assert run_dunning(cast.acme, at=day(2, hour=11)) == Dunned(reminded=1)


def test_what_was_not_looked_at_for_days_is_reminded_of_once(cast: Cast):
    invoice = an_invoice(cast.globex)
    run_dunning(cast.acme, at=day(7))
    assert (sent(), reread(invoice).reminders) == ([("reminder", 7)], 2)


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_remind_once(cast: Cast):
    an_invoice(cast.globex)
    at_once(10, lambda: run_dunning(cast.acme, at=day(3)))
    assert Mailing.objects.count() == 1


LEFT_ALONE = [
    pytest.param({"state": "paid", "paid": Decimal(100)}, id="paid"),
    pytest.param({"state": "void"}, id="void"),
    pytest.param({"state": "uncollectible"}, id="written off"),
    pytest.param({"credited": Decimal(100)}, id="credited in full"),
    pytest.param({"due_on": date(2027, 12, 2)}, id="not due yet"),
]


@pytest.mark.parametrize("fields", LEFT_ALONE)
def test_what_is_not_owed_is_left_alone(cast: Cast, fields):
    an_invoice(cast.globex, **fields)
    assert run_dunning(cast.acme, at=day(30)) == Dunned()
    assert not reread(cast.globex).is_suspended


def test_customers_that_are_left_out_are_left_alone(cast: Cast):
    details = details_of(cast.globex)
    details.is_reminded = False
    details.save()
    an_invoice(cast.globex)
    assert run_dunning(cast.acme, at=day(30)) == Dunned()


def test_what_a_payment_is_on_its_way_for_is_left_alone_for_a_week_or_until_it_failed(cast: Cast):
    invoice = an_invoice(cast.globex)
    payment = Payment.objects.create(
        organization=cast.acme, customer=cast.globex, invoice=invoice, provider="stripe", provider_id="pi_1",
        currency="USD", amount=100, created_at=day(1),
    )  # fmt: skip
    assert run_dunning(cast.acme, at=day(3)) == Dunned()
    assert run_dunning(cast.acme, at=day(9), is_dry_run=True) == Dunned(reminded=1)
    payment.state = Payment.State.FAILED
    payment.save()
    assert run_dunning(cast.acme, at=day(3)) == Dunned(reminded=1)


def test_nobody_elses_invoices_are_looked_at(cast: Cast):
    an_invoice(cast.shady)
    assert run_dunning(cast.acme, at=day(30)) == Dunned()


def test_a_dry_run_tells_and_does_nothing(cast: Cast):
    invoice = an_invoice(cast.globex)
    assert run_dunning(cast.acme, at=day(12), is_dry_run=True) == Dunned(reminded=1, suspended=1)
    assert (reread(invoice).reminders, Mailing.objects.count()) == (0, 0)
    assert not reread(cast.globex).is_suspended


def test_without_an_address_it_counts_and_the_history_says_that_nobody_got_it(cast: Cast):
    invoice = an_invoice(cast.initech)
    run_dunning(cast.acme, at=day(3))
    (mailing,) = invoice.mailings.all()
    assert (mailing.state, mailing.error) == ("failed", "There is no address for invoices.")
    assert run_dunning(cast.acme, at=day(4)) == Dunned()


def test_without_a_policy_nothing_is_done(cast: Cast):
    update_seller(cast.acme, by=None, reminder_days=[], final_step="none")
    an_invoice(cast.globex)
    assert run_dunning(cast.acme, at=day(400)) == Dunned()


# The final step, and back


def test_paid_the_customer_is_let_in_again(cast: Cast):
    first, second = an_invoice(cast.globex), an_invoice(cast.globex)
    run_dunning(cast.acme, at=day(12))
    settle_invoice(first, Decimal(100), at=day(13), by=None)
    assert reinstate_customer(cast.globex, at=day(13)) is False  # of the other, nothing is paid yet
    settle_invoice(second, Decimal(60), at=day(13), by=None)
    assert reinstate_customer(cast.globex, at=day(13)) is False
    settle_invoice(reread(second), Decimal(40), at=day(13), by=None)
    assert reinstate_customer(cast.globex, at=day(13)) is True
    assert reinstate_customer(cast.globex, at=day(13)) is False
    assert not reread(cast.globex).is_suspended
    (event,) = cast.acme.audit_events.filter(action="customer.resume")
    assert event.actor_label == "reminders of what is overdue"


def test_a_payment_lets_in_whom_dunning_suspended_by_itself(
    cast: Cast, django_capture_on_commit_callbacks, monkeypatch
):
    told: list[tuple[str, tuple[str, ...]]] = []
    monkeypatch.setattr(
        "apps.kit.after_commit.current_app.send_task", lambda name, args: told.append((name, tuple(args)))
    )
    invoice = an_invoice(cast.globex)
    with django_capture_on_commit_callbacks(execute=True):
        settle_invoice(invoice, Decimal(100), at=day(13), by=None)
    assert told == [("billing.reinstate", (str(cast.globex.pk),))]


def test_whom_a_person_suspended_no_payment_lets_in(cast: Cast):
    suspend_customer(cast.globex, by=cast.olivia, at=day(1))
    invoice = an_invoice(cast.globex)
    run_dunning(cast.acme, at=day(12))
    settle_invoice(invoice, Decimal(100), at=day(13), by=None)
    assert reinstate_customer(cast.globex, at=day(13)) is False
    assert reread(cast.globex).suspended_at == day(1)


def test_whom_a_person_suspended_anew_no_payment_lets_in(cast: Cast):
    invoice = an_invoice(cast.globex)
    run_dunning(cast.acme, at=day(12))
    resume_customer(cast.globex, by=cast.olivia)
    suspend_customer(cast.globex, by=cast.olivia, at=day(14))
    settle_invoice(invoice, Decimal(100), at=day(15), by=None)
    assert reinstate_customer(cast.globex, at=day(15)) is False
    assert reread(cast.globex).suspended_at == day(14)


def test_whom_a_person_let_in_is_not_thrown_out_for_the_same_invoice(cast: Cast):
    an_invoice(cast.globex)
    run_dunning(cast.acme, at=day(12))
    resume_customer(cast.globex, by=cast.olivia)
    run_dunning(cast.acme, at=day(13))
    assert not reread(cast.globex).is_suspended
    an_invoice(cast.globex)  # another one, as late
    run_dunning(cast.acme, at=day(13))
    assert reread(cast.globex).suspended_at == day(13)


def test_who_is_left_out_from_now_on_is_let_in(cast: Cast):
    an_invoice(cast.globex)
    run_dunning(cast.acme, at=day(12))
    details = details_of(cast.globex)
    details.is_reminded = False
    details.save()
    assert reinstate_customer(cast.globex, at=day(12)) is True
