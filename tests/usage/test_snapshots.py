"""Snapshots: when one is taken, when a page may show it, and when it goes."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import psycopg
import pytest
from celery.signals import before_task_publish
from django.db import connection
from django.http import QueryDict

from apps.customers.plan_fees import set_plan_fee
from apps.usage import snapshots
from apps.usage.insights import insights
from apps.usage.models import DayCardinality, Snapshot, SnapshotOrder, SnapshotUser
from apps.usage.queries.distributions import distribution, distribution_of
from apps.usage.queries.insights import answers, answers_of, terms_of
from apps.usage.queries.snapshot_users import users_of
from apps.usage.rebuild import rebuild_rollups
from apps.usage.snapshots import Asked, keep_snapshots, kept_if_slow, snapshot_to_show, take_snapshot
from apps.usage.user_faces import user_table
from tests.cast import at_once
from tests.used import a_property_hour, a_request, an_hour

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR = NOW.replace(hour=10)
SECOND = timedelta(seconds=1)
ZONE = ZoneInfo("UTC")


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)
    return time_machine


@pytest.fixture
def asked(cast) -> Asked:
    an_hour(cast.globex, HOUR, end_user="ann", cost=Decimal(3))
    return Asked(cast.acme.pk, "UTC", date(2026, 3, 1), date(2026, 3, 10), "month")


@pytest.fixture
def enqueued() -> list[Asked]:
    """What workers were asked to take."""
    found: list[Asked] = []

    def note(body, **_) -> None:
        found.append(Asked.of_text(body[0][0]))

    before_task_publish.connect(note, sender="usage.take_snapshot")
    yield found
    before_task_publish.disconnect(note, sender="usage.take_snapshot")


def taken(asked: Asked, *, took_ms: int = 1000) -> Snapshot:
    """As one that took so long to take."""
    assert take_snapshot(asked)
    Snapshot.objects.update(took_ms=took_ms)
    return Snapshot.objects.latest("as_of", "pk")


def test_it_is_shown_as_long_as_nothing_was_added(asked, clock, enqueued):
    assert snapshot_to_show(asked, at=NOW) is None
    snapshot = taken(asked, took_ms=1)
    assert (snapshot.users, snapshot.as_of) == (1, NOW)
    for later in (NOW, NOW + timedelta(hours=23)):
        found = snapshot_to_show(asked, at=later)
        assert (found, found.as_of_in(ZONE)) == (snapshot, None)
    assert not take_snapshot(asked)
    assert enqueued == []


def test_a_day_later_it_is_taken_anew_in_case(asked, clock, enqueued, django_capture_on_commit_callbacks):
    snapshot = taken(asked)
    clock.move_to(NOW + timedelta(hours=25), tick=False)
    with django_capture_on_commit_callbacks(execute=True):
        assert snapshot_to_show(asked, at=NOW + timedelta(hours=25)) == snapshot
    assert enqueued == [asked]
    assert take_snapshot(asked)


BEHIND = [  # how long it took, how old it is, whether it is shown, whether it is to be taken anew
    pytest.param(1000, 19, True, False, id="it-may-rest"),
    pytest.param(1000, 20, True, True, id="it-has-rested"),
    pytest.param(1000, 3599, True, True, id="nobody-took-it-for-long"),
    pytest.param(1000, 3600, False, True, id="nobody-takes-them"),
    pytest.param(99, 5, False, False, id="added-up-as-fast"),
    pytest.param(99, 11, False, True, id="added-up-as-fast-and-kept"),
]


@pytest.mark.parametrize(("took_ms", "age_s", "is_shown", "is_due"), BEHIND)
def test_it_is_shown_while_behind_and_taken_anew_not_too_often(
    cast, asked, clock, enqueued, django_capture_on_commit_callbacks, took_ms, age_s, is_shown, is_due
):
    snapshot = taken(asked, took_ms=took_ms)
    an_hour(cast.globex, HOUR, end_user="bob")
    at = NOW + age_s * SECOND
    with django_capture_on_commit_callbacks(execute=True):
        found = snapshot_to_show(asked, at=at)
    assert (found == snapshot, enqueued) == (is_shown, [asked] if is_due else [])
    assert found is None or found.as_of_in(ZoneInfo("Asia/Tokyo")) == NOW
    clock.move_to(at, tick=False)
    assert take_snapshot(asked) == is_due
    assert SnapshotUser.objects.count() == (3 if is_due else 1)  # the old ones stay for who reads them
    if is_due:
        now = snapshot_to_show(asked, at=at)
        assert [row.end_user for row in users_of(now).rows] == ["ann", "bob"]


def test_only_what_is_slow_is_kept(asked, enqueued, monkeypatch, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        with kept_if_slow(asked):
            pass
        monkeypatch.setattr(snapshots, "SLOW_MS", 0)
        with kept_if_slow(replace(asked, model="slow")):
            pass
    assert enqueued == [replace(asked, model="slow")]


def test_other_days_users_or_filters_are_another_snapshot_but_not_another_name_of_the_days(cast, asked):
    snapshot = taken(asked)
    assert snapshot_to_show(replace(asked, period=""), at=NOW) == snapshot
    others = [
        {"organization_id": cast.shady.organization_id},
        {"customer_id": cast.globex.pk},
        {"zone": "Europe/Paris"},
        {"first": date(2026, 3, 2)},
        {"last": date(2026, 3, 9)},
        {"model": "m"},
        {"sold_as": "m"},
        {"name": "plan", "value": "pro"},
        {"kind": "insights"},
    ]
    assert [snapshot_to_show(replace(asked, **other), at=NOW) for other in others] == [None] * len(others)


@pytest.mark.django_db(transaction=True)
def test_ten_who_ask_at_once_have_it_taken_once(asked):
    assert Counter(at_once(10, lambda: take_snapshot(asked))) == {True: 1, False: 9}
    assert (Snapshot.objects.count(), SnapshotUser.objects.count()) == (1, 1)


def test_no_more_are_taken_at_once_than_leave_workers_for_the_rest(asked):
    parameters = connection.get_connection_params() | {"cursor_factory": None}
    with psycopg.connect(**parameters, autocommit=True) as other:
        for taken_place in range(snapshots.AT_ONCE):
            place = f"snapshots, place {taken_place}"
            other.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [place])
        assert not take_snapshot(asked)
        other.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [place])
        assert take_snapshot(asked)


def test_what_another_version_asked_for_is_no_trouble(asked):
    text = asked.as_text()
    assert Asked.of_text(text) == asked
    assert Asked.of_text(text.replace("{", '{"colour": "green", ', 1)) == asked
    assert Asked.of_text(text.replace('"sold_as": null, ', "")) == asked


def test_rebuilding_may_have_changed_who_is_told_apart(cast, asked, clock):
    a_request(cast.globex, HOUR)
    snapshot = taken(asked)
    rebuild_rollups(since=HOUR, until=HOUR + timedelta(hours=1), organization_id=cast.acme.pk)
    snapshot.refresh_from_db()
    assert snapshot.totals == ""
    clock.move_to(NOW + 20 * SECOND, tick=False)
    assert take_snapshot(asked)


# By beat


def test_who_looked_lately_finds_it_up_to_date(cast, asked, clock):
    taken(asked)
    an_hour(cast.globex, HOUR, end_user="bob")
    for minutes, expected in ((14, 1), (15, 2)):
        clock.move_to(NOW + timedelta(minutes=minutes), tick=False)
        keep_snapshots(at=NOW + timedelta(minutes=minutes))
        assert Snapshot.objects.latest("as_of").users == expected
    assert Snapshot.objects.count() == 1  # the one that it took the place of has gone
    assert set(SnapshotOrder.objects.values_list("snapshot", flat=True)) == set(
        Snapshot.objects.values_list("pk", flat=True)
    )


def test_the_days_go_with_the_time(cast, asked, clock):
    week = Asked(cast.acme.pk, "UTC", date(2026, 3, 4), date(2026, 3, 10), "7d")
    taken(week)
    tomorrow = NOW + timedelta(days=1)
    clock.move_to(tomorrow, tick=False)
    keep_snapshots(at=tomorrow)
    [snapshot] = Snapshot.objects.all()
    moved = replace(week, first=date(2026, 3, 5), last=date(2026, 3, 11))
    assert snapshot_to_show(moved, at=tomorrow) == snapshot
    assert snapshot.looked_at == NOW  # that it was taken is no look


@pytest.mark.parametrize(
    ("period", "after", "is_kept"),
    [
        ("month", timedelta(days=7), True),
        ("month", timedelta(days=8), False),
        ("", timedelta(minutes=59), True),
        ("", timedelta(minutes=61), False),
    ],
)
def test_what_nobody_looks_at_goes(asked, clock, period, after, is_kept):
    taken(replace(asked, period=period))
    clock.move_to(NOW + after, tick=False)
    keep_snapshots(at=NOW + after)
    assert Snapshot.objects.exists() == SnapshotUser.objects.exists() == is_kept


def test_a_look_is_noted(asked, clock):
    taken(replace(asked, period=""))
    later = NOW + timedelta(minutes=50)
    clock.move_to(later, tick=False)
    assert snapshot_to_show(replace(asked, period=""), at=later)
    clock.move_to(later + timedelta(minutes=50), tick=False)
    keep_snapshots(at=later + timedelta(minutes=50))
    assert Snapshot.objects.get().looked_at == later


# Of what else than the users' table


@pytest.fixture
def plans(cast, asked) -> None:
    for number, (user, plan) in enumerate([("ann", "pro"), ("bob", "free"), ("cy", "pro"), (None, "free")]):
        amounts = {"end_user": user, "cost": Decimal(number), "price": Decimal("2.000000000001")}
        an_hour(cast.globex, HOUR - timedelta(days=1), model=f"m{number}", **amounts)
        a_property_hour(cast.globex, HOUR, "plan", plan, **amounts)
    type(cast.initech).objects.filter(pk=cast.initech.pk).update(monthly_fee=Decimal(50))
    set_plan_fee(cast.acme, None, name="Plan", value="pro", monthly_fee=Decimal("9.99"), by=None)


@pytest.mark.usefixtures("plans")
@pytest.mark.parametrize("is_operator", [True, False])
def test_insights_are_kept_whole(cast, asked, is_operator):
    asked = replace(asked, kind="insights", name="Plan", customer_id=None if is_operator else cast.globex.pk)
    terms = asked.terms_now
    asked = replace(asked, terms=terms.digest)
    expected = answers(asked.scope, ZONE, terms, name="Plan")
    assert answers_of(taken(asked).answer) == expected
    assert [user.end_user for user in expected.top_users[:2]] == ["ann", None if is_operator else "bob"]
    assert bool(expected.best_customers) == bool(expected.best_models) == is_operator
    assert len(expected.plans) == 2


@pytest.mark.usefixtures("plans")
def test_other_fees_are_other_insights(cast, asked):
    def now() -> Asked:
        return replace(asked, kind="insights", name="Plan", terms=asked.terms_now.digest)

    before = now()
    set_plan_fee(cast.acme, None, name="Plan", value="pro", monthly_fee=Decimal(10), by=None)
    taken(before)  # asked for before the fee changed, taken after it
    assert snapshot_to_show(before, at=NOW) is None
    assert snapshot_to_show(now(), at=NOW) is not None
    other = terms_of(cast.acme.pk, None, Decimal("0.5"))
    assert other.digest != terms_of(cast.acme.pk, None, Decimal("0.4")).digest


@pytest.mark.usefixtures("plans")
@pytest.mark.parametrize("spread", ["requests", "cost", "price"])
@pytest.mark.parametrize("cut", ["all", "middle"])
def test_users_are_spread_as_they_were(asked, spread, cut):
    assert distribution_of(taken(asked), spread, cut) == distribution(asked.scope, spread, cut)


def test_of_large_organizations_the_first_look_finds_it_taken(cast, asked, clock, monkeypatch):
    """What a page asks for is what was taken: users and insights of the usual periods, before anybody looked."""
    monkeypatch.setattr(snapshots, "LARGE", 5)
    a_property_hour(cast.globex, HOUR, "plan", "pro", end_user="ann")
    a_property_hour(cast.globex, HOUR, "app", "shop", end_user="ann")
    for days, users in ((0, 3), (29, 2), (31, 100)):
        DayCardinality.objects.create(organization=cast.acme, day=NOW - timedelta(days=days), end_users=users)
    DayCardinality.objects.create(organization=cast.evil_corp, day=NOW, end_users=4)
    keep_snapshots(at=NOW)
    assert set(Snapshot.objects.values_list("organization", flat=True)) == {cast.acme.pk}
    assert Snapshot.objects.count() == 6
    for period in ("30d", "90d", "month"):
        page = user_table(QueryDict(f"period={period}"), cast.acme, None, at=NOW, url=str)
        assert (page.as_of, [user.row.end_user for user in page.rows]) == (None, ["ann"])
        chosen = insights(QueryDict(f"period={period}"), cast.acme, None, at=NOW, user_url=str)
        assert chosen.property == "Plan"
    looked_for = [Asked.of_text(text) for text in Snapshot.objects.values_list("asked", flat=True)]
    assert all(snapshot_to_show(each, at=NOW) for each in looked_for)
    before = set(Snapshot.objects.values_list("pk", flat=True))
    an_hour(cast.globex, HOUR, end_user="bob")
    clock.move_to(NOW + timedelta(minutes=15), tick=False)
    keep_snapshots(at=NOW + timedelta(minutes=15))  # taken anew; those of before have gone
    assert Snapshot.objects.count() == 6
    assert not before & set(Snapshot.objects.values_list("pk", flat=True))


def test_of_small_organizations_nothing_is_taken_before_somebody_looks(cast, asked, monkeypatch):
    DayCardinality.objects.create(organization=cast.acme, day=NOW, end_users=snapshots.LARGE - 1)
    keep_snapshots(at=NOW)
    assert not Snapshot.objects.exists()
