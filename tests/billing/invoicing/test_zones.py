"""An organization changes its time zone: no hour of usage is between two invoices, and none is on two."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from django.db import connection

from apps.accounts.services import update_organization
from apps.billing.audit.deep import deep_audit
from apps.billing.errors import NotPossible
from apps.billing.invoicing.due import ZoneSince, due_at, dues, stretches
from apps.billing.invoicing.preview import preview
from apps.billing.models import BilledZone, CreditLot, LedgerTransaction, MovedDay, Subscription, Wallet
from apps.billing.periods import begin_of, day_of
from apps.billing.queries.zones import billed_zones, on_the_move
from apps.billing.services.drawing import draw_usage
from apps.billing.services.invoices import void_invoice
from apps.billing.services.lots import grant_credit
from apps.billing.services.settling import settle_invoice
from apps.billing.services.wallets import open_wallet
from apps.billing.services.zones import follow_zone
from apps.usage.rebuild import rebuild_rollups
from tests.billing.made import a_subscription, invoices, lines, run
from tests.cast import a_customer, an_organization, reread
from tests.usage.conftest import database_url
from tests.used import a_request

# Around each midnight of the two zones, and between. What each costs is a power of two: a sum says which are in it.
TIMES = [
    "2026-10-31T00:00", "2026-10-31T02:00", "2026-10-31T12:00", "2026-10-31T16:00", "2026-10-31T23:59",
    "2026-11-01T00:00", "2026-11-01T03:30", "2026-11-01T08:00", "2026-11-01T20:00", "2026-11-19T12:00",
    "2026-11-25T12:00", "2026-11-30T14:00", "2026-11-30T16:00", "2026-11-30T23:00", "2026-12-01T01:00",
    "2026-12-01T12:00",
]  # fmt: skip
INSTANTS = [datetime.fromisoformat(f"{each}+00:00") for each in TIMES]
PRICES = {at: Decimal(2**number) / 100 for number, at in enumerate(INSTANTS)}
NOVEMBER_3 = datetime(2026, 11, 3, 9, tzinfo=UTC)
CHANGED = datetime(2026, 11, 20, 9, tzinfo=UTC)
DECEMBER_3 = datetime(2026, 12, 3, 9, tzinfo=UTC)
JANUARY_3 = datetime(2027, 1, 3, 9, tzinfo=UTC)
A_DAY = timedelta(days=1)
ZONES = ["America/New_York", "Asia/Kolkata", "Pacific/Kiritimati"]


def instants_in(total: Decimal) -> list[str]:
    """Which requests it is the sum of; one that is in it twice makes others."""
    return [time for time, at in zip(TIMES, INSTANTS, strict=True) if int(total * 100) >> INSTANTS.index(at) & 1]


def use(customer, instants=INSTANTS, model="gpt-4o"):
    for at in instants:
        a_request(customer, at, price=PRICES[at], model_served=model, batch_id=1)
    roll_up(customer)


def roll_up(customer):
    zone = customer.organization.time_zone
    for begins in sorted({begin_of(day_of(at, zone), zone) for at in (INSTANTS[0] - A_DAY, *INSTANTS)}):
        until = begins + timedelta(microseconds=1)
        rebuild_rollups(since=begins, until=until, organization_id=customer.organization_id)


def change_zone(customer, zone, at=CHANGED):
    update_organization(customer.organization, time_zone=zone, by=None)
    customer.organization.refresh_from_db()
    return follow_zone(customer.organization_id, at=at)


def before(midnight: datetime) -> list[str]:
    return [time for time, at in zip(TIMES, INSTANTS, strict=True) if at < midnight]


@pytest.fixture
def customer(db):
    return a_customer(an_organization())


@pytest.mark.parametrize("zone", ZONES)
def test_every_request_is_on_one_invoice(customer, zone):
    use(customer)
    run(customer, at=NOVEMBER_3, finalizes=True)
    assert instants_in(invoices(customer)[0].total) == TIMES[:5]
    assert change_zone(customer, zone)
    assert not follow_zone(customer.organization_id, at=CHANGED)
    assert run(customer, at=CHANGED, finalizes=True).made == 0  # all that is over was billed
    run(customer, at=DECEMBER_3, finalizes=True)
    run(customer, at=JANUARY_3, finalizes=True)
    october, november, december = invoices(customer)
    changes_at, ends_at = begin_of(date(2026, 12, 1), zone), begin_of(date(2027, 1, 1), zone)
    assert (november.period_start, november.period_end) == (october.period_end, changes_at)
    assert (december.period_start, december.period_end) == (changes_at, ends_at)
    assert instants_in(october.total + november.total) == before(changes_at)
    assert instants_in(october.total + november.total + december.total) == before(ends_at)
    assert run(customer, at=JANUARY_3, finalizes=True).made == 0
    deep = deep_audit(customer.organization_id)
    assert ([str(each) for each in deep.findings], deep.not_invoiced) == ([], [])


def test_there_and_back_again(customer):
    use(customer)
    run(customer, at=NOVEMBER_3, finalizes=True)
    for zone in ("Asia/Tokyo", "America/New_York", "UTC"):
        assert change_zone(customer, zone)
    assert run(customer, at=CHANGED, finalizes=True).made == 0
    run(customer, at=JANUARY_3, finalizes=True)
    october, november, december = invoices(customer)
    assert [instants_in(each.total) for each in (october, november, december)] == [TIMES[:5], TIMES[5:14], TIMES[14:]]
    assert december.period_end == datetime(2027, 1, 1, tzinfo=UTC)
    assert deep_audit(customer.organization_id).findings == []


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_a_month_that_is_voided_afterwards_is_built_again_as_it_was(customer, zone):
    use(customer)
    run(customer, at=NOVEMBER_3, finalizes=True)
    change_zone(customer, zone)
    run(customer, at=DECEMBER_3, finalizes=True)
    before_it = sum(each.total for each in invoices(customer))
    void_invoice(invoices(customer)[0], reason="", by=None, at=DECEMBER_3)
    run(customer, at=DECEMBER_3, finalizes=True)
    live = [each for each in invoices(customer) if each.state != "void"]
    assert sum(each.total for each in live) == before_it
    assert [each.period_start for each in live] == [
        datetime(2026, 10, 1, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
    ]
    assert deep_audit(customer.organization_id).findings == []


def test_usage_that_comes_late_is_billed_once_and_what_became_cheaper_is_credited(customer):
    use(customer, INSTANTS[:2] + INSTANTS[3:10])
    run(customer, at=NOVEMBER_3, finalizes=True)
    change_zone(customer, "America/New_York")
    use(customer, INSTANTS[2:3])
    run(customer, at=DECEMBER_3, finalizes=True)
    assert instants_in(sum(each.total for each in invoices(customer))) == TIMES[:10]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE usage_request SET price = price - 0.01 WHERE started_at = %s", [INSTANTS[4]])
    roll_up(customer)
    done = run(customer, at=DECEMBER_3, finalizes=True)
    assert run(customer, at=JANUARY_3, finalizes=True).credit_notes + done.credit_notes == 1
    october = invoices(customer)[0]
    assert (october.credited, run(customer, at=JANUARY_3).credit_notes) == (Decimal("0.01"), 0)
    assert deep_audit(customer.organization_id).findings == []


def test_a_moved_day_that_was_changed_is_named(customer):
    use(customer)
    run(customer, at=NOVEMBER_3, finalizes=True)
    change_zone(customer, "Asia/Tokyo")
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE billing_movedday SET price = price + 1 WHERE id = (SELECT min(id) FROM billing_movedday)"
        )
        cursor.execute("SET session_replication_role = origin")
    names = [str(each) for each in deep_audit(customer.organization_id).findings]
    assert [name for name in names if name.startswith("invoice.moved: invoice INV-0001, usage of gpt-4o moved")]


def test_until_the_days_are_made_anew_nothing_is_billed(customer):
    use(customer)
    run(customer, at=NOVEMBER_3, finalizes=True)
    update_organization(customer.organization, time_zone="Asia/Tokyo", by=None)
    roll_up(customer)  # half-way
    assert on_the_move() == [customer.organization]
    refused = run(customer, at=DECEMBER_3, finalizes=True)
    assert (refused.made, len(refused.refused)) == (0, 1)
    assert "new time zone" in refused.refused[0]["reason"]
    with pytest.raises(NotPossible, match="new time zone"):
        preview(customer, at=CHANGED)
    assert follow_zone(customer.organization_id, at=CHANGED)
    assert on_the_move() == []
    assert run(customer, at=DECEMBER_3, finalizes=True).made == 1


def test_whoever_was_billed_for_nothing_yet_just_has_another_zone(customer):
    assert change_zone(customer, "Asia/Tokyo") is False
    assert [each.name for each in billed_zones(customer.organization)] == ["Asia/Tokyo"]


def a_wallet(customer, credit="5000"):
    wallet = open_wallet(customer, by=None, at=INSTANTS[2], settlement=Wallet.Settlement.PREPAID)
    grant_credit(wallet, Decimal(credit), key="first", at=INSTANTS[2], by=None)
    return wallet


def standing(wallet):
    wallet = reread(wallet)
    lots = [(lot.key, lot.remaining) for lot in wallet.lots.order_by("key")]
    return wallet.balance, wallet.ceiling, lots


@pytest.mark.parametrize("zone", ZONES)
def test_no_lot_gives_or_gets_anything_by_it(customer, zone):
    opened = [datetime(2026, 10, 31, 1, tzinfo=UTC), datetime(2026, 10, 31, 20, tzinfo=UTC)]
    for at in [datetime(2026, 10, 30, 22, tzinfo=UTC), *opened]:  # its time begins with the day, at midnight
        a_request(customer, at, price=Decimal("0.001"), model_served="gpt-4o", batch_id=1)
    wallet = a_wallet(customer)
    expired = CreditLot.objects.create(
        wallet=wallet, category=1, source="grant", amount=1, remaining=0, effective_at=INSTANTS[0], key="gone",
        expires_at=INSTANTS[5],
    )  # fmt: skip
    use(customer, INSTANTS[:10])
    draw_usage(wallet.pk, at=CHANGED)
    before_it, booked = standing(wallet), LedgerTransaction.objects.count()
    expected = Decimal("0.002") + sum(PRICES[at] for at in INSTANTS[:10])
    assert before_it[0] == 5000 - expected
    assert change_zone(customer, zone)
    assert standing(wallet) == before_it
    assert draw_usage(wallet.pk, at=CHANGED) == 0
    assert (standing(wallet), LedgerTransaction.objects.count()) == (before_it, booked)
    use(customer, INSTANTS[10:12])
    assert draw_usage(wallet.pk, at=DECEMBER_3) == sum(PRICES[at] for at in INSTANTS[10:12])
    assert reread(expired).remaining == 0
    names = [str(each) for each in deep_audit(customer.organization_id).findings]
    assert [name for name in names if "gone" not in name] == []


@pytest.mark.parametrize("zone", ZONES)
def test_prepaid_invoices_come_to_nothing_whatever_the_zone(customer, zone):
    wallet = a_wallet(customer, "20000")
    Wallet.objects.filter(pk=wallet.pk).update(draws_from=datetime(2026, 10, 1, tzinfo=UTC))
    use(customer)
    run(customer, at=NOVEMBER_3, finalizes=True)
    change_zone(customer, zone)
    run(customer, at=DECEMBER_3, finalizes=True)
    run(customer, at=JANUARY_3, finalizes=True)
    assert [each.total for each in invoices(customer)] == [0, 0, 0]
    wallet.refresh_from_db()
    draw_usage(wallet.pk, at=JANUARY_3)
    assert reread(wallet).balance == 20000 - sum(PRICES.values())
    assert deep_audit(customer.organization_id).findings == []


def test_a_credit_that_paid_a_part_is_not_taken_off_twice(customer):
    wallet = open_wallet(customer, by=None, at=INSTANTS[0], settlement=Wallet.Settlement.CREDIT_FIRST)
    grant_credit(wallet, Decimal("0.20"), key="first", at=INSTANTS[0], by=None)
    use(customer)
    run(customer, at=NOVEMBER_3, finalizes=True)
    october = invoices(customer)[0]
    assert october.total == sum(PRICES[at] for at in INSTANTS[:5]) - Decimal("0.20")
    settle_invoice(october, october.total, at=NOVEMBER_3, by=None)
    change_zone(customer, "America/New_York")
    run(customer, at=DECEMBER_3, finalizes=True)
    assert invoices(customer)[1].total == sum(PRICES[at] for at in INSTANTS[5:15])
    assert [line for line in lines(invoices(customer)[1]) if line[0] == "credit"] == []


def test_a_plan_keeps_the_zone_that_it_began_in(customer):
    subscription: Subscription = a_subscription(customer, fee=Decimal(30), fee_due="arrears")
    use(customer)
    run(customer, at=NOVEMBER_3, finalizes=True)
    change_zone(customer, "Asia/Tokyo")
    run(customer, at=JANUARY_3, finalizes=True)
    assert reread(subscription).time_zone == "UTC"
    found = invoices(customer)
    assert [each.period_start.month for each in found] == [10, 11, 12]
    fees = [sum(line.amount for line in each.lines.all() if line.kind == "fee") for each in found]
    assert fees == [30, 30, 30]
    used = sum(each.total for each in found) - 90
    assert instants_in(used) == TIMES
    assert deep_audit(customer.organization_id).findings == []


STRETCHES = [  # zones by their first day
    pytest.param([("2000-01-01", "UTC"), ("2026-03-01", "Asia/Tokyo")], id="east"),
    pytest.param([("2000-01-01", "UTC"), ("2026-03-01", "Pacific/Pago_Pago")], id="west"),
    pytest.param(
        [("2000-01-01", "Asia/Tokyo"), ("2026-02-01", "Europe/Berlin"), ("2026-04-01", "America/New_York")], id="twice"
    ),
]


@pytest.mark.parametrize("zones", STRETCHES)
def test_months_of_several_zones_tile_time(zones):
    over = stretches([], [ZoneSince(date.fromisoformat(first), name) for first, name in zones])
    found = list(dues(None, over, date(2025, 12, 1), date(2026, 7, 1)))
    assert [each.period.first.month for each in found] == [12, 1, 2, 3, 4, 5, 6]
    for one, following in pairwise(found):
        assert one.period.until_at == following.period.since_at
        for at in (one.period.since_at, one.period.until_at - timedelta(microseconds=1)):
            assert due_at(None, over, at).key == one.key


FOLLOW = """
import django; django.setup()
from datetime import datetime
from uuid import UUID
from apps.billing.services.zones import follow_zone
follow_zone(UUID("{organization}"), at=datetime.fromisoformat("{at}"))
"""


@pytest.mark.django_db(transaction=True)
def test_whoever_dies_half_way_has_moved_nothing_and_the_next_does_it_all():
    customer = a_customer(an_organization())
    use(customer)
    run(customer, at=NOVEMBER_3, finalizes=True)
    update_organization(customer.organization, time_zone="Asia/Tokyo", by=None)
    environment = os.environ | {"DATABASE_URL": database_url(), "TOLLGATE_FAIL": "customer_moved:kill:1"}
    code = FOLLOW.format(organization=customer.organization_id, at=CHANGED.isoformat())
    killed = subprocess.run([sys.executable, "-c", code], env=environment, timeout=240, check=False)
    assert killed.returncode == -9
    assert (MovedDay.objects.count(), BilledZone.objects.count()) == (0, 1)
    customer.organization.refresh_from_db()
    assert run(customer, at=DECEMBER_3).made == 0
    assert follow_zone(customer.organization_id, at=CHANGED)
    run(customer, at=DECEMBER_3, finalizes=True)
    assert instants_in(sum(each.total for each in invoices(customer))) == before(
        begin_of(date(2026, 12, 1), "Asia/Tokyo")
    )
