"""What is old goes at its time, level by level; what is left is right, proved and rebuilt as before."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from apps.usage import expiry
from apps.usage.audit import audit
from apps.usage.expiry import drop_months, forget_sums
from apps.usage.models import (
    DailyCustomer,
    DailyModel,
    DailyPropertyUsage,
    DailyTotal,
    DailyUsage,
    HourlyPropertyUsage,
    HourlyUsage,
    Keeping,
    Request,
    RequestsHorizon,
)
from apps.usage.partitions import attached_months
from apps.usage.queries import Scope, totals
from apps.usage.rebuild import extent, rebuild_rollups
from apps.usage.rollup import roll_up
from apps.usage.spent import recorded, spent
from tests.usage.conftest import NOON, a_call, microseconds, write_spool
from tests.usage.test_rebuild import hours

OF_DAYS = (DailyUsage, DailyTotal, DailyCustomer, DailyModel, DailyPropertyUsage)
AT = datetime(2026, 6, 20, 12, tzinfo=UTC)
MARCH = "usage_request_2026_03"


@pytest.fixture
def history(cast, root, ship) -> None:
    """A request of each operator in the middle of March, April, May and June."""
    for month in (3, 4, 5, 6):
        for customer in (cast.globex, cast.shady):
            write_spool(root, a_call(customer, at=NOON.replace(month=month), properties=[("Plan", "pro")]))
    ship()
    roll_up()


@pytest.fixture
def kept(settings):
    def keep(**days: int) -> None:
        settings.USAGE_KEEPING = settings.USAGE_KEEPING | days

    return keep


def months() -> list[int]:
    return sorted({at.month for at in Request.objects.values_list("started_at", flat=True)})


KEPT = [  # days, and the months whose requests are there on 20 June
    (0, [3, 4, 5, 6]),
    (112, [3, 4, 5, 6]),
    (80, [4, 5, 6]),  # 1 April: a month that is wanted of any day stays whole
    (81, [3, 4, 5, 6]),
    (50, [5, 6]),
    (2, [6]),
]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(("days", "left"), KEPT)
def test_months_that_nobody_wants_are_dropped(kept, days, left):
    kept(requests_days=days)
    before = hours()
    drop_months(at=AT)
    assert months() == left
    assert hours() == before
    assert audit().is_equal


@pytest.mark.usefixtures("history")
def test_a_month_stays_while_one_organization_wants_it(cast, kept):
    kept(requests_days=30)
    Keeping.objects.create(organization=cast.evil_corp, requests_days=0)
    assert drop_months(at=AT) == []
    Keeping.objects.update(requests_days=60)
    assert MARCH in drop_months(at=AT)
    assert months() == [4, 5, 6]


def test_what_is_not_rolled_up_stays(cast, root, ship, kept):
    kept(requests_days=2)
    write_spool(root, a_call(cast.globex))
    ship()
    assert drop_months(at=AT) == []
    roll_up()
    assert MARCH in drop_months(at=AT)
    assert NOON.replace(day=1, hour=0) not in attached_months()


@pytest.mark.usefixtures("history")
def test_roll_ups_of_requests_that_are_gone_are_not_rebuilt(kept):
    kept(requests_days=50)
    drop_months(at=AT)
    before = hours()
    rebuild_rollups(**extent()._asdict())
    assert hours() == before
    HourlyUsage.objects.filter(hour__month=3).update(cancelled=9)
    assert audit().is_equal  # nothing is left that says otherwise
    HourlyUsage.objects.filter(hour__month=5).update(cancelled=9)
    assert not audit().is_equal


@pytest.mark.usefixtures("history")
def test_late_arrivals_in_a_month_that_is_gone_are_counted(cast, root, ship, kept):
    kept(requests_days=50)
    drop_months(at=AT)
    write_spool(root, a_call(cast.globex, properties=[("Plan", "pro")]))
    ship()
    roll_up()
    assert HourlyUsage.objects.get(customer_id=cast.globex.pk, hour=NOON).requests == 2
    rebuild_rollups(**extent()._asdict())
    assert DailyUsage.objects.get(customer_id=cast.globex.pk, day__month=3).requests == 2
    assert audit().is_equal
    assert MARCH in drop_months(at=AT)
    assert RequestsHorizon.objects.get().since == datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.usefixtures("history")
def test_hours_go_and_days_stay(cast, kept, monkeypatch):
    monkeypatch.setattr(expiry, "AT_ONCE", 1)
    kept(hours_days=60)
    days = of_days()
    assert forget_sums(at=AT) == 8
    for model in (HourlyUsage, HourlyPropertyUsage):
        assert sorted(hour.month for hour in model.objects.values_list("hour", flat=True)) == [5, 5, 6, 6]
    assert days == of_days()
    assert audit().is_equal
    rebuild_rollups(**extent()._asdict())
    assert HourlyUsage.objects.count() == 4
    assert days == of_days()


def of_days() -> list[dict[str, object]]:
    rows = [row for model in OF_DAYS for row in model.objects.values()]
    return sorted(({name: row[name] for name in row if name != "id"} for row in rows), key=str)


@pytest.mark.usefixtures("history")
def test_each_organization_has_its_own_days(cast, kept):
    kept(hours_days=60)
    Keeping.objects.create(organization=cast.evil_corp, hours_days=0)
    forget_sums(at=AT)
    left = HourlyUsage.objects.values_list("customer_id", flat=True)
    assert sorted(left) == sorted([cast.globex.pk] * 2 + [cast.shady.pk] * 4)


@pytest.mark.usefixtures("history")
def test_days_go_too(cast, kept):
    kept(days_days=60)
    forget_sums(at=AT)
    for model in OF_DAYS:
        assert sorted(day.month for day in model.objects.values_list("day", flat=True)) == [5, 5, 6, 6]
    assert audit().is_equal
    assert forget_sums(at=AT) == 0


@pytest.mark.usefixtures("history")
def test_money_of_hours_that_are_gone_is_still_spent(cast, root, ship, kept):
    whose = [(cast.globex.pk, None), (cast.globex.pk, cast.globex.pk)]
    before = recorded(whose, begins_at=None)
    values = {"begins_at": None, "ends_at": None, "before_us": microseconds(AT), "ids": []}
    assert spent(cast.globex.pk, None, **values)[0] == 4 * Decimal("0.000414")
    kept(hours_days=60)
    forget_sums(at=AT)
    assert recorded(whose, begins_at=None) == before
    assert spent(cast.globex.pk, None, **values)[0] == 4 * Decimal("0.000414")
    write_spool(root, a_call(cast.globex))  # into an hour of before: its day has it as well
    ship()
    roll_up()
    assert spent(cast.globex.pk, None, **values)[0] == 5 * Decimal("0.000414")
    assert recorded(whose[:1], begins_at=None)[whose[0]] == 5 * Decimal("0.000414")


@pytest.mark.usefixtures("history")
def test_a_page_has_days_that_hours_have_gone_of(cast, kept):
    kept(hours_days=2)
    forget_sums(at=AT)
    since = datetime(2026, 3, 1, tzinfo=ZoneInfo("UTC"))
    assert totals(Scope(cast.acme.pk, since, since.replace(month=7))).requests == 4


@pytest.mark.usefixtures("history")
def test_what_was_spent_on_days_that_are_gone_still_counts(cast, kept):
    """A cap on all that was ever spent is the same before and after."""

    def ever(owner=None) -> tuple[Decimal, Decimal]:
        price, _ = spent(cast.globex.pk, owner, begins_at=None, ends_at=None, before_us=microseconds(AT), ids=[])
        return price, recorded([(cast.globex.pk, owner)], begins_at=None)[cast.globex.pk, owner]

    [key_id] = set(Request.objects.filter(customer_id=cast.globex.pk).values_list("proxy_key_id", flat=True))
    before, of_key = ever(), ever(key_id)
    assert before[0] == before[1] == of_key[0] == of_key[1] > 0
    for days in (80, 50, 50, 2):
        kept(requests_days=days, hours_days=days, days_days=days)
        drop_months(at=AT)
        forget_sums(at=AT)
        assert ever() == before
        assert ever(key_id) == of_key
    assert not DailyCustomer.objects.filter(day__lt=AT.replace(month=6, day=1)).exists()
