"""Customers go on plans, change and leave them: from which instant on, and with what."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db.models.deletion import ProtectedError

from apps.accounts.models import AuditEvent
from apps.billing.errors import NotPossible
from apps.billing.models import CreditLot, Invoice, Subscription, Wallet
from apps.billing.queries.subscriptions import next_subscription, period_of, subscription_at
from apps.billing.services.beginnings import begin, beginnings_due, fit_rate_card, left_on_cards
from apps.billing.services.included import allowances_due, grant_allowance
from apps.billing.services.plans import change_plan, retire_plan
from apps.billing.services.subscriptions import (
    change_subscription,
    end_subscription,
    keep_subscription,
    move_subscribers,
    subscribe,
)
from apps.pricing.card_book import layers_of
from apps.pricing.models import RateCardUse
from apps.pricing.rate_cards import add_rate_card
from tests.billing.plans import NOON, a_plan, midnight
from tests.cast import a_customer, an_organization, at_once, reread

D = Decimal
MONTH = timedelta(days=31)


@pytest.fixture
def organization(db):
    return an_organization(time_zone="Europe/Paris")


@pytest.fixture
def customer(organization):
    return a_customer(organization, "Globex")


def on(customer, version=None, at=NOON, **fields):
    return subscribe(customer, version or a_plan(customer.organization), by=None, at=at, **fields)


def spans(customer):
    """Of its subscriptions, in order: plan, first and last instant."""
    rows = customer.subscriptions.order_by("starts_at")
    return [(row.version.plan.name, row.starts_at, row.ends_at) for row in rows]


def test_a_subscription_begins_with_the_day(customer):
    subscription = on(customer)
    assert (subscription.starts_at, subscription.ends_at) == (midnight(3, 19), None)
    assert (subscription.anchor_on, subscription.time_zone) == (date(2026, 3, 19), "Europe/Paris")
    assert AuditEvent.objects.filter(action="subscription.add", customer_id=customer.pk).count() == 1


STARTS = [  # on, the first instant
    pytest.param(date(2026, 3, 1), midnight(3, 1), id="earlier this month"),
    pytest.param(date(2026, 4, 1), midnight(4, 1), id="later"),
]


@pytest.mark.parametrize(("starts_on", "starts_at"), STARTS)
def test_a_subscription_can_begin_on_another_day(customer, starts_on, starts_at):
    assert on(customer, starts_on=starts_on).starts_at == starts_at


def test_a_trial_ends_after_its_days(customer):
    version = a_plan(customer.organization, trial_days=14)
    assert on(customer, version).trial_ends_at == midnight(4, 2)
    other = a_customer(customer.organization)
    assert on(other, version, trial_days=0).trial_ends_at is None


def test_a_customer_is_on_one_plan_at_a_time(customer):
    on(customer)
    with pytest.raises(NotPossible, match="Globex is on Plan"):
        on(customer)
    assert customer.subscriptions.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_ten_at_once_one_subscribes():
    customer = a_customer(an_organization())
    version = a_plan(customer.organization)
    outcomes = at_once(10, lambda: on(customer, version))
    assert sorted(type(each).__name__ for each in outcomes) == ["NotPossible"] * 9 + ["Subscription"]


def test_a_plan_of_somebody_else_or_one_that_is_retired_takes_nobody(customer):
    with pytest.raises(NotPossible, match="no such plan"):
        on(customer, a_plan(an_organization()))
    retired = a_plan(customer.organization)
    retire_plan(retired.plan, by=None, at=NOON)
    with pytest.raises(NotPossible, match="retired"):
        on(customer, retired)
    assert not customer.subscriptions.exists()


def an_invoice(customer, until, **fields):
    values = {"state": "open", "sequence": 1, "number": "INV-1", "currency": "USD", "kind": "period"} | fields
    return Invoice.objects.create(
        organization=customer.organization, customer=customer, key=f"period:{until}", period_end=until, **values
    )


def test_days_that_are_invoiced_stay_as_they_were_priced(customer):
    an_invoice(customer, midnight(3, 1))
    with pytest.raises(NotPossible, match="invoiced already"):
        on(customer, starts_on=date(2026, 2, 20))
    assert on(customer, starts_on=date(2026, 3, 1)).starts_at == midnight(3, 1)


def test_a_change_now_is_from_this_morning_on(customer):
    old, new = (a_plan(customer.organization, name) for name in ("Old", "New"))
    before = on(customer, old, starts_on=date(2026, 3, 5))
    change_subscription(before, new, by=None, at=NOON, at_period_end=False)
    assert spans(customer) == [("Old", midnight(3, 5), midnight(3, 19)), ("New", midnight(3, 19), None)]
    assert AuditEvent.objects.get(action="subscription.change").changes["plan"] == ["Old 1", "New 1"]


ENDS = [  # alignment, the end of the period that began with the subscription
    pytest.param("calendar", midnight(4, 1), id="calendar"),
    pytest.param("anniversary", midnight(4, 5), id="from the day it began"),
]


@pytest.mark.parametrize(("alignment", "ends_at"), ENDS)
def test_a_change_at_the_end_of_the_period_comes_then(customer, alignment, ends_at):
    old = on(customer, a_plan(customer.organization, "Old", alignment=alignment), starts_on=date(2026, 3, 5))
    follows = change_subscription(old, a_plan(customer.organization, "New"), by=None, at=NOON, at_period_end=True)
    assert spans(customer) == [("Old", midnight(3, 5), ends_at), ("New", ends_at, None)]
    assert subscription_at(customer, NOON) == old
    assert next_subscription(customer, NOON) == follows
    assert subscription_at(customer, ends_at) == follows


def test_another_change_takes_the_place_of_one_to_come(customer):
    old = on(customer, a_plan(customer.organization, "Old"), starts_on=date(2026, 3, 5))
    for name in ("First", "Second"):
        version = a_plan(customer.organization, name)
        change_subscription(old, version, by=None, at=NOON, at_period_end=True)
    assert spans(customer) == [("Old", midnight(3, 5), midnight(4, 1)), ("Second", midnight(4, 1), None)]


def test_a_change_on_the_first_day_replaces_the_plan(customer):
    old = on(customer, a_plan(customer.organization, "Old"))
    change_subscription(old, a_plan(customer.organization, "New"), by=None, at=NOON, at_period_end=False)
    assert spans(customer) == [("New", midnight(3, 19), None)]
    with pytest.raises(NotPossible, match="replaced meanwhile"):
        end_subscription(old, by=None, at=NOON, at_period_end=False)


def test_what_is_invoiced_is_not_replaced(customer):
    old = on(customer, a_plan(customer.organization, "Old"))
    an_invoice(customer, midnight(3, 19), subscription=old)
    with pytest.raises(NotPossible, match="change it tomorrow"):
        change_subscription(old, a_plan(customer.organization), by=None, at=NOON, at_period_end=False)
    with pytest.raises(ProtectedError):
        old.delete()


def test_periods_go_on_from_the_same_day_if_they_are_as_long(customer):
    monthly = {"alignment": "anniversary"}
    old = on(customer, a_plan(customer.organization, **monthly), starts_on=date(2026, 1, 31))
    same = change_subscription(
        old, a_plan(customer.organization, fee=D(99), **monthly), by=None, at=NOON, at_period_end=False
    )
    assert same.anchor_on == date(2026, 1, 31)
    yearly = a_plan(customer.organization, interval="year", **monthly)
    other = change_subscription(same, yearly, by=None, at=NOON + MONTH, at_period_end=True)
    assert (other.anchor_on, other.starts_at) == (date(2026, 4, 30), midnight(4, 30))


def test_the_same_terms_are_no_change(customer):
    old = on(customer)
    with pytest.raises(NotPossible, match="is on these terms"):
        change_subscription(old, old.version, by=None, at=NOON, at_period_end=True)


def test_the_day_of_an_end_is_still_of_the_plan(customer):
    end_subscription(on(customer), by=None, at=NOON, at_period_end=False)
    assert [span[1:] for span in spans(customer)] == [(midnight(3, 19), midnight(3, 20))]
    assert subscription_at(customer, NOON) is not None
    assert subscription_at(customer, midnight(3, 20)) is None


def test_an_end_to_come_can_be_undone_and_one_that_came_cannot(customer):
    subscription = on(customer)
    end_subscription(subscription, by=None, at=NOON, at_period_end=True)
    assert reread(subscription).ends_at == midnight(4, 1)
    keep_subscription(subscription, by=None, at=NOON)
    assert reread(subscription).ends_at is None
    end_subscription(subscription, by=None, at=NOON, at_period_end=True)
    with pytest.raises(NotPossible, match="has ended"):
        keep_subscription(subscription, by=None, at=midnight(4, 1))
    with pytest.raises(NotPossible, match="has ended"):
        change_subscription(
            subscription, a_plan(customer.organization), by=None, at=midnight(4, 1), at_period_end=False
        )


def test_one_that_has_not_begun_is_changed_from_its_first_day_on_or_never_begins(customer):
    later = on(customer, a_plan(customer.organization, "Old"), starts_on=date(2026, 4, 10))
    new = change_subscription(later, a_plan(customer.organization, "New"), by=None, at=NOON, at_period_end=False)
    assert spans(customer) == [("New", midnight(4, 10), None)]
    end_subscription(new, by=None, at=NOON, at_period_end=False)
    assert spans(customer) == []


def test_keeping_a_plan_undoes_a_change_to_come(customer):
    old = on(customer, a_plan(customer.organization, "Old"))
    change_subscription(old, a_plan(customer.organization), by=None, at=NOON, at_period_end=True)
    keep_subscription(old, by=None, at=NOON)
    assert spans(customer) == [("Old", midnight(3, 19), None)]


def test_all_who_are_behind_move_to_the_newest_version_at_the_end_of_their_periods(organization):
    first = a_plan(organization, "Team")
    behind, leaving, elsewhere = (a_customer(organization) for _ in range(3))
    on(behind, first)
    end_subscription(on(leaving, first), by=None, at=NOON, at_period_end=True)
    on(elsewhere)
    second = change_plan(first.plan, by=None, at=NOON, fee=D(40))
    assert move_subscribers(first.plan, by=None, at=NOON) == 1
    assert move_subscribers(first.plan, by=None, at=NOON) == 0
    assert next_subscription(behind, NOON).version == second
    assert [next_subscription(each, NOON) for each in (leaving, elsewhere)] == [None, None]


SETTLEMENTS = [  # plan's, allowance, the wallet's
    pytest.param("postpaid", 0, None, id="postpaid needs none"),
    pytest.param("prepaid", 0, "prepaid", id="prepaid"),
    pytest.param("credit_first", 0, "credit_first", id="credit first"),
    pytest.param("postpaid", 31, "credit_first", id="included money is credit"),
]


@pytest.mark.parametrize(("settlement", "allowance", "wallet"), SETTLEMENTS)
def test_a_plan_brings_the_wallet_that_it_needs(customer, settlement, allowance, wallet):
    on(customer, a_plan(customer.organization, settlement=settlement, allowance=D(allowance)))
    assert Wallet.objects.filter(customer=customer).values_list("settlement", flat=True).first() == wallet


def test_a_plan_lets_a_wallet_that_is_there_pay_its_way(customer):
    prepaid, postpaid = (a_plan(customer.organization, settlement=each) for each in ("prepaid", "postpaid"))
    subscription = on(customer, prepaid, starts_on=date(2026, 3, 5))
    change_subscription(subscription, postpaid, by=None, at=NOON, at_period_end=True)
    assert Wallet.objects.get().settlement == "prepaid"
    (due,) = beginnings_due(at=midnight(4, 1))
    assert begin(due, by=None, at=midnight(4, 1))
    assert not begin(due, by=None, at=midnight(4, 1))
    assert beginnings_due(at=midnight(4, 1)) == []
    assert Wallet.objects.get().settlement == "credit_first"


def cards_of(customer):
    """That it was put on by plans: each with since when."""
    uses = RateCardUse.objects.filter(customer=customer, by_plan=True).order_by("effective_from")
    return [(str(use.card or ""), use.effective_from) for use in uses]


def test_a_plan_brings_its_rate_card_and_takes_it_along(customer):
    rules = [{"match": "*", "mode": "free"}]
    card = add_rate_card(customer.organization, name="Partners", rules=rules, effective_from=NOON, by=None)
    subscription = on(customer, a_plan(customer.organization, rate_card_id=card.pk))
    assert cards_of(customer) == [("Partners", NOON)]
    end_subscription(subscription, by=None, at=NOON, at_period_end=False)
    assert left_on_cards(at=NOON) == []
    tomorrow = midnight(3, 20)
    assert cards_of(customer) == [("Partners", NOON), ("", tomorrow)]
    assert left_on_cards(at=tomorrow) == []
    fit_rate_card(customer, by=None, at=tomorrow)
    assert cards_of(customer) == [("Partners", NOON), ("", tomorrow)]


def test_who_was_left_on_a_card_is_found(customer):
    """As it was before cards were put down ahead."""
    rules = [{"match": "*", "mode": "free"}]
    card = add_rate_card(customer.organization, name="Partners", rules=rules, effective_from=NOON, by=None)
    subscription = on(customer, a_plan(customer.organization, rate_card_id=card.pk))
    Subscription.objects.filter(pk=subscription.pk).update(ends_at=midnight(3, 20))
    assert left_on_cards(at=midnight(3, 21)) == [customer]
    fit_rate_card(customer, by=None, at=midnight(3, 21))
    assert left_on_cards(at=midnight(3, 21)) == []
    assert cards_of(customer) == [("Partners", NOON), ("", midnight(3, 21))]


def test_a_plans_card_holds_from_the_very_instant_at_which_it_begins(customer):
    """No call of the first minute is sold at another price, and no worker has to be awake at midnight."""
    rules = [{"match": "*", "mode": "free"}]
    cards = [
        add_rate_card(customer.organization, name=name, rules=rules, effective_from=NOON, by=None)
        for name in ("Small", "Large")
    ]
    small, large = (a_plan(customer.organization, rate_card_id=card.pk) for card in cards)
    april, may = midnight(4, 1), midnight(5, 1)
    subscription = on(customer, small, starts_on=date(2026, 4, 1))
    assert cards_of(customer) == [("Small", april)]
    instant = timedelta(microseconds=1)
    assert [layers_of(customer, at).plan_card for at in (april - instant, april)] == [None, cards[0]]
    change_subscription(subscription, large, by=None, at=midnight(4, 10), at_period_end=True)
    assert cards_of(customer) == [("Small", april), ("Large", may)]
    begin(reread(subscription), by=None, at=april + timedelta(seconds=50))  # late, as workers are
    assert cards_of(customer) == [("Small", april), ("Large", may)]
    keep_subscription(reread(subscription), by=None, at=midnight(4, 11))
    assert cards_of(customer) == [("Small", april)]
    end_subscription(reread(subscription), by=None, at=midnight(4, 12), at_period_end=True)
    assert cards_of(customer) == [("Small", april), ("", may)]


def test_a_plan_that_never_begins_leaves_no_card(customer):
    rules = [{"match": "*", "mode": "free"}]
    card = add_rate_card(customer.organization, name="Partners", rules=rules, effective_from=NOON, by=None)
    subscription = on(customer, a_plan(customer.organization, rate_card_id=card.pk), starts_on=date(2026, 4, 1))
    end_subscription(subscription, by=None, at=NOON, at_period_end=False)
    assert cards_of(customer) == []


def test_a_plan_without_a_card_leaves_the_customer_to_its_own(customer):
    on(customer)
    assert cards_of(customer) == []


def lots(customer):
    rows = CreditLot.objects.filter(wallet__customer=customer).order_by("effective_at")
    return [(row.amount, row.remaining, row.effective_at, row.expires_at) for row in rows]


def test_included_money_is_credit_for_each_period_by_its_days(customer):
    """13 of 31 days of March; all of April. Whoever tries again gives nothing."""
    subscription = on(customer, a_plan(customer.organization, allowance=D(31)))
    assert lots(customer) == [(13, 13, midnight(3, 19), midnight(4, 1))]
    assert allowances_due(at=NOON) == []
    april = midnight(4, 10)
    assert allowances_due(at=april) == [subscription]
    for _twice in range(2):
        grant_allowance(subscription, at=april)
    assert lots(customer)[1:] == [(31, 31, midnight(4, 1), midnight(5, 1))]
    assert allowances_due(at=april) == []


def test_what_is_left_of_included_money_goes_on_for_one_period(customer):
    on(customer, a_plan(customer.organization, allowance=D(31), allowance_rolls_over=True))
    assert lots(customer)[0][3] == midnight(5, 1)


def test_included_money_is_counted_in_dollars(customer):
    customer.organization.exchange_rates.create(currency="EUR", per_dollar=D("0.8"), effective_from=date(2026, 1, 1))
    on(customer, a_plan(customer.organization, currency="EUR", allowance=D(31)), starts_on=date(2026, 3, 1))
    assert lots(customer)[0][0] == D("38.75")


ENDED = [  # at the end of the period, left of 31 given on 1 March
    pytest.param(False, 19, id="on the 19th: that day is still of it"),
    pytest.param(True, 31, id="at the end of the month"),
]


@pytest.mark.parametrize(("at_period_end", "left"), ENDED)
def test_included_money_of_days_that_do_not_come_is_taken_back(customer, at_period_end, left):
    subscription = on(customer, a_plan(customer.organization, allowance=D(31)), starts_on=date(2026, 3, 1))
    end_subscription(subscription, by=None, at=NOON, at_period_end=at_period_end)
    assert lots(customer)[0][:2] == (31, left)


def test_a_change_takes_back_what_was_included_and_gives_what_is_now(customer):
    small, large = (a_plan(customer.organization, allowance=D(each)) for each in (31, 62))
    subscription = on(customer, small, starts_on=date(2026, 3, 1))
    change_subscription(subscription, large, by=None, at=NOON, at_period_end=False)
    assert [lot[:2] for lot in lots(customer)] == [(31, 18), (26, 26)]  # 18 days of one, 13 days of two a day


def test_a_subscription_knows_its_period(customer):
    subscription = on(customer, starts_on=date(2026, 4, 10))
    assert period_of(subscription, NOON).first == date(2026, 4, 1)
    assert Subscription.objects.get(pk=subscription.pk).began_at is None
