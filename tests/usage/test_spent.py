"""What was spent, asked of the database: the same sum however much of it is rolled up, shipped, or neither."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from apps.accounts.services import update_organization
from apps.kit.ids import uuid7
from apps.usage.rollup import roll_up
from apps.usage.spent import spent
from tests.usage.conftest import NOON, a_call, an_intent, an_outcome, encode, microseconds, write_spool

DAY = datetime(2026, 3, 10, tzinfo=UTC)


def prices(day: datetime) -> dict[datetime, str]:
    """Of calls, by when they began."""
    return {
        NOON - timedelta(days=12): "1000",  # the month before
        NOON - timedelta(days=3): "100",
        day - timedelta(microseconds=1): "20",
        day: "3",
        NOON - timedelta(hours=1, minutes=20): "0.4",
        NOON + timedelta(minutes=10): "0.05",
        NOON + timedelta(minutes=40): "0.006",
    }


def after(minutes: int) -> int:
    return microseconds(NOON + timedelta(minutes=minutes))


def calls(customer, day: datetime = DAY, **fields) -> list[bytes]:
    every = (a_call(customer, at=at, outcome={"price": Decimal(price)}, **fields) for at, price in prices(day).items())
    return [payload for call in every for payload in call]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/Los_Angeles"])
@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_the_sum_of_a_period_up_to_a_moment(cast, root, ship, zone: str, is_rolled_up: bool):
    update_organization(cast.acme, by=None, time_zone=zone)
    day = DAY.replace(tzinfo=ZoneInfo(zone))
    write_spool(root, calls(cast.globex, day))
    write_spool(root, calls(cast.initech, day))
    ship()
    if is_rolled_up:
        roll_up()
        write_spool(root, a_call(cast.globex, at=day + timedelta(hours=1), outcome={"price": Decimal("0.0007")}))
        ship()
    late = Decimal("0.0007") if is_rolled_up else 0

    def of(begins_at: datetime | None, before_us: int, ends_at: datetime | None = None) -> Decimal:
        price, _ = spent(cast.globex.pk, None, begins_at=begins_at, ends_at=ends_at, before_us=before_us, ids=[])
        return price

    assert of(day, after(60)) == Decimal("3.456") + late
    assert of(day, after(40)) == Decimal("3.45") + late  # what began at the moment itself is not before it
    assert of(day, after(5)) == Decimal("3.4") + late
    assert of(day.replace(day=1), after(60)) == Decimal("123.456") + late
    assert of(None, after(60)) == Decimal("1123.456") + late
    assert of(day - timedelta(days=1), after(60), ends_at=day) == 20


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_the_sum_of_a_key_and_of_an_end_user(cast, root, ship, is_rolled_up: bool):
    key = uuid7()
    write_spool(root, calls(cast.globex, proxy_key_id=key.bytes))
    write_spool(root, calls(cast.globex, end_user="ann"))
    write_spool(root, calls(cast.globex))
    ship()
    if is_rolled_up:
        roll_up()
    owners: list[UUID | str | None] = [key, "ann", "nobody", None]
    sums = [spent(cast.globex.pk, o, begins_at=DAY, ends_at=None, before_us=after(60), ids=[])[0] for o in owners]
    assert sums == [Decimal("3.456"), Decimal("3.456"), 0, 3 * Decimal("3.456")]


def test_which_calls_are_in_it(cast, root, ship):
    shipped, later, foreign, open_ = (an_intent(c) for c in (cast.globex, cast.globex, cast.initech, cast.globex))
    later.started_at_us = after(30)
    for intent in (shipped, later, foreign):
        write_spool(root, [encode(intent), encode(an_outcome(intent))])
    ship()
    ids = [UUID(bytes=intent.id) for intent in (shipped, later, foreign, open_)]
    _, known = spent(cast.globex.pk, None, begins_at=DAY, ends_at=None, before_us=after(10), ids=ids)
    assert known == [ids[0]]


def test_a_refused_call_costs_nothing(cast, root, ship):
    write_spool(root, a_call(cast.globex, outcome={"price": None, "cost": None}))
    ship()
    assert spent(cast.globex.pk, None, begins_at=None, ends_at=None, before_us=after(60), ids=[]) == (0, [])
